// When a worker's heap is collected, and when it is given back.

package serve

import (
	"runtime/debug"
	"testing"
)

func TestCollectLess(t *testing.T) {
	before := debug.SetGCPercent(100)
	defer debug.SetGCPercent(before)
	t.Setenv("GOGC", "100")
	if CollectLess(); debug.SetGCPercent(100) != 100 {
		t.Error("an operator's GOGC was overruled")
	}
	t.Setenv("GOGC", "")
	if CollectLess(); debug.SetGCPercent(100) != morePercent {
		t.Error("the heap is collected as often as before")
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
	second(40*mb, 50*mb, false)  // a burst
	second(mb/2, 2*mb, false)    // calm, but nothing to give back
	second(mb/2, 50*mb, true)    // calm
	second(mb/2, 50*mb, false)   // once is enough
	second(100*mb, 50*mb, false) // the next burst comes soon
	for range givenFor - 3 {
		second(0, 50*mb, false)
	}
	second(0, 50*mb, true)
	for i := range int64(15) { // never busy, but what a few answers a second leave adds up
		second(mb/2, i*mb/2, false)
	}
	second(mb/2, 7*mb, false)
	second(mb/2, 8*mb, true)
}
