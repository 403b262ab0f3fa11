// Reading durable replies: each once, until the program has finished it, across restarts of every
// part.

package ask_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"protocolq/messages"
	"protocolq/messages/ask"
	"protocolq/worker/natstest"
	"protocolq/worker/provision"
)

// kept is a server with the streams of a fleet and the consumers of its readers.
type kept struct {
	t   testing.TB
	srv *server.Server
	nc  *nats.Conn
	js  jetstream.JetStream
}

func keep(t testing.TB) *kept {
	t.Helper()
	return keepOn(t, server.Options{JetStream: true}, time.Second)
}

func keepOn(t testing.TB, o server.Options, ackWait time.Duration) *kept {
	t.Helper()
	k := &kept{t: t}
	k.serve(o)
	names, err := messages.NewNames("protocol")
	if err == nil {
		_, err = provision.Apply(t.Context(), k.js, provision.Options{Names: names, AckWait: ackWait,
			Readers: provision.Readers{Askers: []string{"refunds"}, Listeners: []string{"ledger"}}})
	}
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// serve runs the server.
func (k *kept) serve(o server.Options) {
	k.t.Helper()
	k.srv = natstest.Serve(k.t, o)
	k.nc = natstest.Connect(k.t, k.srv)
	js, err := jetstream.New(k.nc)
	if err != nil {
		k.t.Fatal(err)
	}
	k.js = js
}

// reply stores a reply as a worker does.
func (k *kept) reply(to string, r messages.Result, msgID string) {
	k.t.Helper()
	data, err := r.Encode(messages.MsgPack)
	if err == nil {
		_, err = k.js.PublishMsg(k.t.Context(), &nats.Msg{Subject: to, Data: data, Header: r.ReplyHeader(messages.MsgPack, trace, msgID)})
	}
	if err != nil {
		k.t.Fatal(err)
	}
}

// wantLeft waits until so many replies are unacknowledged.
func (k *kept) wantLeft(n uint64) {
	k.t.Helper()
	eventually(k.t, fmt.Sprintf("%d left", n), func() bool {
		s, err := k.js.Stream(k.t.Context(), "PROTOCOL_REPLIES")
		return err == nil && s.CachedInfo().State.Msgs == n
	})
}

// reader is a program that reads replies.
type reader struct {
	mu    sync.Mutex // guards given
	given []ask.Reply
	stop  func() error
}

func (r *reader) ids() (ids []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, g := range r.given {
		ids = append(ids, g.ID)
	}
	return ids
}

// read reads as refunds until stop. each may be nil.
func read(t *testing.T, c *ask.Client, o ask.ReadOptions, each func(context.Context, ask.Reply) error) *reader {
	t.Helper()
	r := &reader{}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- c.Replies(ctx, o, func(ctx context.Context, g ask.Reply) error {
			r.mu.Lock()
			r.given = append(r.given, g)
			r.mu.Unlock()
			if each == nil {
				return nil
			}
			return each(ctx, g)
		})
	}()
	r.stop = sync.OnceValue(func() error { cancel(); return <-ended })
	t.Cleanup(func() {
		if err := r.stop(); err != nil {
			t.Error(err)
		}
	})
	return r
}

var asRefunds = ask.Options{Asker: "refunds", Pause: quick.Pause, MaxPause: quick.MaxPause}

const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

func answer(id, run string) messages.Result {
	r := signed
	r.ID, r.Run, r.Partner = id, run, partner
	return r
}

func TestRepliesAreGivenOnce(t *testing.T) {
	k := keep(t)
	k.reply("protocol.reply.refunds", answer("1", "run-1"), "a")
	k.reply("protocol.reply.refunds.late", answer("2", "run-1"), "b")
	k.reply("protocol.reply.refunds", answer("1", "run-1"), "c") // for an asker that submitted twice
	k.reply("protocol.reply.others", answer("9", "run-1"), "d")
	refusal := messages.Result{ID: "1", Outcome: messages.Refused, Code: messages.BadRequest}
	k.reply("protocol.reply.refunds", refusal, "e")
	k.reply("protocol.reply.refunds", refusal, "f") // another message without a run
	for _, id := range []string{"g", "h"} {         // unknown, asked twice; the answer of the same run follows
		k.reply("protocol.reply.refunds", messages.Result{ID: "3", Run: "run-1", Outcome: messages.Unknown, Code: messages.DeadlinePassed}, id)
	}
	k.reply("protocol.reply.refunds", answer("3", "run-1"), "i")
	r := read(t, newClient(t, k.nc, asRefunds), ask.ReadOptions{}, nil)
	k.wantLeft(1)
	if ids := r.ids(); !slices.Equal(ids, []string{"1", "2", "1", "1", "3", "3", "3"}) {
		t.Fatalf("given %s", ids)
	}
	first, second, third := r.given[0], r.given[1], r.given[2]
	if first.Outcome != messages.Signed || first.Run != "run-1" || first.Subject != "protocol.reply.refunds" || first.Deliveries != 1 || first.Trace != trace || time.Since(first.Stored).Abs() > time.Minute {
		t.Errorf("%+v", first)
	}
	if second.Subject != "protocol.reply.refunds.late" || third.Code != messages.BadRequest {
		t.Errorf("%+v, %+v", second, third)
	}
}

