// The heap of a worker: while little lives in it, it is not collected more often than that pays.

package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
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
		if d := percent - set; d > set/8 || d < -set/8 { // the world stops for it
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
