// Real servers: one in the test's own process, or three that hold each log together.

package journal_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"protocolq/worker/journal"
	"protocolq/worker/natstest"
	"protocolq/worker/publish"
)

// servers are up to three NATS servers, and a connection to the first.
type servers struct {
	js       jetstream.JetStream
	replicas int
	running  []*server.Server
}

func newServers(t testing.TB, n int) *servers {
	t.Helper()
	all := &servers{replicas: n}
	options := make([]server.Options, n)
	for i := range options {
		options[i] = server.Options{ServerName: fmt.Sprint("s", i), DontListen: true, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true}
	}
	if n > 1 {
		cluster(t, options)
	}
	for i := range options {
		srv, err := server.NewServer(&options[i])
		if err != nil {
			t.Fatal(err)
		}
		srv.Start()
		t.Cleanup(func() { srv.Shutdown(); srv.WaitForShutdown() })
		all.running = append(all.running, srv)
	}
	for _, srv := range all.running {
		if !srv.ReadyForConnections(10 * time.Second) {
			t.Fatal("server not ready")
		}
	}
	nc, err := nats.Connect("", nats.InProcessServer(all.running[0]), nats.MaxReconnects(-1), nats.ReconnectBufSize(-1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	if all.js, err = jetstream.New(nc); err != nil {
		t.Fatal(err)
	}
	return all
}

// cluster makes the servers know each other.
func cluster(t testing.TB, options []server.Options) {
	var routes []*url.URL
	var listeners []net.Listener
	for i := range options {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		listeners = append(listeners, l)
		routes = append(routes, &url.URL{Scheme: "nats-route", Host: l.Addr().String()})
		options[i].DontListen, options[i].Host, options[i].Port = false, "127.0.0.1", -1
		options[i].Cluster = server.ClusterOpts{Name: "test", Host: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port}
	}
	for i, l := range listeners {
		options[i].Routes = routes
		_ = l.Close() // the servers take their places
	}
}

// names are those of a log.
func (c *servers) names(name string) journal.JetStreamOptions {
	token := strings.ReplaceAll(name, " ", "-")
	nc := c.js.Conn()
	return journal.JetStreamOptions{Conn: nc, Publisher: publish.New(nc), Stream: strings.ToUpper(token) + "_JOURNAL", Journal: token + ".journal.", Followed: token + ".followed."}
}

// make makes a log's stream, as soon as the servers have found each other, and waits until it
// answers.
func (c *servers) make(t testing.TB, o journal.JetStreamOptions) jetstream.StreamConfig {
	t.Helper()
	config := o.Config(c.replicas, -1)
	var err error
	for begun := time.Now(); time.Since(begun) < 30*time.Second; <-time.After(50 * time.Millisecond) {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		if _, err = c.js.CreateStream(ctx, config); err == nil {
			_, err = journal.NewJetStream(o).Last(ctx, "m")
		}
		if err == nil {
			_, err = journal.NewJetStream(o).Next(ctx, 1)
		}
		cancel()
		if err == nil {
			return config
		}
	}
	t.Fatal(err)
	return config
}

func (c *servers) subject(t *testing.T, name string) *subject {
	t.Helper()
	o := c.names(name)
	config := c.make(t, o)
	change := func(config jetstream.StreamConfig) {
		if _, err := c.js.UpdateStream(t.Context(), config); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { _ = c.js.DeleteStream(context.Background(), o.Stream) })
	return &subject{t: t, log: journal.NewJetStream(o), within: 20 * time.Second,
		room: func(bytes int) {
			bounded := config
			if bounded.MaxBytes = int64(bytes); bytes == 0 {
				bounded.MaxBytes = -1
			}
			change(bounded)
		},
		remake: func() {
			if err := c.js.DeleteStream(t.Context(), o.Stream); err != nil {
				t.Fatal(err)
			}
			c.make(t, o)
		}}
}

func TestConfig(t *testing.T) {
	c := newServers(t, 1)
	o := c.names("config")
	s, err := c.js.CreateStream(t.Context(), o.Config(1, 1<<20))
	if err != nil {
		t.Fatal(err)
	}
	got := s.CachedInfo().Config
	if got.Retention != jetstream.LimitsPolicy || got.Discard != jetstream.DiscardNew || got.MaxAge != 0 || !got.AllowDirect || got.Storage != jetstream.FileStorage ||
		got.MaxBytes != 1<<20 || got.MaxMsgs != -1 || got.RePublish == nil || got.RePublish.Destination != "config.followed.{{wildcard(1)}}" || got.RePublish.HeadersOnly {
		t.Errorf("%+v", got)
	}
}

// What will never pass is told from what may: a batch that is too long for the stream, and one too
// long for the connection.
func TestPermanentRefusals(t *testing.T) {
	c := newServers(t, 1)
	o := c.names("permanent")
	config := c.make(t, o)
	log := journal.NewJetStream(o)
	if n, err := log.Limit(t.Context()); err != nil || n != journal.MaxBatch {
		t.Errorf("limit %d, %v", n, err)
	}
	const size = journal.LeastMessage
	bound := func(size int32) {
		t.Helper()
		config.MaxMsgSize = size
		if _, err := c.js.UpdateStream(t.Context(), config); err != nil {
			t.Fatal(err)
		}
	}
	bound(size - 1)
	if n, err := log.Limit(t.Context()); !errors.Is(err, journal.ErrSmall) || !strings.Contains(err.Error(), "of 131071 bytes, and 131072 are the least: raise max_msg_size of ") {
		t.Errorf("limit %d, %v", n, err)
	}
	bound(size)
	n, err := log.Limit(t.Context())
	if err != nil || n >= size || n < size-1000 {
		t.Errorf("limit %d, %v", n, err)
	}
	if _, err := log.Append(t.Context(), journal.Append{Member: "m", Data: make([]byte, n)}); err != nil {
		t.Errorf("a batch of the limit: %v", err)
	}
	for _, size := range []int{size + 1, 2 << 20} {
		_, err := log.Append(t.Context(), journal.Append{Member: "n", Data: make([]byte, size)})
		if !errors.Is(err, journal.ErrPermanent) || errors.Is(err, journal.ErrFull) || errors.Is(err, journal.ErrRefused) {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
	w, err := journal.NewWriter(journal.WriterOptions{Log: log, Member: "w"})
	if err != nil {
		t.Fatal(err)
	}
	var done []error
	if err := w.Append(&journal.Told{Tokens: slices.Repeat([]string{"a token of an ask"}, 8000)}, func(_ journal.Ref, err error) { done = append(done, err) }); err != nil {
		t.Fatal(err)
	}
	if err := w.Run(t.Context()); !errors.Is(err, journal.ErrPermanent) || len(done) != 1 || !errors.Is(done[0], journal.ErrPermanent) {
		t.Errorf("a writer with another limit than the stream's ends with %v, its entry with %v", err, done)
	}
}

// What the server forbids ends a writer, which says what.
func TestForbidden(t *testing.T) {
	deny := &server.Permissions{Publish: &server.SubjectPermission{Deny: []string{"forbidden.journal.*"}}}
	srv := natstest.Serve(t, server.Options{JetStream: true, Users: []*server.User{{Username: "u", Password: "p", Permissions: deny}}})
	nc := natstest.Connect(t, srv, nats.UserInfo("u", "p"), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	c := &servers{js: js, replicas: 1}
	o := c.names("forbidden")
	c.make(t, o)
	w, err := journal.NewWriter(journal.WriterOptions{Log: journal.NewJetStream(o), Member: "m"})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Beat(nil); err != nil {
		t.Fatal(err)
	}
	if err := w.Run(t.Context()); !errors.Is(err, journal.ErrPermanent) || !strings.Contains(err.Error(), "forbidden.journal.m") {
		t.Errorf("ends with %v", err)
	}
}

// An answer of which a message is lost on its way ends before it: what is missing must not look as
// if it were not in the log.
func TestAnswerWithALostMessage(t *testing.T) {
	c := newServers(t, 1)
	nc := c.js.Conn()
	o := c.names("lossy")
	var lost atomic.Int64
	if _, err := nc.Subscribe("$JS.API.DIRECT.GET."+o.Stream, func(m *nats.Msg) {
		for i := 1; i <= 4; i++ {
			if i == int(lost.Load()) {
				continue
			}
			_ = nc.PublishMsg(&nats.Msg{Subject: m.Reply, Data: []byte("x"), Header: nats.Header{"Nats-Sequence": {fmt.Sprint(10 + i)}, "Nats-Subject": {o.Journal + "m"},
				"Nats-Time-Stamp": {"2026-01-02T03:04:05.6Z"}, "Nats-Last-Sequence": {fmt.Sprint(map[bool]int{true: 9 + i}[i > 1])}}})
		}
		if lost.Load() < 5 {
			_ = nc.PublishMsg(&nats.Msg{Subject: m.Reply, Header: nats.Header{"Status": {"204"}}})
		}
	}); err != nil {
		t.Fatal(err)
	}
	for want := range 6 { // messages that are taken
		lost.Store(int64(want))
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		got, err := journal.NewJetStream(o).Next(ctx, 11)
		cancel()
		switch {
		case want == 0 && (err != nil || len(got) != 4), want == 5 && (!errors.Is(err, context.DeadlineExceeded) || len(got) != 4):
			t.Errorf("nothing lost, or the end: %d messages, %v", len(got), err)
		case want == 4 && len(got) != 3, 0 < want && want < 4 && (err == nil || len(got) != want-1):
			t.Errorf("message %d lost: %d messages, %v", want, len(got), err)
		}
	}
}

// Each worker reads on twice a second, even without asks: that must use almost no memory. A
// synchronous subscription would use half a megabyte each time.
func TestReadingOnTakesLittleMemory(t *testing.T) {
	c := newServers(t, 1)
	o := c.names("little")
	c.make(t, o)
	log := journal.NewJetStream(o)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	const reads = 40
	for range reads {
		if _, err := log.Next(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
	}
	runtime.ReadMemStats(&after)
	if each := (after.TotalAlloc - before.TotalAlloc) / reads; each > 100<<10 { // of which 8 KiB are the room for an answer
		t.Errorf("each took %d bytes", each)
	} else {
		t.Logf("each took %d bytes", each)
	}
}
