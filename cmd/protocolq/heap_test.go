// The percentage at which a worker's heap is collected.
package main

import "testing"

func TestGCPercent(t *testing.T) {
	const mb = 1 << 20
	for _, tt := range []struct {
		live, rest uint64
		want       int
	}{
		{0, 0, 100},
		{4 * mb, mb, 200},        // little lives: no more than three times of it
		{12 * mb, 8 * mb, 200},   // 12 + 40 + 8 MB is below the floor
		{16 * mb, 10 * mb, 146},  // the rest of the floor
		{24 * mb, 8 * mb, 100},   // twice what lives is the floor
		{300 * mb, 20 * mb, 100}, // a full house collects as Go does
	} {
		if got := gcPercent(tt.live, tt.rest); got != tt.want {
			t.Errorf("%d MB alive and %d MB beside: %d %%, want %d", tt.live/mb, tt.rest/mb, got, tt.want)
		}
	}
}
