// A flight: everything this process does for one key while somebody here waits for it.

package dedupe

import (
	"context"
	"errors"
	"slices"
	"time"
)

// flight is the wait for one key in this process. Group.mu guards its fields;
// only the flight's own goroutine removes asks.
type flight[Q any] struct {
	key   string
	entry *Entry // newest revision known; nil: nothing heard of
	asks  []*Ask[Q]
	ran   string             // the run of this process that ended last; "" before
	read  any                // Outcome.Read of that
	lost  []string           // the runs of claims whose acknowledgements did not come
	wake  chan struct{}      // something has changed: an ask has come, or news
	news  chan struct{}      // a newer revision was heard of
	hold  context.CancelFunc // ends the wait to be admitted; nil when there is none
}

func (f *flight[Q]) nudge() { signal(f.wake) }

// hear wakes the flight for a newer revision. The caller holds Group.mu.
func (f *flight[Q]) hear() {
	signal(f.news)
	signal(f.wake)
	if f.hold != nil {
		f.hold()
	}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// begin hands a flight to a pilot that is free, or to a new one.
func (g *Group[Q]) begin(f *flight[Q]) {
	select {
	case g.pilots <- f:
	default:
		g.wg.Add(1)
		go g.pilot(f)
	}
}

// pilot flies f and then, for a while, whatever begins: a goroutine that has been through a call
// has grown the stack that the next one needs.
func (g *Group[Q]) pilot(f *flight[Q]) {
	defer g.wg.Done()
	rest := time.NewTimer(pilotRest)
	defer rest.Stop()
	for {
		g.fly(f)
		rest.Reset(pilotRest)
		select {
		case f = <-g.pilots:
		case <-rest.C:
			return
		case <-g.intake.Done():
			return
		}
	}
}

const pilotRest = 100 * time.Millisecond

// fly serves a key until nobody here waits for it: tell what can be told, then
// take the next step for the rest.
func (g *Group[Q]) fly(f *flight[Q]) {
	conflicts := 0
	for {
		first, e, waiting := g.settle(f)
		if !waiting {
			return
		}
		s := g.o.decide(e, time.Since(e.seen), g.o.Clock())
		if e.Record.Phase == Running && slices.Contains(f.lost, e.Record.Run) {
			s = step{act: actClaim, expect: e.Seq} // that claim did arrive, and nothing ran under it
		}
		if s.act == actWait {
			conflicts = 0
			g.await(f, s.wait)
			continue
		}
		if err := g.step(f, first, e, s); err != nil {
			if conflicts++; conflicts > 1 || !errors.Is(err, ErrConflict) {
				_ = pause(g.work, conflicts) // cut short when closing: settle gives the asks back
			}
			g.refresh(f)
			continue
		}
		conflicts = 0
	}
}

// settle tells every ask of the flight that can be told something. It returns
// the first of the rest and the entry to go on from, or ends the flight.
func (g *Group[Q]) settle(f *flight[Q]) (first *Ask[Q], e *Entry, waiting bool) {
	now := g.o.Clock()
	g.mu.Lock()
	if f.entry == nil {
		f.entry = &Entry{Key: f.key}
	}
	e = f.entry
	select { // what is heard of from here on is news
	case <-f.news:
	default:
	}
	told := make([]func(), 0, len(f.asks))
	rest := f.asks[:0]
	for _, a := range f.asks {
		v, ok := judge(e, a.wish(), now)
		if !ok && g.ended {
			v, ok = Verdict{Kind: GivenBack}, true
		}
		if !ok {
			rest = append(rest, a)
			continue
		}
		if v.Run != "" && v.Run == f.ran {
			v.Mine, v.Read = true, f.read
		}
		told = append(told, func() { a.Tell(v) })
	}
	clear(f.asks[len(rest):])
	f.asks = rest
	if len(rest) == 0 {
		delete(g.flights, f.key)
	} else {
		first = rest[0]
	}
	g.mu.Unlock()
	g.parked.Add(-int64(len(told)))
	for _, tell := range told {
		tell()
	}
	return first, e, first != nil
}

// await waits for a change of the key, at most limit, and reads it in case a
// change was missed.
func (g *Group[Q]) await(f *flight[Q], limit time.Duration) {
	t := time.NewTimer(min(limit, g.o.Poll, g.patience(f)))
	defer t.Stop()
	select {
	case <-f.wake:
	case <-g.intake.Done():
	case <-t.C:
		if limit > g.o.Poll {
			g.stats.Polls.Add(1)
			g.refresh(f)
		}
	}
}

// patience is how long until the first ask of the flight expires.
func (g *Group[Q]) patience(f *flight[Q]) time.Duration {
	now := g.o.Clock()
	g.mu.Lock()
	defer g.mu.Unlock()
	d := time.Duration(1<<63 - 1)
	for _, a := range f.asks {
		d = min(d, max(a.Until.Sub(now), 0))
	}
	return d
}

// refresh reads the key from the store.
func (g *Group[Q]) refresh(f *flight[Q]) {
	ctx, cancel := context.WithTimeout(g.work, g.o.Poll)
	defer cancel()
	e, err := g.o.Store.Get(ctx, f.key)
	if err != nil {
		g.o.Logger.Debug("read key", "err", err)
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	e.Key, e.seen, e.read = f.key, g.since(&e), true
	switch known := f.entry; {
	case known != nil && known.Seq == e.Seq:
		known.read = true
	case known != nil && known.Seq > e.Seq && time.Since(known.seen) < followerLag:
		// What was just heard of is newer than what a follower has.
	case known != nil && known.Seq > e.Seq: // ended, or the stream was made anew
		g.heard.drop(f.key)
		fallthrough
	default:
		if e.Seq != 0 {
			g.learn(&e)
		}
		f.entry = &e
	}
}

// followerLag is how long a read may be older than what was heard of before the
// read is believed.
const followerLag = time.Second
