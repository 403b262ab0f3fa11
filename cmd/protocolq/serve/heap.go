// The heap of a worker: it is collected only as often as is worthwhile, and given back at rest.

package serve

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// morePercent is how much the heap may grow beyond the live heap before it is collected. Go's
// default is 100: for the few megabytes of a worker that means many collections a second. A heap
// that grows further costs more in new pages than it saves (measured: 400 is no faster than 100).
const morePercent = 200

// CollectLess lets the heap grow by morePercent. It does not override an operator's GOGC;
// GOMEMLIMIT bounds a worker that remembers much.
func CollectLess() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(morePercent)
	}
}

// What counts as rest, looked at each second.
const (
	quiet    = 1 << 20 // bytes allocated in a second: what about forty new answers need
	unused   = 8 << 20 // bytes that are worth giving back
	givenFor = 10      // seconds until it is done again: a worker that is busy now and then keeps its memory
)

// GiveBack returns unused memory to the machine in calm seconds, until ctx ends. Go by itself
// leaves a worker at its peak for minutes. If GOGC is set, the operator decides this, too.
func GiveBack(ctx context.Context) {
	if os.Getenv("GOGC") != "" {
		return
	}
	in := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}, {Name: "/memory/classes/heap/free:bytes"},
		{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/gc/heap/live:bytes"}}
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

// rest reports that a second is calm and much is unused: after a burst, or because small amounts
// have added up since memory was given back.
type rest struct {
	allocated uint64 // by the last second
	since     int    // seconds since memory was given back
}

// begins takes in a second: all bytes ever allocated, and those that are free or garbage now.
func (r *rest) begins(allocated uint64, free int64) bool {
	calm := allocated-r.allocated <= quiet
	r.allocated = allocated
	if r.since++; !calm || r.since < givenFor || free < unused {
		return false
	}
	r.since = 0
	return true
}
