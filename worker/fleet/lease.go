// The fence: until when a member's own calls may begin.

package fleet

import (
	"fmt"
	"time"
)

// Fence says whether a call may begin. Other members call for a key again once the lease of a
// sealed member has surely ended, so its call must have ended by then. A call begins only while the
// rest of the lease is longer than the call may take plus a margin. The caller chooses the zero
// time of both clocks. The wall clock goes on while a machine sleeps; the monotonic one may not.
type Fence struct {
	room time.Duration // how long after the first sending a call may begin

	number      uint64 // of the batch that was sent last
	sent, acked clocks
	open        bool
}

type clocks struct{ mono, wall time.Duration }

// leaseRoom is the least time in which calls may begin after a batch: two beats, so that one may be
// late.
const leaseRoom = time.Second

// margin is the part of a lease that no call may use, for delays that are not measured: an eighth
// of it and at most a second.
func margin(lease time.Duration) time.Duration { return min(time.Second, lease/8) }

// ShortestLease is the bound that a lease has to exceed if a call takes at most call, so that a
// call may begin at all and ends while the lease lasts.
func ShortestLease(call time.Duration) time.Duration {
	least := call + leaseRoom
	return least + min(time.Second, least/7) // an eighth of the sum
}

// NewFence makes the fence of a lease. No call may begin until a batch is acknowledged. The error
// is for the person who set the times.
func NewFence(lease, call time.Duration) (*Fence, error) {
	if least := ShortestLease(call); lease <= least {
		return nil, fmt.Errorf("lease %v must be longer than %v where a call takes %v", lease, least, call)
	}
	return &Fence{room: lease - call - margin(lease)}, nil
}

// Sent notes that a batch was sent. Only the first sending counts, because others count from when
// they applied the batch: the first sending may have stored it, long before it is sent again.
func (f *Fence) Sent(number uint64, mono, wall time.Duration) {
	if number > f.number {
		f.number, f.sent = number, clocks{mono, wall}
	}
}

// Acknowledged notes that the last batch sent is stored, which renews the lease.
func (f *Fence) Acknowledged() { f.acked, f.open = f.sent, true }

// Lost ends the lease at once: the member is sealed, or the log was replaced.
func (f *Fence) Lost() { f.open = false }

// Left is for how long calls may still begin, unless the lease is renewed; 0: none may.
func (f *Fence) Left(mono, wall time.Duration) time.Duration {
	if !f.MayCall(mono, wall) {
		return 0
	}
	return f.room - max(mono-f.acked.mono, wall-f.acked.wall)
}

// MayCall reports whether a call may begin now. It is called again as the call's first byte leaves.
func (f *Fence) MayCall(mono, wall time.Duration) bool {
	return f.open && mono-f.acked.mono < f.room && wall-f.acked.wall < f.room
}
