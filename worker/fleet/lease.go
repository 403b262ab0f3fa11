// The fence: until when a member's own calls may begin.

package fleet

import (
	"fmt"
	"time"
)

// Fence says whether a call may begin. Others let a key be called again once the lease of a sealed
// member has surely ended, so a call must have ended by then: it begins only while the lease is
// longer than the call may take and a margin. The zero time of both clocks is the caller's; the
// wall clock goes on while a machine sleeps, where the monotonic one may not.
type Fence struct {
	room time.Duration // how long after the first sending a call may begin

	number      uint64 // of the batch that was sent last
	sent, acked clocks
	open        bool
}

type clocks struct{ mono, wall time.Duration }

// NewFence makes the fence of a lease: there is no call until a batch is acknowledged. The error is
// for who set the times.
func NewFence(lease, call, margin time.Duration) (*Fence, error) {
	if room := lease - call - margin; room > time.Second {
		return &Fence{room: room}, nil
	}
	return nil, fmt.Errorf("lease %v leaves no second beside a call's %v and the margin %v: make it longer",
		lease, call, margin)
}

// Sent notes a sending of a batch. Only its first counts, as others count from when they had
// applied the batch: it may have been stored by the first sending, long before it is sent again.
func (f *Fence) Sent(number uint64, mono, wall time.Duration) {
	if number > f.number {
		f.number, f.sent = number, clocks{mono, wall}
	}
}

// Acknowledged notes that the batch sent last is stored, which renews the lease.
func (f *Fence) Acknowledged() { f.acked, f.open = f.sent, true }

// Lost ends the lease at once: the member is sealed, or the log is another.
func (f *Fence) Lost() { f.open = false }

// MayCall reports whether a call may begin now. It is asked again as the call's first byte leaves.
func (f *Fence) MayCall(mono, wall time.Duration) bool {
	return f.open && mono-f.acked.mono < f.room && wall-f.acked.wall < f.room
}

// Ends is until when a call may begin if nothing more is acknowledged, on the monotonic clock.
func (f *Fence) Ends() time.Duration { return f.acked.mono + f.room }
