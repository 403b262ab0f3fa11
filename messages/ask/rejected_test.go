// Messages that no function finishes: they block nothing, and are not lost silently.

package ask_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"protocolq/messages"
	"protocolq/messages/ask"
)

// unreadable stores a reply that cannot be decoded.
func (k *kept) unreadable() {
	k.t.Helper()
	if _, err := k.js.Publish(k.t.Context(), "protocol.reply.refunds", []byte(`{"v":2,"outcome":"signed"}`)); err != nil {
		k.t.Fatal(err)
	}
}

// givesOut bounds the unacknowledged messages of refunds.
func (k *kept) givesOut(n int) {
	k.t.Helper()
	c, err := k.js.Consumer(k.t.Context(), "PROTOCOL_REPLIES", "refunds")
	if err != nil {
		k.t.Fatal(err)
	}
	config := c.CachedInfo().Config
	config.MaxAckPending = n
	if _, err := k.js.UpdateConsumer(k.t.Context(), "PROTOCOL_REPLIES", config); err != nil {
		k.t.Fatal(err)
	}
}

// rejects keeps what a reader rejects.
type rejects struct {
	mu  sync.Mutex // guards all
	all []ask.Rejected
}

func (r *rejects) take(_ context.Context, m ask.Rejected) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, m)
	return nil
}

// As many messages as a consumer may deliver cannot be decoded or cause an error each time: those
// after them still come.
func TestConsumerFullOfBadReplies(t *testing.T) {
	k := keepOn(t, server.Options{JetStream: true}, time.Hour)
	const each, tries = 10, 2
	k.givesOut(2 * each)
	for i := range each {
		k.unreadable()
		k.reply("protocol.reply.refunds", answer(fmt.Sprint("bad", i), "run"), fmt.Sprint(i))
	}
	k.reply("protocol.reply.refunds", answer("good", "run"), "good")
	broken := errors.New("there is no such booking")
	var rejected rejects
	r := read(t, newClient(t, k.nc, asRefunds), ask.ReadOptions{AtOnce: 8, Tries: tries, Rejected: rejected.take},
		func(_ context.Context, g ask.Reply) error {
			if g.ID == "good" {
				return nil
			}
			return broken
		})
	k.wantLeft(0)
	if err := r.stop(); err != nil {
		t.Error(err)
	}
	times := map[string]int{}
	for _, id := range r.ids() {
		times[id]++
	}
	for id, n := range times {
		if want := map[bool]int{true: 1, false: tries}[id == "good"]; n != want {
			t.Errorf("%s was given %d times", id, n)
		}
	}
	malformed, failed := 0, 0
	for _, m := range rejected.all {
		switch {
		case errors.Is(m.Err, ask.ErrMalformed) && m.Deliveries == 1 && string(m.Data) == `{"v":2,"outcome":"signed"}`:
			malformed++
		case errors.Is(m.Err, broken) && m.Deliveries == tries && m.Header.Get(messages.Traceparent) == trace:
			failed++
		default:
			t.Errorf("%+v", m)
		}
	}
	if len(times) != each+1 || malformed != each || failed != each {
		t.Errorf("%d given, %d malformed, %d failed", len(times), malformed, failed)
	}
}

// A message that Rejected has not accepted comes again. A message that the function postpones, for
// no fault of the message, is never rejected.
func TestRejectedComesAgain(t *testing.T) {
	k := keepOn(t, server.Options{JetStream: true}, time.Hour)
	k.unreadable()
	k.reply("protocol.reply.refunds", answer("away", "run"), "1")
	refused, away := 0, 0
	r := read(t, newClient(t, k.nc, asRefunds), ask.ReadOptions{Tries: 1, Rejected: func(_ context.Context, m ask.Rejected) error {
		if !errors.Is(m.Err, ask.ErrMalformed) || m.Sequence != 1 || m.Subject != "protocol.reply.refunds" {
			t.Errorf("rejected %+v", m)
		}
		if refused++; refused < 3 {
			return errors.New("no room for it")
		}
		return nil
	}}, func(context.Context, ask.Reply) error {
		if away++; away < 5 {
			return fmt.Errorf("the database is away: %w", ask.After(time.Millisecond))
		}
		return nil
	})
	k.wantLeft(0)
	if err := r.stop(); err != nil || refused != 3 || away != 5 {
		t.Errorf("%d times rejected, %d given, %v", refused, away, err)
	}
}

// Without Rejected they stay, and a consumer that is full of them says so.
func TestFullConsumerSaysSo(t *testing.T) {
	k := keepOn(t, server.Options{JetStream: true}, time.Hour)
	k.givesOut(1)
	k.unreadable()
	k.reply("protocol.reply.refunds", answer("good", "run"), "1")
	var log lockedBuffer
	r := read(t, newClient(t, k.nc, asRefunds), ask.ReadOptions{Logger: slog.New(slog.NewTextHandler(&log, nil))}, nil)
	eventually(t, "the log says so", func() bool { return strings.Contains(log.String(), "consumer is full") })
	if err := r.stop(); err != nil || len(r.ids()) != 0 {
		t.Errorf("given %s, %v", r.ids(), err)
	}
	k.wantLeft(2)
	want := []string{"level=ERROR", "stream=PROTOCOL_REPLIES", "consumer=refunds", "given_out=1", "waiting=1"}
	for line := range strings.Lines(log.String()) {
		if strings.Contains(line, "consumer is full") && slices.ContainsFunc(want, func(s string) bool { return !strings.Contains(line, s) }) {
			t.Error(line)
		}
	}
}
