// Leaving: what is under way ends, what is owed is published and told, then the member seals
// itself.

package member

import (
	"context"
	"time"

	"protocolq/worker/flight"
	"protocolq/worker/pause"
)

// Drain waits until nothing that this member has begun is under way and the outbox has the duties
// of all that it has written, or ctx ends. No run begins, nor any call that the end of ctx would
// cut, and no ask is taken.
func (m *Member) Drain(ctx context.Context) {
	m.closed.Store(true)
	m.loop.Do(func(f *flight.Flights, _ time.Duration) { f.Drain() })
	end, bounded := ctx.Deadline()
	last := end.Add(-m.o.CallTime)
	for {
		idle := true
		m.loop.Do(func(f *flight.Flights, now time.Duration) {
			if bounded && !time.Now().Before(last) {
				f.LastCalls(now)
				bounded = false // once is enough
			}
			idle = f.Idle() && len(m.unread) == 0 && !m.toFetch.busy()
		})
		if idle || pause.For(ctx, 5*time.Millisecond) != nil {
			return
		}
	}
}

// Leave seals the member, after its told entries: others go on with its keys at once. Run then
// returns, at once if it is not a member yet, or when ctx ends.
func (m *Member) Leave(ctx context.Context) {
	m.closed.Store(true)
	m.leave() // first, so that the process does not go on as another member
	m.sealSelf()
	select {
	case <-m.left:
	case <-ctx.Done():
	}
}

// sealSelf writes the own seal. If the writer has ended, the member is sealed or others will seal
// it.
func (m *Member) sealSelf() { _ = m.current.Load().writer.Seal("drained") }

// leaveUnread leaves a fleet whose log is not understood: the others go on at once.
func (m *Member) leaveUnread(ctx context.Context, wrote <-chan struct{}) {
	m.closed.Store(true)
	m.leave()
	m.loop.Do(func(f *flight.Flights, _ time.Duration) { f.Drain() })
	m.sealSelf()
	awaitSeal(ctx, wrote)
}

// sealUnread seals a member whose log cannot be read on: the process goes on as another, but until
// that has read the log the keys are others'.
func (m *Member) sealUnread(ctx context.Context, wrote <-chan struct{}) {
	m.void.Store(true)
	m.sealSelf()
	awaitSeal(ctx, wrote)
}

func awaitSeal(ctx context.Context, wrote <-chan struct{}) {
	ctx, cancel := context.WithTimeout(ctx, sealTime)
	defer cancel()
	select {
	case <-wrote:
	case <-ctx.Done():
	}
}

// isLeaving reports whether the process will not go on as another member.
func (m *Member) isLeaving() bool { return m.leaving.Err() != nil }

// pause waits, and reports false if ctx ends or the member has to leave.
func (m *Member) pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-m.leaving.Done():
		return false
	case <-ctx.Done():
		return false
	}
}
