// A lease: the right to work for a key, until its time ends or somebody else is seen to hold it.

package dedupe

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

// Lease is a claim that was won. It belongs to the one goroutine that runs the
// work.
type Lease struct {
	store  Store
	clock  func() time.Time // the store's
	before *Record
	key    string
	rec    Record // as last written
	seq    uint64
	since  time.Time // taken before the claim or renewal was sent; monotonic and wall clock
	wanted func(in time.Duration) bool
}

// Run is the identity of the work done under the lease.
func (l *Lease) Run() string { return l.rec.Run }

// Before is the record of the holder that fell silent, when this lease was taken
// over from one; else nil. It is not to be changed.
func (l *Lease) Before() *Record { return l.before }

// Wanted reports whether anybody in this process still waits for the answer and a
// further attempt may be made for him.
func (l *Lease) Wanted() bool { return l.WantedIn(0) }

// WantedIn is Wanted as it will be after so long, if nobody else comes.
func (l *Lease) WantedIn(d time.Duration) bool { return l.wanted == nil || l.wanted(d) }

// Reach is how long after a renewal work under the lease may still go on.
func (l *Lease) Reach() time.Duration { return ms(l.rec.LeaseMs) - l.margin() }

// margin is the part of a lease that is not used: it must cover the way of the
// answer into the store.
func (l *Lease) margin() time.Duration { return ms(l.rec.LeaseMs) / 8 }

// Deadline is when work under the lease must have ended, on this process's
// monotonic clock.
func (l *Lease) Deadline() time.Time {
	return l.since.Add(l.Reach())
}

// Check returns ErrLapsed when the lease has lapsed on the monotonic or on the
// wall clock: the one stands still while a machine sleeps, the other may be set back.
func (l *Lease) Check() error {
	now := time.Now()
	limit := l.Reach()
	if now.Sub(l.since) >= limit || now.Round(0).Sub(l.since.Round(0)) >= limit {
		return ErrLapsed
	}
	return nil
}

// Renew writes down that attempt n of the run is about to begin, with the
// journal of those before it, and starts the lease's time anew. ErrFenced means
// that another process holds the key: stop.
func (l *Lease) Renew(ctx context.Context, attempt int, journal []byte) error {
	next := l.rec
	next.Attempt, next.Journal, next.Phase, next.BegunMs = attempt, journal, Running, l.clock().UnixMilli()
	since := time.Now()
	if err := l.write(ctx, &next, runningTTL); err != nil {
		return err
	}
	l.since = since
	return nil
}

// write stores next over what this lease wrote before. A refusal or a lost
// acknowledgement is no verdict: the record is read and the run compared, and
// only another run's record means that this lease is fenced; a read that is older
// than what was written means nothing while nobody refuses. While the store
// cannot be reached it is tried again until ctx ends.
func (l *Lease) write(ctx context.Context, next *Record, ttl time.Duration) error {
	expect, missed := l.seq, time.Time{} // missed: since when the store refuses and no read knows what this lease wrote
	for round := 0; ; round++ {
		seq, err := l.store.Put(ctx, l.key, next, Terms{Expect: expect, TTL: ttl, Within: l.margin()}) // to wait longer would let lease and grace pass although the store is back
		if err == nil {
			l.seq, l.rec = seq, *next
			return nil
		}
		refused := errors.Is(err, ErrConflict)
		if round > 0 || !refused {
			if perr := pause(ctx, round); perr != nil {
				return errors.Join(perr, err)
			}
		}
		e, gerr := read(ctx, l.store, l.key)
		ours, behind := e.Record.Run == l.rec.Run, e.Seq < l.seq // behind: the record is gone, or a follower lags
		if !behind || !refused || gerr != nil {
			missed = time.Time{}
		} else if missed.IsZero() {
			missed = time.Now()
		}
		was := expect
		expect = l.seq
		switch {
		case gerr != nil:
		case ours && e.Seq != l.seq && sameWrite(&e.Record, next):
			l.seq, l.rec = e.Seq, *next
			return nil
		case behind && !refused: // while nobody leads, a follower that lags has no say in whose the key is
		case e.Seq == 0 && was != 0 && l.Check() == nil:
			expect = 0 // the stream was made anew, unless that is refused, too
		case behind && (e.Seq == 0 && l.Check() == nil || time.Since(missed) <= followerLag):
		case !ours, e.Record.Phase == Done: // another has it, or had it and its time has ended, or gave it up under this very run
			return ErrFenced
		default:
			l.seq, expect = e.Seq, e.Seq // own renewal whose acknowledgement was lost, or marked suspect
		}
	}
}

// sameWrite reports whether the stored record is the one that was being written.
func sameWrite(stored, next *Record) bool {
	return stored.Phase == next.Phase && stored.Attempt == next.Attempt && bytes.Equal(stored.Answer, next.Answer)
}

// pause waits a jittered moment that grows with round: 0 to 20 ms, 40, 80 …
// 400 ms. It stays well below the grace of a suspect holder, which must find
// the time to store his answer.
func pause(ctx context.Context, round int) error {
	limit := min(20*time.Millisecond<<min(round, 5), 400*time.Millisecond)
	return wait(ctx, time.Duration(rand.Int64N(int64(limit)))+time.Millisecond)
}

func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
