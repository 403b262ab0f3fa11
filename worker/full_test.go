// No room: askers get a reply at once, and work in progress is finished.

package worker_test

import (
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"protocolq/gateway"
	"protocolq/gateway/simulator"
	"protocolq/messages"
	"protocolq/worker"
)

// bound gives a stream room for only n bytes.
func (f *fleet) bound(k messages.Kind, n int64) {
	f.t.Helper()
	f.change(k, func(c *jetstream.StreamConfig) { c.MaxBytes = n })
}

// change changes a stream.
func (f *fleet) change(k messages.Kind, change func(*jetstream.StreamConfig)) {
	f.t.Helper()
	s, err := f.js.Stream(f.t.Context(), f.names.Stream(k))
	if err != nil {
		f.t.Fatal(err)
	}
	c := s.CachedInfo().Config
	change(&c)
	if _, err := f.js.UpdateStream(f.t.Context(), c); err != nil {
		f.t.Fatal(err)
	}
}

// filled makes a stream so full, by its bound.
func (f *fleet) filled(k messages.Kind, percent int64) {
	f.t.Helper()
	f.bound(k, int64(f.stream(k).Bytes)*100/percent)
}

// slow is a gateway that holds every call for one account until it is released, with the lease that
// such calls need.
func slow(who string) (change func(*worker.Options), called, release chan struct{}) {
	called, release = make(chan struct{}), make(chan struct{})
	return func(o *worker.Options) {
		o.Lease, o.CallTime = 60*time.Second, 50*time.Second
		o.Gateway = asker(func(ctx context.Context, q gateway.Query, _ func() error) (gateway.Answer, gateway.Report, error) {
			if q.UserEmail == who {
				close(called)
				select {
				case <-release:
				case <-ctx.Done():
				}
			}
			return gateway.Answer{Status: gateway.Signed, IsSuccess: "T", ChargeAgent: new(true), RefundCharge: new(true)},
				gateway.Report{At: time.Now()}, ctx.Err()
		})
	}, called, release
}

// A journal without room: askers are told so soon, and get answers when there is room.
func TestJournalFull(t *testing.T) {
	t.Parallel()
	f := newFleet(t, simulator.Options{})
	m := f.start()
	remembered := f.ask(messages.Query{UserEmail: "signed@example.com"})
	f.wantRest()
	f.bound(messages.Journal, 1)
	within(t, "the fill is seen", func() bool { return m.Stats().JournalFill >= 0.9 })
	begun := time.Now()
	r := f.ask(messages.Query{ID: "turned-away", UserEmail: "signed+2@example.com"})
	if d := time.Since(begun); r.Outcome != messages.Unknown || r.Code != messages.Overloaded || !r.Retryable || r.RetryAfterMs <= 0 || r.ID != "turned-away" || d > 10*time.Second {
		t.Errorf("after %v: %+v", d, r)
	}
	if r := f.ask(messages.Query{UserEmail: "signed@example.com"}); r.Run != remembered.Run {
		t.Errorf("what is remembered needs no room: %s", refusal(r))
	}
	f.wantCalls(1)
	f.bound(messages.Journal, 1<<20)
	within(t, "answered with room again", func() bool {
		return f.ask(messages.Query{UserEmail: "signed+2@example.com"}).Outcome == messages.Signed
	})
}

// Above 80 % of the journal's room no call begins. The answer of the call in progress is
// journalled.
func TestJournalNearlyFull(t *testing.T) {
	t.Parallel()
	f := newFleet(t, simulator.Options{})
	f.nearlyFull(f.start)
}

// nearlyFull is the body of both tests.
func (f *fleet) nearlyFull(start func(...func(*worker.Options)) *member) {
	f.t.Helper()
	t := f.t.(*testing.T)
	change, called, release := slow("slow@example.com")
	m := start(change)
	wantAll(t, f.wave(400, 400)(), messages.Signed, "") // compared with this, what follows is little
	f.wantRest()
	waits := make(chan messages.Result, 1)
	go func() {
		r, err := f.try(messages.Query{UserEmail: "slow@example.com"})
		if err != nil {
			t.Error(err)
		}
		waits <- r
	}()
	<-called
	f.filled(messages.Journal, 85)
	within(t, "the fill is seen", func() bool { return m.Stats().JournalFill >= 0.8 })
	if r := f.ask(messages.Query{UserEmail: "signed+new@example.com"}); r.Code != messages.Overloaded || r.RetryAfterMs <= 0 || !r.Retryable {
		t.Errorf("a new query: %+v", r)
	}
	close(release)
	if r := <-waits; r.Outcome != messages.Signed {
		t.Errorf("the one under way: %+v", r)
	}
	if r := f.ask(messages.Query{UserEmail: "slow@example.com"}); r.Source != messages.Remembered {
		t.Errorf("the answer that was journalled above the bound: %+v", r)
	}
	f.filled(messages.Journal, 20)
	within(t, "the room is seen", func() bool { return m.Stats().JournalFill < 0.8 })
	if r := f.ask(messages.Query{UserEmail: "signed+new@example.com"}); r.Outcome != messages.Signed {
		t.Errorf("with room again: %+v", r)
	}
}

// A reply for which its stream has no room is published when there is some. An asker that waits for
// an answer gets it as before.
func TestRepliesFull(t *testing.T) {
	t.Parallel()
	f := newFleet(t, simulator.Options{})
	f.start()
	f.bound(messages.Replies, 1)
	c := f.replies()
	f.submit(messages.Query{ID: "no-room", UserEmail: "signed@example.com"})
	within(t, "its call", func() bool { return f.calls() == 1 })
	if r := f.ask(messages.Query{UserEmail: "signed@example.com"}); r.Outcome != messages.Signed {
		t.Errorf("who awaits is told as before: %s", refusal(r))
	}
	if m, err := c.Next(jetstream.FetchMaxWait(100 * time.Millisecond)); err == nil {
		t.Fatalf("a reply without room: %s", m.Data())
	}
	f.bound(messages.Replies, 1<<20)
	if r := f.reply(c); r.ID != "no-room" || r.Outcome != messages.Signed {
		t.Errorf("with room again: %+v", r)
	}
	f.wantRest()
	f.wantCalls(1)
	if n := f.stream(messages.Dead).Msgs; n != 0 {
		t.Errorf("%d dead letters, want none", n)
	}
}

// The events are not read, and their stream is full: the oldest are dropped, and no asker notices.
func TestEventsUnread(t *testing.T) {
	f := newFleet(t, simulator.Options{})
	f.start()
	const room, accounts = 3 << 10, 40
	f.bound(messages.Events, room)
	wantAll(t, f.wave(accounts, accounts)(), messages.Signed, "")
	f.wantOneEach(accounts)
	f.wantRest()
	within(t, "an event of every run", func() bool { return f.stream(messages.Events).LastSeq == accounts })
	if st := f.stream(messages.Events); st.Msgs == 0 || st.Msgs >= accounts || st.Bytes > room {
		t.Errorf("%d events, %d bytes are kept, of %d events and room for %d bytes", st.Msgs, st.Bytes, accounts, room)
	}
}
