// Consuming: which missing heartbeats count together.

package intake

import (
	"testing"
	"time"
)

// The client says that a heartbeat is missing 4 s after the last sign, and then each 4 s. Five in a
// row are a silence; five over weeks are not.
func TestSilenceIsInARow(t *testing.T) {
	const s = time.Second
	for _, tt := range []struct {
		name  string
		after []time.Duration // between two missing heartbeats; 0: a message came
		want  int
	}{
		{"one", nil, 1},
		{"five in a row", []time.Duration{4 * s, 4 * s, 4*s + s/2, 4 * s}, 5},
		{"a heartbeat after each", []time.Duration{6 * s, 8 * s, 6 * s, 7 * s}, 1},
		{"one a day", []time.Duration{24 * time.Hour, 24 * time.Hour, 24 * time.Hour, 24 * time.Hour}, 1},
		{"a day ago, and now two", []time.Duration{24 * time.Hour, 4 * s}, 2},
		{"a message between", []time.Duration{4 * s, 0, 4 * s}, 1},
	} {
		now, counted := time.Unix(1_000_000, 0), &silence{}
		got := counted.again(now)
		for _, d := range tt.after {
			if d == 0 {
				counted.over()
				continue
			}
			now = now.Add(d)
			got = counted.again(now)
		}
		if got != tt.want {
			t.Errorf("%s: %d in a row, want %d", tt.name, got, tt.want)
		}
	}
}
