// The gateway says when to come back: no call comes before, by any door, worker or refresh.

package worker_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"protocolq/gateway"
	"protocolq/gateway/mapi"
	"protocolq/gateway/simulator"
	"protocolq/messages"
	"protocolq/worker"
)

// gap is the time from the end of the call before the last to the beginning of the last.
func (f *fleet) gap() time.Duration {
	f.t.Helper()
	calls := f.gateway.Calls()
	if len(calls) < 2 {
		f.t.Fatalf("%d calls", len(calls))
	}
	last := calls[len(calls)-2:]
	return time.Duration(last[1].Started-last[0].Ended) * time.Microsecond
}

// The run itself waits for a short time, and its key is held.
func TestRetryAfterIsWaitedFor(t *testing.T) {
	t.Parallel()
	f := newFleet(t, simulator.Options{})
	f.start()
	for i, part := range []string{"fault-429-after-1s-1", "fault-503-after-1s-1", "fault-429-date-1s-1", "fault-503-date-1s-1"} {
		r := f.ask(messages.Query{UserEmail: email(part, 1)})
		if r.Outcome != messages.Signed || r.Attempts != 2 {
			t.Errorf("%s: %+v", part, r)
		}
		f.wantCalls(2 * (i + 1))
		if gap := f.gap(); gap < time.Second || gap > 5*time.Second {
			t.Errorf("%s: asked again after %v, want no sooner than after 1 s", part, gap)
		}
	}
}

// A long time holds no slot: the run ends, the key rests for that time, and no other worker, no
// refresh and no other door asks before.
func TestRetryAfterIsACoolDown(t *testing.T) {
	t.Parallel()
	f := newFleet(t, simulator.Options{})
	one, other := f.start(cooldown(time.Second)), f.start(cooldown(time.Second))
	q := messages.Query{UserEmail: "fault-503-after-50s@example.com"}
	for i := range 8 {
		r := f.ask(q)
		if r.Outcome != messages.Unknown || r.Code != "GATEWAY_HTTP_503" || !r.Retryable || r.Attempts != 1 || r.RetryAfterMs < 40_000 || r.RetryAfterMs > 50_100 {
			t.Fatalf("ask %d: %+v", i, r)
		}
		if i == 4 {
			q.MaxAgeMs = new(int64)
			<-time.After(2200 * time.Millisecond) // longer than the cool-down and than min-age
		}
	}
	if n := one.Stats().InFlight + other.Stats().InFlight; n != 0 {
		t.Errorf("%d slots are held", n)
	}
	f.wantCalls(1)
}

// A submitted query waits in the journal and is asked again when the time has come, not before.
func TestSubmittedQueryWaitsOutRetryAfter(t *testing.T) {
	t.Parallel()
	f := newFleet(t, simulator.Options{})
	f.start(cooldown(time.Second))
	f.start(cooldown(time.Second))
	c := f.replies()
	for i, part := range []string{"fault-503-date-5s-1", "fault-503-after-11s-1"} { // in its run, and in the cool-down
		f.submit(messages.Query{ID: "patient", UserEmail: part + "@example.com"})
		if i == 1 {
			within(t, "the query waits", func() bool { return f.waiting() == 1 })
		}
		if r := f.reply(c); r.Outcome != messages.Signed || r.ID != "patient" {
			t.Errorf("%s: %+v", part, r)
		}
		f.wantCalls(2 * (i + 1))
		least := time.Duration(5+6*i) * time.Second
		if gap := f.gap(); gap < least || gap > least+10*time.Second {
			t.Errorf("%s: asked again after %v, want no sooner than after %v", part, gap, least)
		}
	}
}

