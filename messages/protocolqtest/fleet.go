// A whole fleet for the test of a program that asks: one line starts it, and it ends with the test.

// Package protocolqtest is for the tests of programs that ask: a NATS server with all streams, the
// practice gateway and a worker, in the test's own process, with nothing to install:
//
//	q := protocolqtest.Start(t)
//	r, err := ask.Ask(ctx, q.Connect(), messages.Query{UserEmail: protocolqtest.Email("not-signed", "zhang")})
//
// The e-mail decides what the gateway answers, see [Email]: each outcome, each code, each fault.
// Calls returns what the gateway was asked. Worker, server and gateway can each be stopped and
// started again, as happens to every program at some time.
package protocolqtest

import (
	"log/slog"
	"net"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"protocolq/gateway/simulator"
	"protocolq/messages"
	"protocolq/messages/ask"
	"protocolq/worker"
	"protocolq/worker/provision"
)

// The partners that a Fleet asks for. Partner is the default one.
const (
	Partner      = "2088000000000001"
	OtherPartner = "2088000000000002"
)

// Options are differences from the default fleet. The zero value of a field is its default.
type Options struct {
	Askers    []string // "refunds": names of programs whose durable replies can be read
	Listeners []string // "ledger": names of programs that can read events
	// Latency is how long the gateway takes for each answer.
	Latency time.Duration
	// Faults hit calls by chance; [Email] names those that hit one account.
	Faults []simulator.Fault
	// Worker changes the settings of workers. Here, a key is left alone for half a second after a
	// failure, so that retry_after_ms is short; answers are remembered as long as usual.
	Worker func(*worker.Options)
	Logger *slog.Logger // of workers, gateway and server; discarded when nil
}

// Fleet is everything that a caller talks to. Only the goroutine of the test may use it, except
// Calls.
type Fleet struct {
	// URL is the address of the NATS server, also after a restart.
	URL string

	t       testing.TB
	o       Options
	names   messages.Names
	dir     string // of the streams
	srv     *server.Server
	port    int
	gateway *gate
	workers []*running
}

// Start runs a server, a gateway and a worker until the test ends, and returns when they answer.
func Start(t testing.TB) *Fleet {
	t.Helper()
	return StartWith(t, Options{})
}

// StartWith is Start with Options.
func StartWith(t testing.TB, o Options) *Fleet {
	t.Helper()
	if o.Askers == nil {
		o.Askers = []string{"refunds"}
	}
	if o.Listeners == nil {
		o.Listeners = []string{"ledger"}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	f := &Fleet{t: t, o: o, dir: t.TempDir()}
	f.names = must(messages.NewNames(messages.DefaultPrefix))(t)
	f.serve(server.RANDOM_PORT)
	t.Cleanup(func() { f.StopNATS() })
	f.provision()
	f.gateway = openGate(t, &o)
	f.StartWorker()
	return f
}

// Connect returns a new connection, open until the test ends: a program has its own.
func (f *Fleet) Connect(options ...nats.Option) *nats.Conn {
	f.t.Helper()
	nc := must(nats.Connect(f.URL, append(reconnecting(), options...)...))(f.t)
	f.t.Cleanup(nc.Close)
	return nc
}

// Client asks as one of Options.Askers; "": without a name.
func (f *Fleet) Client(asker string) *ask.Client {
	f.t.Helper()
	return must(ask.New(f.Connect(), ask.Options{Asker: asker}))(f.t)
}

// Calls returns the gateway's finished calls, oldest first.
func (f *Fleet) Calls() []simulator.Call { return f.gateway.sim.Calls() }

// StopNATS ends the server. Its streams stay.
func (f *Fleet) StopNATS() {
	f.srv.Shutdown()
	f.srv.WaitForShutdown()
}

// StartNATS starts it again, at the same address.
func (f *Fleet) StartNATS() {
	f.t.Helper()
	f.serve(f.port)
}

func (f *Fleet) serve(port int) {
	f.t.Helper()
	f.srv = must(server.NewServer(&server.Options{ServerName: "protocolqtest", Host: "127.0.0.1", Port: port,
		JetStream: true, StoreDir: f.dir, NoSigs: true, NoLog: true}))(f.t)
	f.srv.Start()
	if !f.srv.ReadyForConnections(10 * time.Second) {
		f.t.Fatal("protocolqtest: the NATS server is not ready after 10 s")
	}
	f.URL, f.port = f.srv.ClientURL(), f.srv.Addr().(*net.TCPAddr).Port
}

func (f *Fleet) provision() {
	f.t.Helper()
	nc := must(nats.Connect(f.URL, nats.InProcessServer(f.srv)))(f.t)
	defer nc.Close()
	js := must(jetstream.New(nc))(f.t)
	o := provision.Options{Names: f.names, AckWait: 2 * time.Second,
		Readers: provision.Readers{Askers: f.o.Askers, Listeners: f.o.Listeners}}
	if _, err := provision.Apply(f.t.Context(), js, o); err != nil {
		f.t.Fatalf("protocolqtest: %v", err)
	}
}

// reconnecting are the options of a connection that outlives its server.
func reconnecting() []nats.Option {
	return []nats.Option{nats.MaxReconnects(-1), nats.ReconnectWait(20 * time.Millisecond),
		nats.ReconnectJitter(time.Millisecond, time.Millisecond)}
}

// must returns value; if there is an err, it ends the test.
func must[T any](value T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatalf("protocolqtest: %v", err)
		}
		return value
	}
}
