// The heap of a worker: while little lives in it, it is not collected more often than that pays; at rest it is given back.

package main

import (
	"context"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// heapFloor is how large heap, stacks and globals may be together before the heap is collected, in bytes. By its own
// rule Go collects when what lives has doubled: for the few megabytes of a worker that is many times a second.
const heapFloor = 64 << 20

// mostPercent: a heap that grows further costs more in new pages than it saves (measured: 400 is no faster than 100).
const mostPercent = 200

// keepHeapFloor sets after each collection the percentage that lets the next one come at heapFloor, but never more
// often than by Go's own rule, so that a full house does not collect without end. An operator's GOGC is left alone.
func keepHeapFloor() {
	if os.Getenv("GOGC") != "" {
		return
	}
	in := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/gc/scan/stack:bytes"}, {Name: "/gc/scan/globals:bytes"}}
	set := 100
	var tune func(*[16]byte)
	tune = func(again *[16]byte) {
		metrics.Read(in)
		percent := gcPercent(in[0].Value.Uint64(), in[1].Value.Uint64()+in[2].Value.Uint64())
		if percent != set {
			set = percent
			debug.SetGCPercent(percent)
		}
		runtime.SetFinalizer(again, tune) // run once more after the next collection
	}
	tune(new([16]byte))
}

// gcPercent is what lets the heap grow from live to heapFloor less what else is scanned; both in bytes. Go
// adds the percentage of both to live.
func gcPercent(live, rest uint64) int {
	if live+rest == 0 || live+rest >= heapFloor {
		return 100
	}
	return int(min(max((heapFloor-live-rest)*100/(live+rest), 100), mostPercent))
}

// What counts as rest, looked at each second.
const (
	quiet    = 1 << 20 // bytes allocated in a second: what about forty new answers need
	unused   = 8 << 20 // bytes that are worth giving back
	givenFor = 10      // seconds until it is done again: whoever is busy now and then keeps what he has
)

// giveBack returns memory to the machine when a burst is over, until ctx ends. Go's own way leaves a worker at its
// peak for minutes. Where GOGC is set the operator decides this, too.
func giveBack(ctx context.Context) {
	if os.Getenv("GOGC") != "" {
		return
	}
	in := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}, {Name: "/memory/classes/heap/free:bytes"}, {Name: "/memory/classes/heap/objects:bytes"}, {Name: "/gc/heap/live:bytes"}}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	r := rest{since: givenFor}
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		metrics.Read(in)
		garbage := int64(in[2].Value.Uint64()) - int64(in[3].Value.Uint64())
		if r.begins(in[0].Value.Uint64(), int64(in[1].Value.Uint64())+garbage) {
			debug.FreeOSMemory()
		}
	}
}

// rest tells once after each burst that it is over.
type rest struct {
	allocated uint64 // by the last second
	busy      bool   // since memory was given back
	since     int    // seconds since then
}

// begins takes in a second: all bytes ever allocated, and those that are free or garbage now.
func (r *rest) begins(allocated uint64, free int64) bool {
	calm := allocated-r.allocated <= quiet
	r.allocated = allocated
	r.busy = r.busy || !calm
	if r.since++; !calm || !r.busy || r.since < givenFor || free < unused {
		return false
	}
	r.busy, r.since = false, 0
	return true
}
