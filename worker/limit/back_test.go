// The clock that the fleet shares is set back: no call waits for the time before.

package limit_test

import (
	"testing"
	"testing/synctest"
	"time"

	"protocolq/worker/limit"
	"protocolq/worker/record"
)

func TestClockSetBack(t *testing.T) {
	for _, by := range []time.Duration{2 * time.Minute, time.Hour} {
		t.Run(by.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				shared, back := &record.Memory{}, time.Duration(0)
				clock := func() time.Time { return time.Now().Add(-back) }
				used, other := limit.NewRate(shared, "rate", 100, clock), limit.NewRate(shared, "rate", 100, clock)
				dead, heir := limit.NewShare(shared, "calls", "dead", 2, clock), limit.NewShare(shared, "calls", "heir", 2, clock)
				for range 2 {
					if _, err := dead.Enter(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				if after, err := used.Wait(t.Context(), time.Second); after > 0 || err != nil {
					t.Fatal(after, err)
				}
				back = by
				begun := time.Now()
				for range 20 {
					for _, l := range []*limit.Rate{used, other} {
						if after, err := l.Wait(t.Context(), 10*time.Second); after > 0 || err != nil {
							t.Errorf("told to come again after %v, %v", after, err)
						}
					}
				}
				if took := time.Since(begun); took > time.Second {
					t.Errorf("40 calls of 100 a second took %v", took)
				}
				if _, err := heir.Enter(t.Context()); err != nil {
					t.Error(err)
				}
				if took := time.Since(begun); took > 20*time.Second {
					t.Errorf("the share of the dead was free after %v", took)
				}
			})
		})
	}
}
