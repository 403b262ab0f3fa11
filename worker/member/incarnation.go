// An incarnation: what belongs to one member, not to the next one of the same process.

package member

import (
	"context"
	"errors"
	"sync"
	"time"

	"protocolq/worker/failpoint"
	"protocolq/worker/fleet"
	"protocolq/worker/flight"
	"protocolq/worker/journal"
)

// incarnation is one member: its id, its writer, and how long its lease lasts.
type incarnation struct {
	id     journal.Member
	own    *fleet.Own // only the loop's goroutine uses it
	writer *journal.Writer
	stop   chan struct{} // closed by the loop's goroutine when one of its batches cannot be read

	mu    sync.Mutex // guards fence
	fence *fleet.Fence
	quiet time.Time // no call before it
	begun time.Time // zero of the fence's clocks
}

var errFence = errors.New("member: the lease leaves no time for a call")

// newIncarnation makes the member that the process goes on as. None of its calls begins before
// quiet.
func (m *Member) newIncarnation(limit int, quiet time.Time) (*incarnation, error) {
	i := &incarnation{id: m.o.NewID(), quiet: quiet, begun: m.begun, stop: make(chan struct{})}
	i.own = &fleet.Own{ID: i.id}
	var err error
	if i.fence, err = fleet.NewFence(m.o.Fleet.Lease, m.o.CallTime); err != nil {
		return nil, err
	}
	i.writer, err = journal.NewWriter(journal.WriterOptions{
		Log: m.o.Log, Member: i.id, Limit: limit, Logger: m.log,
		Decide: func(d *journal.Draft) uint64 { return m.decide(i, d) },
		Stored: func(w journal.Written) { m.stored(i, w) },
	})
	return i, err
}

// acknowledged renews the lease, which counts from the batch's first sending.
func (i *incarnation) acknowledged(w journal.Written) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.fence.Sent(w.Number, w.FirstSent.Sub(i.begun), wall(w.FirstSent, i.begun))
	i.fence.Acknowledged()
}

// mayCall says why no call may begin now; nil: a call may.
func (i *incarnation) mayCall() error {
	failpoint.Hit("after-begin")
	now := time.Now()
	i.mu.Lock()
	defer i.mu.Unlock()
	if now.Before(i.quiet) || !i.fence.MayCall(now.Sub(i.begun), wall(now, i.begun)) {
		return errFence
	}
	return nil
}

// left is for how long calls may still begin.
func (i *incarnation) left() time.Duration {
	now := time.Now()
	i.mu.Lock()
	defer i.mu.Unlock()
	if now.Before(i.quiet) {
		return 0
	}
	return i.fence.Left(now.Sub(i.begun), wall(now, i.begun))
}

// run writes until the writer ends, or one of its batches turns out unreadable: that seals the
// member, and the log does not tell the writer so.
func (i *incarnation) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var watching sync.WaitGroup
	defer watching.Wait()
	defer cancel()
	watching.Go(func() {
		select {
		case <-i.stop:
			cancel()
		case <-ctx.Done():
		}
	})
	return i.writer.Run(ctx)
}

// lost ends the lease at once.
func (i *incarnation) lost() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.fence.Lost()
}

// wall is the time between two instants by the wall clock, which goes on while a machine sleeps.
func wall(t, from time.Time) time.Duration { return t.Round(0).Sub(from.Round(0)) }

func (i *incarnation) forFlights() flight.Member {
	return flight.Member{Waker: i.writer, Fence: i.mayCall}
}
