// What an asker may say about time: the age of an answer, and how long the asker waits.

package worker_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"protocolq/gateway/simulator"
	"protocolq/messages"
	"protocolq/worker"
)

// A refresh by two workers at once is one call. An asker that accepts the older answer gets it at
// once.
func TestMaxAgeOverTwoWorkers(t *testing.T) {
	t.Parallel()
	const minAge = 500 * time.Millisecond
	f := newFleet(t, simulator.Options{Latency: 200 * time.Millisecond})
	for range 2 {
		f.start(func(o *worker.Options) { o.MinAge = minAge })
	}
	first := f.ask(messages.Query{UserEmail: "signed@example.com"})
	<-time.After(minAge + 50*time.Millisecond)
	type told struct {
		r   messages.Result
		err error
	}
	fresh := make(chan told, 40)
	for range cap(fresh) {
		go func() {
			r, err := f.try(messages.Query{UserEmail: "signed@example.com", MaxAgeMs: new(int64(0))})
			fresh <- told{r, err}
		}()
	}
	within(t, "the refresh under way", func() bool { return f.gateway.Stats().InFlight == 1 })
	if r := f.ask(messages.Query{UserEmail: "signed@example.com"}); r.Run != first.Run || r.Source != messages.Remembered {
		t.Errorf("during the refresh: %+v", r) // an asker that waits for it gets its run
	}
	second := (<-fresh).r
	if second.Run == first.Run || second.Outcome != messages.Signed {
		t.Errorf("the refreshed answer is of run %s, the one before of %s", second.Run, first.Run)
	}
	for range cap(fresh) - 1 {
		if got := <-fresh; got.err != nil || cmp.Diff(second, got.r, sameAnswer) != "" {
			t.Errorf("%v: %+v", got.err, got.r)
		}
	}
	if r := f.ask(messages.Query{UserEmail: "signed@example.com"}); r.Run != second.Run || r.Source != messages.Remembered {
		t.Errorf("after the refresh: %+v", r)
	}
	if r := f.ask(messages.Query{UserEmail: "signed@example.com", MaxAgeMs: new(int64(60_000))}); r.Run != second.Run {
		t.Errorf("young enough, and asked again: %+v", r)
	}
	f.wantCalls(2)
	if r := f.ask(messages.Query{Key: "order-1", UserEmail: "signed@example.com", MaxAgeMs: new(int64(0))}); r.Outcome != messages.Refused || r.Code != messages.BadRequest {
		t.Errorf("max_age_ms with a given key: %s", refusal(r))
	}
	f.wantCalls(2)
}

// No worker calls the gateway for an asker whose time is over, whichever door it used.
func TestDeadlinePassed(t *testing.T) {
	f := newFleet(t, simulator.Options{})
	f.start()
	past := time.Now().Add(-time.Second).UnixMilli()
	if r := f.ask(messages.Query{UserEmail: "signed@example.com", DeadlineMs: past}); r.Outcome != messages.Unknown || r.Code != messages.DeadlinePassed || !r.Retryable {
		t.Errorf("told %s", refusal(r))
	}
	dead, c := f.letters(), f.replies()
	f.submit(messages.Query{UserEmail: "signed+2@example.com", DeadlineMs: past})
	if r := f.reply(c); r.Code != messages.DeadlinePassed {
		t.Errorf("told %s", refusal(r))
	}
	within(t, "a dead letter of the submitted one", func() bool { return dead() == 1 })
	f.wantRest()
	f.wantCalls(0)
}

// One slot, used by a slow call: an ask that waits behind it gets a reply at its deadline, not
// later.
func TestDeadlineBehindASlowCall(t *testing.T) {
	t.Parallel()
	f := newFleet(t, simulator.Options{Latency: 1500 * time.Millisecond})
	f.start(func(o *worker.Options) { o.Slots = 1 })
	slow := f.wave(1, 1)
	within(t, "the slot taken", func() bool { return f.gateway.Stats().InFlight == 1 })
	begun := time.Now()
	r := f.ask(messages.Query{UserEmail: "signed+other@example.com", DeadlineMs: begun.Add(300 * time.Millisecond).UnixMilli()})
	if d, busy := time.Since(begun), f.gateway.Stats().InFlight; r.Code != messages.DeadlinePassed || d < 250*time.Millisecond || busy != 1 {
		t.Errorf("told %s after %v, with %d calls under way", refusal(r), d, busy)
	}
	wantAll(t, slow(), messages.Signed, "")
	f.wantCalls(1)
}
