// Clocks that jump, of a machine or of the store: no lease moves, no key is taken from a holder who lives, no lease outlasts itself.

package dedupe_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"protocolq/worker/dedupe"
)

// jumps are how far a clock is set forward, or back.
var jumps = []time.Duration{time.Hour, -time.Hour, 24 * time.Hour, -24 * time.Hour, 3 * time.Second, -3 * time.Second}

// forLong is an asker whose own patience no jump ends.
func forLong(a *dedupe.Ask[string]) { a.Until = a.Stored.Add(1000 * time.Hour) }

// jumpy is a fleet of two on a store whose clock can be set forward by jump; the workers go by it, as they do by the server's.
func jumpy(t *testing.T, body func(f *fleet, set func(jump time.Duration))) {
	t.Helper()
	var store atomic.Pointer[fakeStore]
	now := func() time.Time {
		if s := store.Load(); s != nil {
			return time.Now().Add(time.Duration(s.ahead.Load()))
		}
		return time.Now()
	}
	bubble(t, 2, dedupe.Options{Clock: now}, func(f *fleet) {
		store.Store(f.store)
		body(f, func(jump time.Duration) { f.store.ahead.Store(int64(jump)) })
	})
}

// answered is want without the source: by a clock that went back an answer seems to be older than who waited for it.
func (f *fleet) answered(got *told, answer string, after time.Duration) {
	f.t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	if got.count != 1 || got.Kind != dedupe.Answered || string(got.Answer) != answer || got.after != after {
		f.t.Errorf("told %d times: kind %d %q after %v; want once: %q after %v", got.count, got.Kind, got.Answer, got.after, answer, after)
	}
}

// A holder that fell silent is followed after a lease and the grace, whatever the store's clock says meanwhile.
func TestTakeoverComesNoSoonerByAClockThatJumps(t *testing.T) {
	for _, jump := range jumps {
		for _, at := range []time.Duration{0, 5 * time.Second, 12500 * time.Millisecond} { // before the ask, during the lease, during the grace
			t.Run(fmt.Sprintf("%v after %v", jump, at), func(t *testing.T) {
				jumpy(t, func(f *fleet, set func(time.Duration)) {
					f.ghost("k", 0)
					got := f.ask(0, "k", forLong)
					settle(at)
					set(jump)
					settle(20*time.Second - at)
					f.want(got, dedupe.Answered, "answer 1", dedupe.Asked, 15*time.Second)
				})
			})
		}
	}
}

// A holder who renews his lease keeps the key, and is asked for nothing twice.
func TestAHolderKeepsHisKeyThroughAClockThatJumps(t *testing.T) {
	for _, jump := range jumps {
		t.Run(jump.String(), func(t *testing.T) {
			jumpy(t, func(f *fleet, set func(time.Duration)) {
				f.work = func(ctx context.Context, l *dedupe.Lease, n int) (dedupe.Outcome, error) {
					for attempt := 2; attempt <= 4; attempt++ {
						if err := errors.Join(wait(ctx, 9*time.Second), l.Check(), l.Renew(ctx, attempt, nil)); err != nil {
							return dedupe.Outcome{}, err
						}
					}
					return dedupe.Outcome{Answer: fmt.Appendf(nil, "run %d", n), Keep: 90 * time.Minute}, nil
				}
				holder, other := f.ask(0, "k", forLong), (*told)(nil)
				settle(time.Second)
				other = f.ask(1, "k", forLong)
				settle(3 * time.Second)
				set(jump)
				settle(40 * time.Second)
				f.want(holder, dedupe.Answered, "run 1", dedupe.Asked, 27*time.Second)
				f.answered(other, "run 1", 26*time.Second)
				if f.made() != 1 {
					t.Errorf("%d runs, want 1", f.made())
				}
			})
		})
	}
}

// An answer is kept for as long as was said, though the store's clock jumped between the claim and the answer.
func TestAnswerIsKeptAsLongAsSaidAfterAJump(t *testing.T) {
	for _, jump := range jumps {
		t.Run(jump.String(), func(t *testing.T) {
			jumpy(t, func(f *fleet, set func(time.Duration)) {
				f.ask(0, "k", forLong)
				settle(500 * time.Millisecond)
				set(jump)
				settle(time.Second)
				settle(59 * time.Second)
				f.answered(f.ask(1, "k", forLong), "answer 1", 0)
				settle(time.Second)
				again := f.ask(1, "k", forLong)
				settle(2 * time.Second)
				f.want(again, dedupe.Answered, "answer 2", dedupe.Asked, time.Second)
			})
		})
	}
}

// The fence looks at both clocks of the machine: set forward, as after a sleep, it closes at once; set back, it stays open no
// longer than the monotonic clock says.
func TestFenceOnBothClocks(t *testing.T) {
	const lease, limit = 12 * time.Second, 12*time.Second - 12*time.Second/8
	for _, c := range []struct {
		ago, jump time.Duration
		lapsed    bool
	}{
		{0, 0, false}, {limit - 500*time.Millisecond, 0, false}, {limit, 0, true},
		{0, time.Hour, true}, {time.Second, 24 * time.Hour, true}, {8 * time.Second, 3 * time.Second, true}, {7 * time.Second, 3 * time.Second, false},
		{time.Second, -time.Hour, false}, {limit, -time.Hour, true}, {limit + time.Hour, -time.Hour, true}, {limit, -24 * time.Hour, true},
		{limit - 500*time.Millisecond, -24 * time.Hour, false}, {limit, -3 * time.Second, true},
	} {
		err, ok := dedupe.CheckLease(lease, c.ago, c.jump)
		if !ok {
			t.Fatal("a time.Time looks different inside")
		}
		if errors.Is(err, dedupe.ErrLapsed) != c.lapsed {
			t.Errorf("%v after the claim, the wall clock set forward by %v: %v", c.ago, c.jump, err)
		}
	}
}
