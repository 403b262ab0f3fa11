// How much memory a worker takes: little, and less often collected than by default.

package main

import (
	"context"
	"math"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// What a worker's memory is held to while what lives in it is small.
const (
	usualGC = 100 // the runtime's own setting
	lessGC  = 200 // percent: a worker under load spent a fifth of its time collecting
	usual   = 44 << 20
	aside   = 8 << 20 // beside twice what lives, when that is more than usual
)

// keepMemory lets the heap grow to three times what lives in it instead of two, as long as all stays below
// 44 MiB, until ctx ends. A house full of askers may need more: collecting must never become all that a worker does, so
// that the limit moves with what lives. Whoever sets GOGC or GOMEMLIMIT knows better.
func keepMemory(ctx context.Context) {
	if before := debug.SetGCPercent(lessGC); before != usualGC {
		debug.SetGCPercent(before)
	}
	if debug.SetMemoryLimit(-1) != math.MaxInt64 {
		return
	}
	defer debug.SetMemoryLimit(math.MaxInt64)
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		metrics.Read(live)
		debug.SetMemoryLimit(memoryLimit(live[0].Value.Uint64()))
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// memoryLimit is what is allowed when so many bytes lived at the last collection.
func memoryLimit(live uint64) int64 {
	return int64(max(usual, 2*min(live, math.MaxInt64/4)+aside))
}
