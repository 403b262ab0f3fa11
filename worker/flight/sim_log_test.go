// The log and the network of the simulation: appends compare and swap, and what is sent may be late
// or lost.

package flight_test

import (
	"slices"
	"time"

	"protocolq/worker/fleet"
	"protocolq/worker/journal"
)

// reply is what an append or a read of a member's newest message comes to.
type reply struct {
	stored  bool
	newest  uint64 // position of the newest message on the subject, 0: none
	number  uint64 // and its number
	sealed  bool
	refused bool
}

// trip is how long a message takes from one side to the other.
func (w *world) trip() time.Duration {
	if w.chance(30) {
		return w.between(100*time.Millisecond, 1500*time.Millisecond)
	}
	return w.between(time.Millisecond, w.slow)
}

// append sends a batch to a member's subject, expecting what was last there. The answer, if one
// comes, is given to then.
func (w *world) append(p *proc, m journal.Member, b journal.Batch, expect uint64, then func(reply)) {
	if w.away > w.now || p.cut > w.now {
		return
	}
	if w.chance(20) {
		w.note("request lost", "%s/%d", m, b.Number)
		return
	}
	w.after(w.trip(), func() {
		if w.away > w.now || w.mute > w.now {
			return
		}
		r := reply{}
		if w.last[m] == expect {
			b.Member = m
			w.store(&b)
			r.stored, r.newest = true, b.Position
		} else {
			r.refused = true
		}
		if w.chance(20) {
			w.note("acknowledgement lost", "%s/%d", m, b.Number)
			return
		}
		w.after(w.trip(), func() {
			if w.away <= w.now && p.cut <= w.now && w.mute <= w.now {
				p.run(func() { then(r) })
			}
		})
	})
}

// newest reads the newest message of a member's subject at the leader.
func (w *world) newest(p *proc, m journal.Member, then func(reply)) {
	if w.away > w.now || p.cut > w.now || w.mute > w.now {
		return
	}
	w.after(w.trip(), func() {
		r := reply{newest: w.last[m]}
		if r.newest > 0 {
			b := w.log[r.newest-1]
			if b.Number > 1 && w.chance(3) { // one who was the leader answers
				w.seen["stale read"]++
				at := b.Position - 1
				for w.log[at-1].Member != m {
					at--
				}
				b = w.log[at-1]
			}
			r.newest, r.number, r.sealed = b.Position, b.Number, b.Seal() != nil
		}
		p.run(func() { then(r) })
	})
}

// store puts a batch into the log and hands it to everybody who listens.
func (w *world) store(b *journal.Batch) {
	b.Position = uint64(len(w.log)) + 1
	b.Stored = w.start.Add(w.now + w.clock)
	b.Entries = slices.Clone(b.Entries) // the writer has its own
	for i, e := range b.Entries {       // what lies in the same batch got its position now
		if e, ok := e.(*journal.Begin); ok && e.Asked.Position == 0 && e.Asked.Index > 0 {
			filled := *e
			filled.Asked.Position = b.Position
			b.Entries[i] = &filled
		}
	}
	w.log, w.stored = append(w.log, b), append(w.stored, w.now)
	w.last[b.Member] = b.Position
	w.check(b)
	for _, p := range w.procs {
		if p.dead {
			continue
		}
		if w.away > w.now || p.cut > w.now || w.chance(25) {
			continue // republished messages are lost without a word
		}
		w.after(w.trip(), func() {
			if p.cut <= w.now && w.away <= w.now {
				p.run(func() { p.peer.follow(b) })
			}
		})
	}
}

// purge removes what lies below a position.
func (w *world) purge(first uint64) {
	w.note("purged", "below %d of %d", first, len(w.log))
	for m, at := range w.last {
		if at < first {
			delete(w.last, m)
		}
	}
	w.first = first
	w.oracle.Purged(first)
	shadow := fleet.New(w.o, first)
	for _, b := range w.log[first-1:] {
		if _, err := shadow.Apply(b, fleet.Heard{At: w.now, Age: w.now - w.stored[b.Position-1]}); err != nil {
			w.errorf("%v", err)
		}
	}
	for _, m := range w.oracle.Live() {
		for _, d := range w.oracle.Owed(m.ID) {
			if a := d.Ask; a != nil {
				w.text(a, said(a.Settled), a.Settled)
			}
		}
	}
	if d := fleet.Diff(w.oracle, shadow, w.now); d != "" {
		w.errorf("purged below %d, and then: %s", first, d)
	}
}

// entry is what stands at a place, whether it is purged or not, with its writer.
func (w *world) entry(at journal.Ref) (journal.Entry, journal.Member) {
	b := w.log[at.Position-1]
	return b.Entries[at.Index-1], b.Member
}

// answerAt is the answer whose text lies at a place.
func (w *world) answerAt(at journal.Ref) *journal.Answer {
	switch e, _ := w.entry(at); e := e.(type) {
	case *journal.Answer:
		return e
	case *journal.Carried:
		return e.Entry.(*journal.Answer)
	}
	panic("no answer at " + at.String())
}

// replay folds what the log holds, as somebody does who starts now.
func (w *world) replay(p *proc) *fleet.State {
	s := fleet.New(w.o, w.first)
	server := w.start.Add(w.now + w.clock)
	own := w.start.Add(w.now + p.wall)
	for _, b := range w.log[w.first-1:] {
		if _, err := s.Apply(b, fleet.Heard{At: w.now, Age: fleet.Age(b.Stored, server, own)}); err != nil {
			w.errorf("replay: %v", err)
		}
	}
	return s
}
