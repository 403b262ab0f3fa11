// When a worker's heap is collected, and when it is given back.

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

func TestRestBegins(t *testing.T) {
	const mb = 1 << 20
	r, allocated := rest{since: givenFor}, uint64(0)
	second := func(alloc uint64, free int64, want bool) {
		t.Helper()
		allocated += alloc
		if got := r.begins(allocated, free); got != want {
			t.Errorf("after %d MB with %d MB free: %v", alloc/mb, free/mb, got)
		}
	}
	second(0, 50*mb, false)      // nothing has happened yet
	second(40*mb, 50*mb, false)  // a burst
	second(mb/2, 2*mb, false)    // calm, and nothing to give
	second(mb/2, 50*mb, true)    // calm
	second(mb/2, 50*mb, false)   // once is enough
	second(100*mb, 50*mb, false) // the next burst comes soon
	for range givenFor - 3 {
		second(0, 50*mb, false)
	}
	second(0, 50*mb, true)
}
