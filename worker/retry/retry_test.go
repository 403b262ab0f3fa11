// Tests of the attempts, the bounds of the waits and the reasons to stop.

package retry_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"protocolq/worker/retry"
)

var errTemp = errors.New("temporary")

func TestDo(t *testing.T) {
	tests := []struct {
		name     string
		policy   retry.Policy
		fail     int  // attempts that fail
		again    bool // whether they may be tried again
		attempts int
		reason   retry.Reason
		err      error
	}{
		{"first try", retry.Policy{}, 0, true, 1, retry.Succeeded, nil},
		{"third try", retry.Policy{}, 2, true, 3, retry.Succeeded, nil},
		{"gives up after five by default", retry.Policy{}, 99, true, 5, retry.GaveUp, errTemp},
		{"gives up after two", retry.Policy{Attempts: 2}, 99, true, 2, retry.GaveUp, errTemp},
		{"another try is useless", retry.Policy{}, 99, false, 1, retry.Useless, errTemp},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				made := 0
				reason, err := tt.policy.Do(t.Context(), func(_ context.Context, n int) (bool, time.Duration, error) {
					made++
					if n != made {
						t.Errorf("attempt %d was numbered %d", made, n)
					}
					if n <= tt.fail {
						return tt.again, 0, errTemp
					}
					return false, 0, nil
				}, nil)
				if made != tt.attempts || reason != tt.reason || !errors.Is(err, tt.err) {
					t.Errorf("made %d attempts, reason %s, err %v; want %d, %s, %v", made, reason, err, tt.attempts, tt.reason, tt.err)
				}
			})
		})
	}
}

// Each wait is drawn from 0 to twice the interval, and intervals grow by half up to Max.
func TestWaits(t *testing.T) {
	limits := []time.Duration{200, 300, 400, 400, 400}
	longest := make([]time.Duration, len(limits))
	synctest.Test(t, func(t *testing.T) {
		for range 300 {
			p := retry.Policy{Attempts: 6, Initial: 100 * time.Millisecond, Max: 200 * time.Millisecond}
			begun := time.Now()
			total := time.Duration(0)
			_, err := p.Do(t.Context(), func(context.Context, int) (bool, time.Duration, error) { return true, 0, errTemp },
				func(wait time.Duration, failed int) error {
					total += wait
					longest[failed-1] = max(longest[failed-1], wait)
					if wait < 0 || wait > limits[failed-1]*time.Millisecond {
						t.Errorf("wait %d is %v, want at most %v", failed, wait, limits[failed-1]*time.Millisecond)
					}
					return nil
				})
			if !errors.Is(err, errTemp) || time.Since(begun) != total {
				t.Fatalf("err %v after %v, want the last attempt's after %v", err, time.Since(begun), total)
			}
		}
	})
	for i, l := range longest {
		if l < limits[i]*time.Millisecond*8/10 {
			t.Errorf("wait %d of 300 was never above %v: not full jitter up to %v", i+1, l, limits[i]*time.Millisecond)
		}
	}
}

// No wait is shorter than the attempt before it asks for, and what is drawn comes on top: callers
// that were given the same floor do not come back together.
func TestFloorOfAWait(t *testing.T) {
	p := retry.Policy{Attempts: 50, Initial: time.Second, Max: time.Second}
	for name, floor := range map[string]time.Duration{"longer than any wait": 7 * time.Second, "as long as an interval": time.Second, "nothing": 0, "negative, as time ran": -time.Second} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var ended time.Time
				var told, longest time.Duration
				_, err := p.Do(t.Context(), func(_ context.Context, n int) (bool, time.Duration, error) {
					drawn := time.Since(ended) - max(floor, 0)
					if n > 1 {
						longest = max(longest, drawn)
					}
					if n > 1 && (drawn < 0 || drawn > 2*time.Second || time.Since(ended) != told) {
						t.Errorf("attempt %d comes %v after the one before, its wait was said to be %v; want up to 2 s above %v", n, time.Since(ended), told, floor)
					}
					time.Sleep(time.Second)
					ended = time.Now()
					return true, floor, errTemp
				}, func(wait time.Duration, _ int) error { told = wait; return nil })
				if !errors.Is(err, errTemp) || longest < time.Second {
					t.Errorf("%v; the longest of 49 was %v above the floor: not spread", err, longest)
				}
			})
		})
	}
}

func TestCancelDuringWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		reason, err := retry.Policy{Initial: time.Hour, Max: time.Hour}.Do(ctx,
			func(context.Context, int) (bool, time.Duration, error) { return true, 0, errTemp },
			func(time.Duration, int) error { cancel(); return nil })
		if reason != retry.Cancelled || !errors.Is(err, context.Canceled) || !errors.Is(err, errTemp) {
			t.Errorf("reason %s, err %v; want cancelled with both errors", reason, err)
		}
	})
}

func TestBeforeStops(t *testing.T) {
	stop := errors.New("fenced")
	reason, err := retry.Policy{}.Do(t.Context(), func(context.Context, int) (bool, time.Duration, error) { return true, 0, errTemp },
		func(time.Duration, int) error { return stop })
	if reason != retry.Cancelled || !errors.Is(err, stop) || !errors.Is(err, errTemp) {
		t.Errorf("reason %s, err %v; want cancelled with both errors", reason, err)
	}
}

// Who waits by other means than Do is given the same waits.
func TestWaitsAlone(t *testing.T) {
	next := retry.Policy{Initial: 100 * time.Millisecond, Max: 200 * time.Millisecond}.Waits()
	for i, most := range []time.Duration{200, 300, 400, 400, 400, 400} {
		if wait := next(); wait < 0 || wait > most*time.Millisecond {
			t.Errorf("wait %d is %v, want at most %v", i+1, wait, most*time.Millisecond)
		}
	}
}