// While a refresh is refused, an asker that accepts its age gets the remembered answer.
func TestRefreshObeysRetryAfter(t *testing.T) {
	t.Parallel()
	const minAge = 100 * time.Millisecond
	f := newFleet(t, simulator.Options{})
	calls := make(chan string, 100)
	f.start(func(o *worker.Options) {
		o.MinAge = minAge
		o.Gateway = asker(func(context.Context, gateway.Query, func() error) (gateway.Answer, gateway.Report, error) {
			calls <- "call"
			if len(calls) > 1 {
				return gateway.Answer{}, gateway.Report{At: time.Now()}, &gateway.Error{Code: "GATEWAY_HTTP_503", Class: mapi.Temp, RetryAfter: 40 * time.Second}
			}
			return gateway.Answer{Status: gateway.NotSigned, IsSuccess: "T"}, gateway.Report{At: time.Now()}, nil
		})
	})
	q := messages.Query{UserEmail: "not-signed@example.com"}
	fresh := q
	fresh.MaxAgeMs = new(int64)
	first := f.ask(q)
	<-time.After(minAge + 50*time.Millisecond)
	for range 3 {
		if r := f.ask(fresh); r.Outcome != messages.Unknown || r.RetryAfterMs < 30_000 || r.RetryAfterMs > 40_100 {
			t.Errorf("the refresh was told %+v", r)
		}
		if r := f.ask(q); r.Outcome != messages.NotSigned || r.Run != first.Run || r.Source != messages.Remembered {
			t.Errorf("who accepts any age was told %+v", r)
		}
	}
	if len(calls) != 2 {
		t.Errorf("%d calls, want 2", len(calls))
	}
}

// 429 concerns the partner: a query about another account waits until the time is over.
func TestTooManyHoldsOtherKeys(t *testing.T) {
	t.Parallel()
	f := newFleet(t, simulator.Options{})
	log := &lines{}
	f.start(func(o *worker.Options) { o.Logger = slog.New(slog.NewTextHandler(log, nil)) })
	first := make(chan messages.Result, 1)
	go func() {
		r, _ := f.try(messages.Query{UserEmail: "fault-429-after-2s-1@example.com"})
		first <- r
	}()
	within(t, "the worker leaves the partner alone", func() bool { return strings.Contains(log.String(), "partner left alone") })
	if r := f.ask(messages.Query{Partner: partner2, UserEmail: "signed@example.com"}); r.Outcome != messages.Signed {
		t.Errorf("of another partner: %+v", r)
	}
	if r := f.ask(messages.Query{UserEmail: "signed@example.com"}); r.Outcome != messages.Signed {
		t.Errorf("of another account: %+v", r)
	}
	if r := <-first; r.Outcome != messages.Signed || r.Attempts != 2 {
		t.Errorf("the first: %+v", r)
	}
	calls := f.gateway.Calls()
	for _, c := range calls[1:] {
		if after := time.Duration(c.Started-calls[0].Ended) * time.Microsecond; c.Partner == partner && after < 2*time.Second {
			t.Errorf("called for the partner after %v", after)
		}
	}
	f.wantCalls(4)
}

// During a long 429, an asker that waits for a reply about another account of the partner is told
// when to come back. A worker that got no 429 calls.
func TestTooManyForLong(t *testing.T) {
	t.Parallel()
	f := newFleet(t, simulator.Options{})
	f.start()
	if r := f.ask(messages.Query{UserEmail: "fault-429-after-60s-1@example.com"}); r.Code != "GATEWAY_HTTP_429" || r.RetryAfterMs < 50_000 || r.RetryAfterMs > 60_100 {
		t.Errorf("the first: %+v", r)
	}
	if r := f.ask(messages.Query{UserEmail: "signed@example.com"}); r.Code != messages.CoolingDown || !r.Retryable || r.RetryAfterMs < 50_000 || r.RetryAfterMs > 60_100 {
		t.Errorf("of another account: %+v", r)
	}
	if r := f.ask(messages.Query{Partner: partner2, UserEmail: "signed@example.com"}); r.Outcome != messages.Signed {
		t.Errorf("of another partner: %+v", r)
	}
	f.wantCalls(2)
}
