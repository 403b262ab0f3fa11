// The schedule: when each ask is due, what is outstanding, and how long it took since it was due.

// Package load asks at a rate that does not wait for answers, and measures.
//
// A generator that waits for an answer before it asks again sends nothing while answers are slow.
// So it never measures the latency of the asks that would have come meanwhile (coordinated
// omission). Here every ask is due at a scheduled time, and its latency counts from then, even if
// it was sent late because too many were outstanding:
//
//	due ──(no room: waits)──► sent ──► answered, or given up after the timeout
//	 └──────────────── latency ─────────────┘
//
// An ask that is given up is in the histogram with the time that the generator waited for it. An
// ask that fails at once counts as if it had waited as long; otherwise an outage would look fast.
// An ask that was due but never had room counts from its due time until the end of the load.
package load

import (
	"context"
	"math"
	"sync"
	"time"
)

// Options say how to ask.
type Options struct {
	Rate        float64       // asks a second; 0: a closed loop, each answer makes room for the next ask
	For, Warm   time.Duration // how long is measured, and how long is asked before without measuring
	Timeout     time.Duration // after which an ask is given up
	Outstanding int           // how many may be on their way at once
	Tick        func(Second)  // called with each measured second when it is over; nil: not called
}

// Answer is the end of one ask. Err is a short constant text: it is counted by.
type Answer struct{ Outcome, Code, Source, Err string }

// Load is one run of the schedule.
type Load struct {
	o    Options
	send func(n int64) error
	room chan struct{} // signalled when an ask has ended

	begin, from, end time.Time // written by Run before the first ask

	mu      sync.Mutex // guards what is below
	pending map[int64]ask
	sent    int64 // asks begun: their numbers are below it
	oldest  int64 // no lower number is pending
	sums    *sums
}

type ask struct {
	due, sent time.Time
	measured  bool
}

// New makes a Load. send begins the ask of number n, from 0 on, without waiting for its answer. The
// receiver of the answer calls Answered.
func New(o Options, send func(n int64) error) *Load {
	return &Load{o: o, send: send, room: make(chan struct{}, 1), pending: map[int64]ask{}, sums: newSums()}
}

// Answered reports the end of ask n. A second call for an ask, or one after it was given up, has no
// effect.
func (l *Load) Answered(n int64, a Answer) {
	if !l.finish(n, a) {
		return
	}
	select {
	case l.room <- struct{}{}:
	default:
	}
}

func (l *Load) finish(n int64, a Answer) bool {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	p, ok := l.pending[n]
	delete(l.pending, n)
	if ok && p.measured {
		took := now.Sub(p.due)
		if a.Err != "" {
			took = max(took, p.sent.Sub(p.due)+l.o.Timeout)
		}
		l.sums.end(now, took, a)
	}
	return ok
}

// Run asks until the time is over and every ask has ended, or until ctx ends: then asks on their
// way are left out.
func (l *Load) Run(ctx context.Context) *Result {
	l.begin = time.Now()
	l.from = l.begin.Add(l.o.Warm)
	l.end = l.from.Add(l.o.For)
	l.sums.second = l.from
	next, tick := time.NewTimer(0), time.NewTicker(tickEvery)
	defer next.Stop()
	defer tick.Stop()
	for told := 0; ; {
		select {
		case <-ctx.Done():
			return l.result(time.Now(), true)
		case <-next.C:
		case <-l.room:
		case <-tick.C:
		}
		now := time.Now()
		l.expire(now)
		told = l.tell(now, told)
		if now.Before(l.end) || now.Before(l.end.Add(late)) && l.behind() {
			next.Reset(l.sendDue(now))
			continue
		}
		if l.idle() {
			return l.result(now, false)
		}
	}
}

const (
	tickEvery = 20 * time.Millisecond // how late a given-up ask is noticed at most
	burst     = 256                   // asks sent without looking at the clock
	// Asks that were due before the end are still sent after it: a busy machine was late, not the
	// fleet.
	late = 100 * time.Millisecond
)

// behind reports whether asks of the schedule are left to be sent.
func (l *Load) behind() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.o.Rate > 0 && l.sent < l.planned()
}

// due is how many asks are due at now.
func (l *Load) due(now time.Time) int64 {
	if l.o.Rate == 0 {
		return math.MaxInt64
	}
	return min(int64(now.Sub(l.begin).Seconds()*l.o.Rate+1e-6)+1, l.planned())
}

// planned is how many asks the whole schedule has.
func (l *Load) planned() int64 { return int64(math.Round(l.end.Sub(l.begin).Seconds() * l.o.Rate)) }

func (l *Load) dueAt(n int64) time.Time {
	return l.begin.Add(time.Duration(float64(n) / l.o.Rate * float64(time.Second)))
}

// sendDue sends the due asks that have room, and gives the time until the next is due.
func (l *Load) sendDue(now time.Time) time.Duration {
	due := l.due(now)
	for range burst {
		n, room := l.take(time.Now(), due)
		if !room {
			if l.o.Rate == 0 || n < due {
				return time.Hour // an answer wakes us
			}
			return time.Until(l.dueAt(n))
		}
		if err := l.send(n); err != nil {
			l.finish(n, Answer{Err: err.Error()})
			if l.o.Rate == 0 {
				return tickEvery // a closed loop would only fail faster
			}
		}
	}
	return 0
}

// take begins the next ask, if it is due and there is room.
func (l *Load) take(now time.Time, due int64) (n int64, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n = l.sent
	if n >= due || len(l.pending) >= l.o.Outstanding {
		return n, false
	}
	at := now
	if l.o.Rate > 0 {
		at = l.dueAt(n)
	}
	p := ask{due: at, sent: now, measured: !at.Before(l.from)}
	l.pending[n] = p
	l.sent++
	if p.measured {
		l.sums.begin(now, now.Sub(at))
	}
	return n, true
}

// expire gives up asks that were sent longer ago than the timeout. Asks are sent in the order of
// their numbers.
func (l *Load) expire(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for ; l.oldest < l.sent; l.oldest++ {
		p, ok := l.pending[l.oldest]
		if !ok {
			continue
		}
		if now.Sub(p.sent) < l.o.Timeout {
			return
		}
		delete(l.pending, l.oldest)
		if p.measured {
			l.sums.end(now, now.Sub(p.due), Answer{Err: TimedOut})
		}
	}
}

// TimedOut is the Err of an ask that was given up.
const TimedOut = "no answer in time"

func (l *Load) idle() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.pending) == 0
}

// tell passes the seconds that are over to Tick.
func (l *Load) tell(now time.Time, told int) int {
	l.mu.Lock()
	l.sums.roll(now)
	fresh := l.sums.seconds[told:]
	l.mu.Unlock()
	if l.o.Tick != nil {
		for _, s := range fresh {
			l.o.Tick(s)
		}
	}
	return told + len(fresh)
}
