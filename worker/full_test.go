// A full house and full streams: said at once, and what was begun is finished.

package worker_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"protocolq/gateway"
	"protocolq/gateway/simulator"
	"protocolq/messages"
	"protocolq/worker"
)

// bound gives a stream room for n bytes only.
func (f *fleet) bound(k messages.Kind, n int64) {
	f.t.Helper()
	s, err := f.js.Stream(f.t.Context(), f.names.Stream(k))
	if err != nil {
		f.t.Fatal(err)
	}
	c := s.CachedInfo().Config
	c.MaxBytes = n
	if _, err := f.js.UpdateStream(f.t.Context(), c); err != nil {
		f.t.Fatal(err)
	}
}

func TestRequestsFull(t *testing.T) {
	f := newFleet(t, simulator.Options{})
	f.start()
	remembered := f.ask(messages.Query{UserEmail: "signed@example.com"})
	f.wantRest()
	f.bound(messages.Requests, 1)
	begun := time.Now()
	r := f.ask(messages.Query{ID: "turned-away", UserEmail: "signed+2@example.com"})
	if d := time.Since(begun); r.Outcome != messages.Unknown || r.Code != messages.Overloaded || !r.Retryable || r.RetryAfterMs <= 0 || r.ID != "turned-away" || d > 3*time.Second {
		t.Errorf("after %v: %+v", d, r)
	}
	if r := f.ask(messages.Query{UserEmail: "signed@example.com"}); r.Run != remembered.Run {
		t.Errorf("what is remembered needs no room: %s", refusal(r))
	}
	f.wantCalls(1)
	f.bound(messages.Requests, 1<<20)
	if r := f.ask(messages.Query{UserEmail: "signed+2@example.com"}); r.Outcome != messages.Signed {
		t.Errorf("with room again: %s", refusal(r))
	}
}

// Above 80 % of the records' room nothing new is begun; what is running stores its answer.
func TestStateNearlyFull(t *testing.T) {
	t.Parallel()
	f := newFleet(t, simulator.Options{}, func(s *setup) { s.provision.StateBytes = 64 << 10 })
	called, release := make(chan struct{}), make(chan struct{})
	m := f.start(func(o *worker.Options) {
		o.Lease = 30 * time.Second
		o.Gateway = asker(func(ctx context.Context, q gateway.Query, _ func() error) (gateway.Answer, gateway.Report, error) {
			if q.UserEmail == email("signed", 0) {
				close(called)
				select {
				case <-release:
				case <-ctx.Done():
				}
			}
			return gateway.Answer{Status: gateway.Signed, IsSuccess: "T", ChargeAgent: new(true), RefundCharge: new(true)}, gateway.Report{At: time.Now()}, ctx.Err()
		})
	})
	slow := f.wave(1, 1)
	<-called
	for i := range 53 { // of 1 KiB each
		if _, err := f.js.Publish(t.Context(), f.names.State(fmt.Sprint("filler", i)), make([]byte, 1000)); err != nil {
			t.Fatal(err)
		}
	}
	within(t, 20*time.Second, "the fill is seen", func() bool { return m.Stats().StoreFill >= 0.8 })
	if r := f.ask(messages.Query{UserEmail: "signed+new@example.com"}); r.Code != messages.Overloaded || r.RetryAfterMs <= 0 || !r.Retryable {
		t.Errorf("a new query: %+v", r)
	}
	close(release)
	wantAll(t, slow(), messages.Signed, "")
	if r := f.ask(messages.Query{UserEmail: email("signed", 0)}); r.Source != messages.Remembered {
		t.Errorf("the answer that was stored above the bound: %+v", r)
	}
}

// A reply for which the stream has no room becomes a dead letter, and the query is done with.
func TestRepliesFull(t *testing.T) {
	f := newFleet(t, simulator.Options{})
	f.start()
	f.bound(messages.Replies, 1)
	f.submit(messages.Query{ID: "no-room", UserEmail: "signed@example.com"})
	dead, err := f.js.CreateConsumer(t.Context(), f.names.Stream(messages.Dead), jetstream.ConsumerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	m, err := dead.Next(jetstream.FetchMaxWait(5 * time.Second))
	if err != nil {
		t.Fatal(err)
	}
	q, _, err := messages.DecodeQuery(m.Data(), m.Headers().Get(messages.HeaderContentType))
	if m.Subject() != f.names.Dead(messages.DeadReplyFull) || err != nil || q.ID != "no-room" || q.ReplyTo != "protocol.reply.test" {
		t.Errorf("%s %v %v", m.Subject(), m.Headers(), err)
	}
	f.wantRest()
	f.wantCalls(1)
	if r := f.ask(messages.Query{UserEmail: "signed@example.com"}); r.Source != messages.Remembered {
		t.Errorf("who awaits is told as before: %s", refusal(r))
	}
}

// A full house turns away at the front door at once, and takes the rest when there is room.
func TestHouseFull(t *testing.T) {
	t.Parallel()
	f := newFleet(t, simulator.Options{Latency: 1500 * time.Millisecond})
	f.start(func(o *worker.Options) { o.Parked = 5 })
	inside := f.wave(5, 5)
	within(t, 20*time.Second, "the house full", func() bool { return f.gateway.Stats().InFlight == 5 })
	r := f.ask(messages.Query{UserEmail: "signed+outside@example.com"})
	if busy := f.gateway.Stats().InFlight; r.Code != messages.Overloaded || r.RetryAfterMs <= 0 || busy != 5 {
		t.Errorf("with %d calls under way: %s", busy, refusal(r))
	}
	c := f.replies()
	f.submit(messages.Query{UserEmail: "signed+submitted@example.com"})
	wantAll(t, inside(), messages.Signed, "")
	if r := f.reply(c); r.Outcome != messages.Signed {
		t.Errorf("who asked and went was told %s", refusal(r))
	}
}
