// Tests of the bounds of the waits and of the number of tries.

package retry_test

import (
	"testing"
	"time"

	"protocolq/worker/retry"
)

func TestMost(t *testing.T) {
	for attempts, want := range map[int]int{0: 5, -1: 5, 1: 1, 7: 7} {
		if got := (retry.Policy{Attempts: attempts}).Most(); got != want {
			t.Errorf("%d attempts are at most %d, want %d", attempts, got, want)
		}
	}
}

// Each wait is drawn from 0 to twice the interval, and intervals grow by half up to Max.
func TestWaits(t *testing.T) {
	for name, c := range map[string]struct {
		policy retry.Policy
		limits []time.Duration
	}{
		"given":      {retry.Policy{Initial: 100 * time.Millisecond, Max: 200 * time.Millisecond}, []time.Duration{200, 300, 400, 400, 400}},
		"by default": {retry.Policy{}, []time.Duration{200, 300, 450, 675, 1012, 1518, 2278, 3417, 5000, 5000}},
	} {
		longest := make([]time.Duration, len(c.limits))
		for range 300 {
			next := c.policy.Waits()
			for i, limit := range c.limits {
				wait := next()
				longest[i] = max(longest[i], wait)
				if wait < 0 || wait > (limit+1)*time.Millisecond {
					t.Errorf("%s: wait %d is %v, want at most %v", name, i+1, wait, limit*time.Millisecond)
				}
			}
		}
		for i, l := range longest {
			if l < c.limits[i]*time.Millisecond*8/10 {
				t.Errorf("%s: wait %d of 300 was never above %v: not full jitter up to %v", name, i+1, l, c.limits[i]*time.Millisecond)
			}
		}
	}
}