// A reply that the function has not finished comes again, and blocks no other.
func TestRepliesComeAgain(t *testing.T) {
	k := keepOn(t, server.Options{JetStream: true}, time.Hour)
	for _, id := range []string{"bad", "later", "good"} {
		k.reply("protocol.reply.refunds", answer(id, "run"), id)
	}
	tries := map[string]int{}
	var asked time.Time
	r := read(t, newClient(t, k.nc, asRefunds), ask.ReadOptions{}, func(_ context.Context, g ask.Reply) error {
		tries[g.ID]++
		switch {
		case g.ID == "bad" && (tries["good"] == 0 || tries["bad"] < 3):
			return errors.New("the database is away")
		case g.ID == "later" && tries[g.ID] == 1:
			asked = time.Now()
			return fmt.Errorf("nobody knows: %w", ask.After(300*time.Millisecond))
		case g.ID == "later" && time.Since(asked) < 300*time.Millisecond:
			t.Errorf("again after %v", time.Since(asked))
		}
		return nil
	})
	k.wantLeft(0)
	if err := r.stop(); err != nil {
		t.Error(err)
	}
	if tries["bad"] < 3 || tries["later"] != 2 || tries["good"] != 1 {
		t.Errorf("given %s", r.ids())
	}
	for _, g := range r.given {
		if g.ID == "good" && g.Deliveries != 1 {
			t.Errorf("%+v", g)
		}
	}
}

// A restarted program gets only replies that it had not finished.
func TestRepliesOverARestart(t *testing.T) {
	k := keep(t)
	for i := range 5 {
		k.reply("protocol.reply.refunds", answer(fmt.Sprint(i), "run"), fmt.Sprint(i))
	}
	third := make(chan struct{})
	first := read(t, newClient(t, k.nc, asRefunds), ask.ReadOptions{}, func(ctx context.Context, g ask.Reply) error {
		if g.ID == "2" {
			close(third)
			<-ctx.Done()
			return ctx.Err()
		}
		return nil
	})
	<-third
	if err := first.stop(); err != nil {
		t.Error(err)
	}
	second := read(t, newClient(t, k.nc, asRefunds), ask.ReadOptions{}, nil)
	k.wantLeft(0)
	ids := second.ids()
	slices.Sort(ids)
	if !slices.Equal(first.ids(), []string{"0", "1", "2"}) || !slices.Equal(ids, []string{"2", "3", "4"}) {
		t.Errorf("given %s, then %s", first.ids(), ids)
	}
}

