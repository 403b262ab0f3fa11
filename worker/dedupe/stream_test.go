// The store on a real server, in the test's own process.

package dedupe_test

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"protocolq/messages"
	"protocolq/worker/dedupe"
	"protocolq/worker/provision"
	"protocolq/worker/publish"
	"protocolq/worker/record"
)

// newStream makes a store on a server of its own, with so much room; 0: the default.
func newStream(t *testing.T, prefix string, room int64) *dedupe.Stream {
	t.Helper()
	nc := newJetStream(t, prefix, room).Conn()
	return streamOf(nc, prefix)
}

func streamOf(nc *nats.Conn, prefix string) *dedupe.Stream {
	return dedupe.NewStream(record.NewStream(record.Options{NATS: nc, To: publish.New(nc), Name: strings.ToUpper(prefix) + "_STATE",
		Subject: prefix + ".state.", Changed: prefix + ".changed."}))
}

func newJetStream(t *testing.T, prefix string, room int64) jetstream.JetStream {
	t.Helper()
	srv, err := server.NewServer(&server.Options{DontListen: true, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	srv.Start()
	t.Cleanup(func() { srv.Shutdown(); srv.WaitForShutdown() })
	if !srv.ReadyForConnections(10 * time.Second) {
		t.Fatal("server not ready")
	}
	nc, err := nats.Connect("", nats.InProcessServer(srv))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	names, err := messages.NewNames(prefix)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := provision.Apply(t.Context(), js, provision.Options{Names: names, StateBytes: room}); err != nil {
		t.Fatal(err)
	}
	return js
}

func watchStream(t *testing.T, s *dedupe.Stream, g *dedupe.Group[string]) {
	t.Helper()
	stop, err := dedupe.Watch(s, g, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
}

// What is no record is an error, never an absent key: that would be claimed.
func TestDamagedRecord(t *testing.T) {
	js := newJetStream(t, "damaged", 0)
	s := streamOf(js.Conn(), "damaged")
	for name, body := range map[string]string{"empty": "", "garbage": "garbage", "phase": "\x81\xa5phase\xa4gone", "large": strings.Repeat("x", 65<<10)} {
		if _, err := js.Publish(t.Context(), "damaged.state."+name, []byte(body)); err != nil {
			t.Fatal(err)
		}
		if e, err := s.Get(t.Context(), name); err == nil {
			t.Errorf("%s: read as %+v", name, e)
		}
	}
}

// A whole group on the real store: claimed, done, remembered, by two processes.
func TestGroupsOnStream(t *testing.T) {
	s := newStream(t, "groups", 0)
	var mu sync.Mutex
	runs := 0
	work := dedupe.Work[string]{GaveUp: gaveUp, Run: func(ctx context.Context, _ *dedupe.Lease, _ string) (dedupe.Outcome, error) {
		mu.Lock()
		runs++
		mu.Unlock()
		return dedupe.Outcome{Answer: []byte("answer"), Keep: time.Minute}, wait(ctx, 50*time.Millisecond)
	}}
	told := make(chan dedupe.Verdict, 200)
	for _, owner := range []string{"a", "b"} {
		g, err := dedupe.New(dedupe.Options{Store: s, Owner: owner, NewRun: func() string { return owner }}, work)
		if err != nil {
			t.Fatal(err)
		}
		watchStream(t, s, g)
		defer func() {
			if err := g.Close(context.Background()); err != nil {
				t.Error(err)
			}
		}()
		for range 100 {
			g.Join("k", &dedupe.Ask[string]{Question: []byte("q"), Stored: time.Now(), MaxAge: -1, Until: time.Now().Add(time.Minute),
				Tell: func(v dedupe.Verdict) { told <- v }})
		}
	}
	for range 200 {
		select {
		case v := <-told:
			if string(v.Answer) != "answer" {
				t.Fatalf("told %+v", v)
			}
		case <-time.After(5 * time.Second):
			t.Fatal("not all were told within 5 s")
		}
	}
	if mu.Lock(); runs != 1 {
		t.Errorf("%d runs, want 1", runs)
	}
	mu.Unlock()
}
