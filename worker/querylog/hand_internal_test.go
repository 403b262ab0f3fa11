// How long a line waits for others.

package querylog

import (
	"testing"
	"time"
)

func TestDue(t *testing.T) {
	const ms = time.Millisecond
	o := Options{Linger: 50 * ms, Pace: 450 * ms, Quiet: 120 * ms}
	begun := time.Date(2026, 11, 29, 10, 0, 0, 0, time.UTC)
	for _, tt := range []struct{ first, last, want time.Duration }{ // after the batch before began
		{0, 0, 120 * ms},
		{0, 329 * ms, 449 * ms},
		{0, 331 * ms, 450 * ms},
		{300 * ms, 300 * ms, 420 * ms},
		{300 * ms, 400 * ms, 450 * ms},
		{399 * ms, 399 * ms, 450 * ms},
		{401 * ms, 401 * ms, 451 * ms},
		{401 * ms, 449 * ms, 451 * ms},
		{time.Hour, time.Hour, time.Hour + 50*ms},
	} {
		if got := o.due(begun, begun.Add(tt.first), begun.Add(tt.last)).Sub(begun); got != tt.want {
			t.Errorf("lines from %v to %v: %v, want %v", tt.first, tt.last, got, tt.want)
		}
	}
	if got := o.due(time.Time{}, begun, begun).Sub(begun); got != o.Linger {
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
