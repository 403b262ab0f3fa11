// A whole fleet in the test's own process: a real NATS server with JetStream, the practice gateway, workers.

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
	t       *testing.T
	srv     *server.Server
	names   messages.Names
	gateway *simulator.Simulator
	url     string
	nc      *nats.Conn // the asker's connection
	js      jetstream.JetStream
}

func newFleet(t *testing.T, o simulator.Options) *fleet {
	t.Helper()
	names, err := messages.NewNames(messages.DefaultPrefix)
	if err != nil {
		t.Fatal(err)
	}
	srv, err := server.NewServer(&server.Options{DontListen: true, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	srv.Start()
	t.Cleanup(func() { srv.Shutdown(); srv.WaitForShutdown() })
	if !srv.ReadyForConnections(10 * time.Second) {
		t.Fatal("server not ready")
	}
	f := &fleet{t: t, srv: srv, names: names}
	f.nc = f.connect("asker")
	if f.js, err = jetstream.New(f.nc); err != nil {
		t.Fatal(err)
	}
	r, err := provision.Apply(t.Context(), f.js, provision.Options{Names: names, AckWait: 2 * time.Second})
	if err != nil || r.Differs() {
		t.Fatalf("provision: %v %+v", err, r)
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

func (f *fleet) connect(name string) *nats.Conn {
	f.t.Helper()
	nc, err := nats.Connect("", nats.InProcessServer(f.srv), nats.Name(name), nats.ReconnectBufSize(-1))
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(nc.Close)
	return nc
}

func mustKey(t *testing.T) mapi.Key {
	t.Helper()
	key, err := mapi.ParseKey(mapi.MD5, []byte(md5Key))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func mustCharset(t *testing.T, name string) mapi.Charset {
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
	stop func() error // ends it and returns what Run returned
}

// start runs a worker until the test, or its stop, ends it.
func (f *fleet) start(change ...func(*worker.Options)) *member {
	f.t.Helper()
	key := mustKey(f.t)
	client, err := gateway.New(gateway.Options{URL: f.url, UnsafeHost: true, Timeout: 2 * time.Second,
		Partners: []gateway.Partner{{ID: partner, Key: key}, {ID: partner2, Key: key, Charset: mustCharset(f.t, "gbk")}}})
	if err != nil {
		f.t.Fatal(err)
	}
	ready := make(chan struct{})
	o := worker.Options{NATS: f.connect("worker"), Reply: f.connect("replies"), Gateway: client, Names: f.names,
		Partners: []string{partner, partner2}, DefaultPartner: partner, Lease: 4 * time.Second,
		Retry: retry.Policy{Initial: 5 * time.Millisecond, Max: 20 * time.Millisecond}, Ready: func() { close(ready) }}
	if testing.Verbose() {
		o.Logger = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelInfo}))
	}
	for _, c := range change {
		c(&o)
	}
	w, err := worker.New(o)
	if err != nil {
		f.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	select {
	case <-ready:
	case err := <-ended:
		f.t.Fatalf("worker ended before it was ready: %v", err)
	}
	stop := sync.OnceValue(func() error { cancel(); defer client.Close(); return <-ended })
	f.t.Cleanup(func() {
		if err := stop(); err != nil {
			f.t.Errorf("worker: %v", err)
		}
	})
	return &member{Worker: w, stop: stop}
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

func (f *fleet) try(q messages.Query) (messages.Result, error) {
	body, err := q.Encode(messages.MsgPack)
	if err != nil {
		return messages.Result{}, err
	}
	m, err := f.nc.Request(f.names.Query(), body, 20*time.Second)
	if err != nil {
		return messages.Result{}, fmt.Errorf("ask %s: %w", q.UserEmail, err)
	}
	r, _, err := messages.DecodeResult(m.Data, m.Header.Get(messages.HeaderContentType))
	return r, err
}

// calls counts what the gateway saw.
func (f *fleet) calls() int { return len(f.gateway.Calls()) }

func (f *fleet) wantCalls(n int) {
	f.t.Helper()
	if got := f.calls(); got != n {
		f.t.Errorf("the gateway saw %d calls, want %d: %+v", got, n, f.gateway.Calls())
	}
}

// within waits until ok is true; this is real time, as the server's is.
func within(t *testing.T, d time.Duration, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(d); !ok(); {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", d, what)
		}
		<-time.After(5 * time.Millisecond)
	}
}

// email makes an account of the given part that no other test call uses.
func email(part string, n any) string { return fmt.Sprintf("%s+%v@example.com", part, n) }

func refusal(r messages.Result) string {
	return strings.TrimSpace(string(r.Outcome) + " " + r.Code + " " + r.Message)
}