// If an acknowledgement is lost with the connection, the reply is acknowledged again without
// calling the function, by the same Client even in another call of Replies.
func TestLostAcknowledgement(t *testing.T) {
	k := keep(t)
	line := &cord{srv: k.srv}
	nc, err := nats.Connect("", nats.InProcessServer(line), nats.ReconnectBufSize(-1), nats.MaxReconnects(-1), nats.ReconnectWait(10*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	k.reply("protocol.reply.refunds", answer("1", "run"), "1")
	c := newClient(t, nc, asRefunds)
	cut := make(chan struct{})
	first := read(t, c, ask.ReadOptions{}, func(context.Context, ask.Reply) error {
		line.cut()
		close(cut)
		return nil
	})
	<-cut
	line.mend()
	if err := first.stop(); err != nil {
		t.Error(err)
	}
	second := read(t, c, ask.ReadOptions{}, nil)
	k.wantLeft(0)
	if a, b := first.ids(), second.ids(); len(a) != 1 || len(b) != 0 {
		t.Errorf("given %s, then %s", a, b)
	}
}

// A function that takes longer than the server waits keeps its message, and no more are fetched
// than the function gets.
func TestSlowFunction(t *testing.T) {
	k := keep(t)
	const replies, atOnce = 6, 2
	for i := range replies {
		k.reply("protocol.reply.refunds", answer(fmt.Sprint(i), "run"), fmt.Sprint(i))
	}
	var mu sync.Mutex
	var most, now int
	slow := func(context.Context, ask.Reply) error {
		mu.Lock()
		now++
		most = max(most, now)
		mu.Unlock()
		<-time.After(1500 * time.Millisecond) // the consumer waits for a second
		mu.Lock()
		defer mu.Unlock()
		now--
		return nil
	}
	first := read(t, newClient(t, k.nc, asRefunds), ask.ReadOptions{AtOnce: atOnce}, slow)
	eventually(t, "two at once", func() bool { return len(first.ids()) == atOnce })
	second := read(t, newClient(t, natstest.Connect(t, k.srv), asRefunds), ask.ReadOptions{}, slow) // another process
	c, err := k.js.Consumer(t.Context(), "PROTOCOL_REPLIES", "refunds")
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "all read", func() bool {
		i, err := c.Info(t.Context())
		if err != nil || i.NumAckPending > atOnce+1 {
			t.Errorf("%d are taken out, %v", i.NumAckPending, err)
		}
		return i.NumPending == 0 && i.NumAckPending == 0
	})
	all := append(first.ids(), second.ids()...)
	slices.Sort(all)
	if got := strings.Join(all, ""); got != "012345" || most != atOnce+1 {
		t.Errorf("given %s, %d at once", got, most)
	}
}

// An unreadable reply is kept for a program that can read it, and logged.
func TestReplyNotUnderstood(t *testing.T) {
	k := keep(t)
	if _, err := k.js.Publish(t.Context(), "protocol.reply.refunds", []byte(`{"v":2,"outcome":"signed"}`)); err != nil {
		t.Fatal(err)
	}
	k.reply("protocol.reply.refunds", answer("1", "run"), "1")
	var log lockedBuffer
	r := read(t, newClient(t, k.nc, asRefunds), ask.ReadOptions{Logger: slog.New(slog.NewTextHandler(&log, nil))}, nil)
	k.wantLeft(1)
	if err := r.stop(); err != nil || !slices.Equal(r.ids(), []string{"1"}) || !strings.Contains(log.String(), "message not understood") {
		t.Errorf("given %s, %v: %s", r.ids(), err, log.String())
	}
}

// The server is stopped and started again: reading goes on.
func TestRepliesOverARestartOfTheServer(t *testing.T) {
	o := server.Options{JetStream: true, Host: "127.0.0.1", Port: server.RANDOM_PORT, StoreDir: t.TempDir()}
	k := keepOn(t, o, time.Second)
	var log lockedBuffer
	nc, err := nats.Connect(k.srv.ClientURL(), nats.MaxReconnects(-1), nats.ReconnectWait(10*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	r := read(t, newClient(t, nc, asRefunds), ask.ReadOptions{Logger: slog.New(slog.NewTextHandler(&log, nil))}, nil)
	k.reply("protocol.reply.refunds", answer("1", "run"), "1")
	k.wantLeft(0)
	o.Port = k.srv.Addr().(*net.TCPAddr).Port
	k.srv.Shutdown()
	k.srv.WaitForShutdown()
	eventually(t, "the connection is away", func() bool { return !nc.IsConnected() })
	k.serve(o)
	k.reply("protocol.reply.refunds", answer("2", "run"), "2")
	eventually(t, "the next reply", func() bool { return len(r.ids()) == 2 })
	k.wantLeft(0)
	if ids := r.ids(); !slices.Equal(ids, []string{"1", "2"}) {
		t.Errorf("given %s: %s", ids, log.String())
	}
}

func TestRepliesThatCannotBeRead(t *testing.T) {
	k := keep(t)
	none := func(context.Context, ask.Reply) error { return nil }
	c := newClient(t, k.nc, quick)
	if err := c.Replies(t.Context(), ask.ReadOptions{Name: "nobody"}, none); !errors.Is(err, ask.ErrNoConsumer) || !strings.Contains(err.Error(), "provision --asker nobody") {
		t.Errorf("no consumer: %v", err)
	}
	if err := c.Replies(t.Context(), ask.ReadOptions{}, none); err == nil || !strings.Contains(err.Error(), "give that of the asker") {
		t.Errorf("no name: %v", err)
	}
	o := asRefunds
	o.Inbox = "_INBOX_refunds"
	if err := newClient(t, k.nc, o).Replies(t.Context(), ask.ReadOptions{}, none); err == nil || !strings.Contains(err.Error(), `connect with nats.CustomInboxPrefix("_INBOX_refunds")`) {
		t.Errorf("inboxes of the connection: %v", err)
	}
	closed := natstest.Connect(t, k.srv)
	closed.Close()
	if err := newClient(t, closed, asRefunds).Replies(t.Context(), ask.ReadOptions{}, none); !errors.Is(err, nats.ErrConnectionClosed) {
		t.Errorf("closed: %v", err)
	}
}

// lockedBuffer has many writers.
type lockedBuffer struct {
	mu sync.Mutex // guards b
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
