// A sink: what waits to be published in one place, and how it is tried while that is unavailable.

package outbox

import (
	"container/heap"
	"sync/atomic"
	"time"
)

// parcel is one message that a duty owes, until it is acknowledged.
type parcel struct {
	task    *task
	kind    kind
	dead    *dead     // of a dead letter that replaces a refused reply
	lane    string    // the subject of a durable reply, which alone may be full; "" otherwise
	cut     int       // how often it was shortened for its size
	tries   int       // how often it did not get through
	missed  int       // how often there was no subscriber for a reply
	counted bool      // it is counted as a reply
	probe   bool      // it is on its way to test whether the sink is back
	due     time.Time // not before
}

// sink is a queue in front of one place. It belongs to the goroutine of Run, except its atomic
// fields.
type sink struct {
	kind     kind
	most     int  // messages on their way at once
	together bool // they go and end as one batch

	ready   []*parcel        // in the order in which they came
	later   parcels          // to be tried again, by when
	out     int              // on their way
	fails   int              // tries in a row that found it unavailable
	since   time.Time        // the first of them
	until   time.Time        // no probe before
	probing bool             // one is on its way
	lanes   map[string]*lane // subjects that are full
	alarm   alarm            // that the sink is unavailable
	refusal alarm            // about what it refuses permanently

	away    atomic.Bool
	waiting atomic.Int64 // parcels that are not acknowledged
	refused atomic.Uint64
}

// lane is a subject that is full, while others of its stream are not.
type lane struct {
	fails int
	until time.Time // no further try before
	probe *parcel   // tests whether there is room again
}

// Waits after a try that did not get through, and after a reply without a subscriber.
const (
	firstWait  = 50 * time.Millisecond // doubles
	lastWait   = 2 * time.Second
	missedWait = 200 * time.Millisecond // doubles
	mostMissed = 5                      // then the asker has left
)

// waitAfter is the wait after so many tries, from 1 on.
func waitAfter(tries int) time.Duration {
	return min(firstWait<<min(tries-1, 16), lastWait)
}

func (s *sink) add(p *parcel) {
	s.waiting.Add(1)
	s.ready = append(s.ready, p)
}

// take gives what may be sent now. While the sink is unavailable that is one message, to test
// whether it is back.
func (s *sink) take(now time.Time) (batch []*parcel) {
	for len(s.later) > 0 && !s.later[0].due.After(now) {
		s.ready = append(s.ready, heap.Pop(&s.later).(*parcel))
	}
	room := s.most - s.out
	switch {
	case s.away.Load() && (s.probing || s.until.After(now)), s.together && s.out > 0:
		return nil
	case s.away.Load():
		room = 1
	}
	for len(batch) < room && len(s.ready) > 0 {
		p := s.ready[0]
		s.ready[0], s.ready = nil, s.ready[1:]
		if p.task.told.Load() { // by another
			s.leave()
			continue
		}
		if l := s.lanes[p.lane]; l != nil {
			if l.until.After(now) {
				s.retry(p, l.until)
				continue
			}
			l.probe, l.until = p, now.Add(waitAfter(l.fails+1)) // one tests for all
		}
		if p.probe = s.away.Load(); p.probe {
			s.probing = true
		}
		batch = append(batch, p)
	}
	s.out += len(batch)
	return batch
}

// next is when there may be something to send although nothing new came; zero if nothing waits for
// a time.
func (s *sink) next() (at time.Time) {
	switch {
	case s.away.Load() && s.probing, s.together && s.out > 0:
		return time.Time{} // parcels on their way come first
	case len(s.ready) > 0 && s.away.Load():
		at = s.until
	case len(s.later) > 0:
		at = s.later[0].due
	}
	if s.away.Load() && !at.IsZero() && at.Before(s.until) {
		at = s.until
	}
	return at
}

// ended notes that a parcel is no longer on its way.
func (s *sink) ended(p *parcel) {
	s.out--
	if p.probe {
		s.probing = false
	}
}

// leave counts a parcel less. If that was the last, nobody knows whether the sink or a lane still
// accepts nothing.
func (s *sink) leave() {
	if s.waiting.Add(-1) == 0 {
		clear(s.lanes)
		s.well()
		s.alarm = alarm{}
	}
}

// well notes that the sink accepts messages, and reports whether it did not before.
func (s *sink) well() (back bool) {
	s.fails = 0
	return s.away.Swap(false)
}

// failed keeps a parcel that did not get through until it is tried again. The end of a parcel that
// was sent before the sink was found unavailable says nothing new about it.
func (s *sink) failed(p *parcel, now time.Time) {
	if !s.away.Load() || !s.until.After(now) {
		s.away.Store(true)
		if s.fails++; s.fails == 1 {
			s.since = now
		}
		s.until = now.Add(waitAfter(s.fails))
	}
	p.tries++
	s.retry(p, now.Add(waitAfter(p.tries)))
}

// laneFull keeps a parcel whose subject is full, and with it all others of that subject.
func (s *sink) laneFull(p *parcel, now time.Time) {
	l := s.lanes[p.lane]
	if l == nil {
		l = &lane{probe: p}
		s.lanes[p.lane] = l
	}
	if l.probe == p { // what was sent before says nothing new
		l.fails++
		l.until = now.Add(waitAfter(l.fails))
	}
	s.retry(p, l.until)
}

// retry keeps a parcel until a time.
func (s *sink) retry(p *parcel, at time.Time) {
	p.due = at
	heap.Push(&s.later, p)
}

// parcels is a heap by due time.
type parcels []*parcel

func (h parcels) Len() int           { return len(h) }
func (h parcels) Less(i, j int) bool { return h[i].due.Before(h[j].due) }
func (h parcels) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }

// Push implements [heap.Interface].
func (h *parcels) Push(p any) { *h = append(*h, p.(*parcel)) }

// Pop implements [heap.Interface].
func (h *parcels) Pop() any {
	old := *h
	p := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return p
}

// alarm is logged at once, and again while its cause lasts.
type alarm struct {
	last time.Time
	n    int
}

const alarmEvery = 30 * time.Second

// again counts one more, and reports whether to log it now, and for how many.
func (a *alarm) again(now time.Time) (n int, due bool) {
	a.n++
	if !a.last.IsZero() && now.Sub(a.last) < alarmEvery {
		return 0, false
	}
	n, a.n, a.last = a.n, 0, now
	return n, true
}
