// How long a line waits for others.

package querylog

import (
	"testing"
	"time"
)

func TestWait(t *testing.T) {
	o := Options{Linger: 50 * time.Millisecond, Pace: 450 * time.Millisecond}
	now := time.Date(2026, 11, 29, 10, 0, 0, 0, time.UTC)
	for _, tt := range []struct{ before, want time.Duration }{
		{0, 450 * time.Millisecond},
		{10 * time.Millisecond, 440 * time.Millisecond},
		{400 * time.Millisecond, 50 * time.Millisecond},
		{449 * time.Millisecond, 50 * time.Millisecond},
		{time.Hour, 50 * time.Millisecond},
	} {
		if got := o.wait(now.Add(-tt.before), now); got != tt.want {
			t.Errorf("%v after the batch before: %v, want %v", tt.before, got, tt.want)
		}
	}
	if got := o.wait(time.Time{}, now); got != o.Linger {
		t.Errorf("the first batch: %v", got)
	}
}

func TestLeftToOthers(t *testing.T) {
	for subject, left := range map[string]bool{"protocol.log.run": false, "protocol.log.ask": false, "protocol.log.else": true} {
		if got := leftToOthers(subject, 4*time.Minute); got != left {
			t.Errorf("%s: left %v", subject, got)
		}
		if leftToOthers(subject, leaveFor) || leftToOthers(subject, -time.Hour) {
			t.Errorf("%s is left for too long", subject)
		}
	}
}
