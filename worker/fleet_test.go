// A whole fleet in the test's own process: a real NATS server with JetStream, the practice gateway,
// workers.

package worker_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"protocolq/gateway"
	"protocolq/gateway/mapi"
	"protocolq/gateway/simulator"
	"protocolq/messages"
	"protocolq/worker"
	"protocolq/worker/provision"
	"protocolq/worker/retry"
)

const (
	partner  = "2088000000000001"
	partner2 = "2088000000000002"
	md5Key   = "0123456789abcdefghijklmnopqrstuv"
)

// fleet is one server, one gateway and the workers that a test adds.
type fleet struct {
	t       testing.TB
	set     setup
	srv     *server.Server
	names   messages.Names
	gateway *simulator.Simulator
	url     string
	nc      *nats.Conn // the asker's connection
	tries   int        // how often an asker asks again without an answer
	js      jetstream.JetStream
	members []*member // all that were started, also those that have ended
}

// setup is what a test may change.
type setup struct {
	server    server.Options
	provision provision.Options
	bare      bool          // nothing is provisioned
	asker     []nats.Option // of the asker's connection, which also provisions
}

func newFleet(t testing.TB, o simulator.Options, change ...func(*setup)) *fleet {
	t.Helper()
	names, err := messages.NewNames(messages.DefaultPrefix)
	if err != nil {
		t.Fatal(err)
	}
	set := setup{server: server.Options{DontListen: true, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true},
		provision: provision.Options{Names: names, AckWait: 2 * time.Second}}
	for _, c := range change {
		c(&set)
	}
	f := &fleet{t: t, set: set, names: names}
	f.serve()
	t.Cleanup(func() { f.srv.Shutdown(); f.srv.WaitForShutdown() })
	f.nc = f.connect("asker", set.asker...)
	if f.js, err = jetstream.New(f.nc); err != nil {
		t.Fatal(err)
	}
	if !set.bare {
		f.provision()
	}
	key := mustKey(t)
	o.Partners = []simulator.Partner{{ID: partner, Key: key}, {ID: partner2, Key: key, Charset: mustCharset(t, "gbk")}}
	if f.gateway, err = simulator.New(o); err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(http.Handler(f.gateway))
	t.Cleanup(web.Close)
	f.url = web.URL + simulator.Path
	return f
}

// serve starts the server.
func (f *fleet) serve() {
	f.t.Helper()
	o := f.set.server
	srv, err := server.NewServer(&o)
	if err != nil {
		f.t.Fatal(err)
	}
	srv.Start()
	if !srv.ReadyForConnections(10 * time.Second) {
		f.t.Fatal("server not ready")
	}
	f.srv = srv
}

func (f *fleet) provision() {
	f.t.Helper()
	r, err := provision.Apply(f.t.Context(), f.js, f.set.provision)
	if err != nil || r.Differs() {
		f.t.Fatalf("provision: %v %+v", err, r)
	}
}

func (f *fleet) connect(name string, more ...nats.Option) *nats.Conn {
	f.t.Helper()
	url, o := "", []nats.Option{nats.Name(name), nats.ReconnectBufSize(-1), nats.MaxReconnects(-1), nats.ReconnectWait(50 * time.Millisecond)}
	if f.set.server.DontListen {
		o = append(o, nats.InProcessServer(f.srv))
	} else {
		url = f.srv.ClientURL()
	}
	nc, err := nats.Connect(url, append(o, more...)...)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(nc.Close)
	return nc
}

