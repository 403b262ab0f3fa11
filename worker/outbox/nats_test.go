// An outbox on a real server: the streams' own refusals, and a stream that is deleted and made
// anew.

package outbox_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"protocolq/messages"
	"protocolq/worker/journal"
	"protocolq/worker/natstest"
	"protocolq/worker/outbox"
	"protocolq/worker/publish"
	"protocolq/worker/querylog"
)

// streams is a server with the streams that duties need.
type streams struct {
	t     *testing.T
	js    jetstream.JetStream
	names messages.Names
}

func (s *streams) add(kind messages.Kind, change ...func(*jetstream.StreamConfig)) {
	s.t.Helper()
	c := jetstream.StreamConfig{Name: s.names.Stream(kind), Subjects: s.names.Captures(kind), Storage: jetstream.MemoryStorage}
	for _, f := range change {
		f(&c)
	}
	must(s.js.CreateStream(s.t.Context(), c))(s.t)
}

func (s *streams) messages(kind messages.Kind) uint64 {
	s.t.Helper()
	return must(must(s.js.Stream(s.t.Context(), s.names.Stream(kind)))(s.t).Info(s.t.Context()))(s.t).State.Msgs
}

// within waits until a condition holds.
func within(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	end := time.After(2 * time.Minute)
	for !holds() {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("%s: not within 2 minutes", what)
		}
	}
}

func TestOutboxOnAServer(t *testing.T) {
	nc, js := natstest.JetStream(t)
	s := &streams{t, js, must(messages.NewNames(messages.DefaultPrefix))(t)}
	s.add(messages.Replies, func(c *jetstream.StreamConfig) {
		c.MaxMsgSize, c.MaxMsgsPerSubject, c.DiscardNewPerSubject, c.Discard = 600, 2, true, jetstream.DiscardNew
	})
	s.add(messages.Log)
	s.add(messages.Dead)
	pub := publish.New(nc)
	lines := querylog.NewPublisher(querylog.PublisherOptions{To: pub, Names: s.names, Hasher: must(querylog.NewHasher([]byte(strings.Repeat("k", 32))))(t)})
	box := must(outbox.New(outbox.Options{Names: s.names, Inboxes: outbox.NewConnection(nc), Replies: pub, Streams: pub, Lines: lines, Done: func([]journal.Ref) {}}))(t)
	ctx, stop := context.WithCancel(t.Context())
	var parts sync.WaitGroup
	parts.Go(func() { pub.Run(ctx) })
	parts.Go(func() { _ = lines.Run(ctx) })
	parts.Go(func() { _ = box.Run(ctx) })
	defer func() { stop(); parts.Wait() }()

	awaits := must(nc.SubscribeSync("_INBOX.a.1"))(t)
	large := askOf(t, 3, "protocol.reply.shop", signed(t, "run-4"))
	q := messages.Query{ID: "large", Partner: partner, UserEmail: "zhang.san@example.com", Meta: map[string]string{"x": strings.Repeat("y", 250), "z": strings.Repeat("y", 250)}}
	large.Ask.Ask.Query = must(q.Encode(messages.MsgPack))(t)
	for _, d := range []outbox.Duty{askOf(t, 1, "_INBOX.a.1", signed(t, "run-4")), askOf(t, 2, "protocol.reply.shop", signed(t, "run-4")), large, runOf(t, 4)} {
		if !box.Add(d) {
			t.Fatal("no room")
		}
	}
	if m, err := awaits.NextMsg(10 * time.Second); err != nil || len(m.Data) == 0 {
		t.Fatal(err)
	}
	// There is no stream of events; all others have theirs, and what is too large for the stream of
	// replies is dead.
	within(t, "all but the event", func() bool { return box.Waiting() == 1 })
	if r, l, d := s.messages(messages.Replies), s.messages(messages.Log), s.messages(messages.Dead); r != 1 || l == 0 || d != 1 {
		t.Errorf("%d replies, %d messages with lines, %d dead letters", r, l, d)
	}
	s.add(messages.Events)
	within(t, "the event", func() bool { return box.Waiting() == 0 })
	// An asker that does not read its replies holds up no other.
	for i := range 300 {
		if !box.Add(askOf(t, 100+i, "protocol.reply.lazy", signed(t, "run-4"))) {
			t.Fatal("no room")
		}
	}
	within(t, "a full subject", func() bool { return box.Waiting() == 298 })
	if !box.Add(askOf(t, 1000, "protocol.reply.other", signed(t, "run-4"))) {
		t.Fatal("no room")
	}
	within(t, "another's reply", func() bool { return box.Waiting() == 298 && s.messages(messages.Replies) == 4 })
	if st := box.Stats().Sinks[1]; st.Away {
		t.Errorf("the stream is taken to be away: %+v", st)
	}
	if n := s.messages(messages.Events); n != 1 || box.Stats().Lost != 0 {
		t.Errorf("%d events, %+v", n, box.Stats())
	}
}
