// A rate that holds over the fleet: time is handed out in batches from one shared record.

package limit

import (
	"context"
	"fmt"
	"math"
	"sync/atomic"
	"time"

	"protocolq/worker/pause"
)

// Rate limits how many calls begin per second, in all processes that share its record together. The
// record holds the time from which on instants are free. A process reserves a stretch of time, and
// each of its calls takes the next instant of the stretch. Safe for concurrent use.
type Rate struct {
	records   Records
	name      string
	perSecond float64
	clock     func() time.Time
	batch     int

	waiting atomic.Int64 // calls that wait for the turn, and the one that has it
	pace    atomic.Int64 // running mean of nanoseconds between two calls of this process while more wait

	turn chan struct{} // holds one token: its holder may use the fields below, and reserve
	next time.Time     // first free instant of the stretch
	left int           // how many instants the stretch still has
	last time.Time     // when the last call was allowed to begin
}

type rateRecord struct {
	FreeFromUs int64 `json:"free_from_us"` // unix µs
}

// reserveFor is how much time a batch covers. It is short, because time that a process reserves and
// does not use is lost to the others.
const reserveFor = 100 * time.Millisecond

// NewRate makes a Rate of perSecond calls, with a clock that the fleet shares.
func NewRate(r Records, name string, perSecond float64, clock func() time.Time) *Rate {
	l := &Rate{records: r, name: name, perSecond: perSecond, clock: clock, turn: make(chan struct{}, 1),
		batch: max(1, int(math.Round(perSecond*reserveFor.Seconds())))}
	l.pace.Store(int64(l.step()))
	return l
}

func (l *Rate) step() time.Duration { return time.Duration(float64(time.Second) / l.perSecond) }

// Wait waits until a call may begin. If that would be later than most from now, it takes nothing
// and returns how long the wait would have been. A call that leaves before its instant, because ctx
// ended, leaves the instant to the next call.
func (l *Rate) Wait(ctx context.Context, most time.Duration) (after time.Duration, err error) {
	ahead := l.waiting.Add(1) - 1
	defer l.waiting.Add(-1)
	if after = time.Duration(ahead * l.pace.Load()); after > most {
		return after, nil
	}
	came := l.clock()
	latest := came.Add(most)
	queue, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	if err := acquire(queue, l.turn); err != nil {
		return max(after, time.Millisecond), ctx.Err()
	}
	defer release(l.turn)
	at, taken, err := l.take(ctx, latest)
	if err != nil {
		return 0, err
	}
	wait := at.Sub(l.clock())
	if !taken {
		return max(wait, time.Millisecond), nil
	}
	if err := pause.For(ctx, wait); err != nil {
		l.next, l.left = at, l.left+1
		return 0, err
	}
	l.let(came, ahead > 0)
	return 0, nil
}

// let notes that a call may begin, and the pace of calls that had to wait behind another. The
// caller has the turn.
func (l *Rate) let(came time.Time, waited bool) {
	now := l.clock()
	since := came // a call has waited only since it came
	if l.last.After(came) {
		since = l.last
	}
	if took := now.Sub(since); waited && took > 0 {
		l.pace.Store((7*l.pace.Load() + int64(min(took, time.Minute))) / 8)
	}
	l.last = now
}

// take takes the next instant. If the instant is later than latest, take only returns it. The
// caller has the turn.
func (l *Rate) take(ctx context.Context, latest time.Time) (at time.Time, taken bool, err error) {
	if now := l.clock(); l.next.Before(now.Add(-reserveFor)) || l.next.After(now.Add(maxAhead)) {
		l.left = 0 // an old stretch would allow a burst; one far ahead is from a clock that was set back
	}
	if l.left == 0 {
		start, reserved, err := l.reserve(ctx, l.step(), latest)
		if err != nil || !reserved {
			return start, false, err
		}
		l.next, l.left = start, l.batch
	}
	at = l.next
	l.next, l.left = l.next.Add(l.step()), l.left-1
	return at, true, nil
}

// reserve takes a stretch of time from the shared record, unless the stretch begins after latest.
func (l *Rate) reserve(ctx context.Context, step time.Duration, latest time.Time) (start time.Time, taken bool,
	err error) {
	err = change(ctx, l.records, l.name, func(r *rateRecord) bool {
		now := l.clock()
		start = time.UnixMicro(r.FreeFromUs)
		if start.Before(now) || start.After(now.Add(maxAhead)) {
			start = now // no process reserves that far ahead: a clock was wrong
		}
		if taken = !start.After(latest); taken {
			r.FreeFromUs = start.Add(time.Duration(l.batch) * step).UnixMicro()
		}
		return taken
	})
	if err != nil {
		return time.Time{}, false, fmt.Errorf("reserve calls: %w", err)
	}
	return start, taken, nil
}

// maxAhead is further ahead than any reservation.
const maxAhead = time.Minute