func mustKey(t testing.TB) mapi.Key {
	t.Helper()
	key, err := mapi.ParseKey(mapi.MD5, []byte(md5Key))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func mustCharset(t testing.TB, name string) mapi.Charset {
	t.Helper()
	cs, err := mapi.ParseCharset(name)
	if err != nil {
		t.Fatal(err)
	}
	return cs
}

// member is a running worker.
type member struct {
	*worker.Worker
	o     worker.Options
	ready chan struct{}
	stop  func() error // ends it and returns what Run returned
	dies  bool         // Run may return an error
	ended atomic.Bool  // it has
}

// start runs a worker until the test, or its stop func, ends it.
func (f *fleet) start(change ...func(*worker.Options)) *member {
	f.t.Helper()
	m := f.begin(change...)
	within(f.t, "worker ready", m.isReady)
	return m
}

func (m *member) isReady() bool {
	select {
	case <-m.ready:
		return true
	default:
		return false
	}
}

// begin is start without waiting until the worker is ready.
func (f *fleet) begin(change ...func(*worker.Options)) *member {
	f.t.Helper()
	key := mustKey(f.t)
	client, err := gateway.New(gateway.Options{URL: f.url, UnsafeHost: true, Timeout: 3 * time.Second, ReuseAfter: time.Nanosecond,
		Partners: []gateway.Partner{{ID: partner, Key: key}, {ID: partner2, Key: key, Charset: mustCharset(f.t, "gbk")}}})
	if err != nil {
		f.t.Fatal(err)
	}
	m := &member{ready: make(chan struct{})}
	m.o = worker.Options{Gateway: client, Names: f.names,
		Partners: []string{partner, partner2}, DefaultPartner: partner, Lease: 6 * time.Second, CallTime: 3 * time.Second,
		RetryBudget: 1000, Retry: retry.Policy{Initial: 5 * time.Millisecond, Max: 20 * time.Millisecond}, Ready: func() { close(m.ready) }}
	if testing.Verbose() {
		m.o.Logger = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelInfo}))
	}
	for _, c := range change {
		c(&m.o)
	}
	if m.o.NATS == nil {
		m.o.NATS, m.o.Reply = f.connect("worker"), f.connect("replies")
	}
	if m.Worker, err = worker.New(m.o); err != nil {
		f.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { err := m.Run(ctx); m.ended.Store(true); ended <- err }()
	m.stop = sync.OnceValue(func() error { cancel(); defer client.Close(); return <-ended })
	f.members = append(f.members, m)
	f.t.Cleanup(func() {
		if err := m.stop(); err != nil && !m.dies {
			f.t.Errorf("worker: %v", err)
		}
	})
	return m
}

// ask sends q and returns the reply.
func (f *fleet) ask(q messages.Query) messages.Result {
	f.t.Helper()
	r, err := f.try(q)
	if err != nil {
		f.t.Fatal(err)
	}
	return r
}

// again asks, and asks again after OVERLOADED, as ask.Ask does: on a busy machine a worker's log
// may not take a query in time.
func (f *fleet) again(q messages.Query) (r messages.Result, err error) {
	for range 20 {
		if r, err = f.try(q); err != nil || r.Code != messages.Overloaded {
			break
		}
		<-time.After(time.Duration(r.RetryAfterMs) * time.Millisecond)
	}
	return r, err
}

func (f *fleet) try(q messages.Query) (messages.Result, error) {
	body, err := q.Encode(messages.MsgPack)
	if err != nil {
		return messages.Result{}, err
	}
	m, err := f.nc.Request(f.names.Query(), body, time.Minute/time.Duration(1+f.tries))
	for try := 0; err != nil && try < f.tries; try++ { // a query may be lost while the server is away: asked again
		m, err = f.nc.Request(f.names.Query(), body, time.Minute/time.Duration(1+f.tries))
	}
	if err != nil {
		return messages.Result{}, fmt.Errorf("ask %s: %w", q.UserEmail, err)
	}
	r, _, err := messages.DecodeResult(m.Data, m.Header.Get(messages.HeaderContentType))
	return r, err
}

// calls counts the calls that the gateway saw.
func (f *fleet) calls() int { return len(f.gateway.Calls()) }

func (f *fleet) wantCalls(n int) {
	f.t.Helper()
	if got := f.calls(); got != n {
		f.t.Errorf("the gateway saw %d calls, want %d: %+v", got, n, f.gateway.Calls())
	}
}

// within waits until ok is true. This is real time, like the server's. A machine may be as busy as
// it likes; what never comes still fails.
func within(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(5 * time.Minute); !ok(); {
		if time.Now().After(end) {
			t.Fatalf("not within 5 minutes: %s", what)
		}
		<-time.After(5 * time.Millisecond)
	}
}

// email makes an account that plays the given part, and that no other call of a test uses.
func email(part string, n any) string { return fmt.Sprintf("%s+%v@example.com", part, n) }

func refusal(r messages.Result) string {
	return strings.TrimSpace(string(r.Outcome) + " " + r.Code + " " + r.Message)
}
