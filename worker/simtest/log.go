// The log and the network of the simulation: appends compare and swap, and what is sent may be late
// or lost.

package simtest

import (
	"slices"
	"time"

	"protocolq/worker/fleet"
	"protocolq/worker/journal"
)

// outcome is what an append or a read of a member's newest message comes to.
type outcome struct {
	stored bool
	newest uint64 // position of the newest message on the subject, 0: none
	number uint64 // and its number
	sealed bool
}

// Trip draws how long a message takes from one side to the other.
func (w *World) Trip() time.Duration {
	if w.Chance(30) {
		return w.Between(100*time.Millisecond, 1500*time.Millisecond)
	}
	return w.Between(time.Millisecond, w.slow)
}

// append sends a batch to a member's subject, expecting what was last there. The outcome, if one
// comes, is given to then.
func (w *World) append(p *Process, m journal.Member, b journal.Batch, expect uint64, then func(outcome)) {
	if p.cutOff() {
		return
	}
	if w.Chance(20) {
		w.Note("request lost", "%s/%d", m, b.Number)
		return
	}
	w.After(w.Trip(), func() {
		if w.away > w.now || w.mute > w.now {
			return
		}
		o := outcome{}
		if at := w.damaged[m]; w.last[m] == expect && (at == 0 || w.now <= at+learns) {
			b.Member = m
			w.store(&b)
			o.stored, o.newest = true, b.Position
		}
		if w.Chance(20) {
			w.Note("acknowledgement lost", "%s/%d", m, b.Number)
			return
		}
		w.After(w.Trip(), func() {
			if !p.cutOff() && w.mute <= w.now {
				p.Run(func() { then(o) })
			}
		})
	})
}

// newest reads the newest message of a member's subject at the leader.
func (w *World) newest(p *Process, m journal.Member, then func(outcome)) {
	if p.cutOff() || w.mute > w.now {
		return
	}
	w.After(w.Trip(), func() {
		o := outcome{newest: w.last[m]}
		if o.newest > 0 {
			b := w.log[o.newest-1]
			if b.Number > 1 && w.Chance(3) { // one who was the leader answers
				w.Seen["stale read"]++
				at := b.Position - 1
				for w.log[at-1].Member != m {
					at--
				}
				b = w.log[at-1]
			}
			o.newest, o.number, o.sealed = b.Position, b.Number, b.Seal() != nil || b.Corrupt != nil
		}
		p.Run(func() { then(o) })
	})
}

// store puts a batch into the log and passes it to all listeners.
func (w *World) store(b *journal.Batch) {
	b.Position = uint64(len(w.log)) + 1
	b.Stored = w.start.Add(w.now + w.wrong)
	b.Entries = slices.Clone(b.Entries) // the writer has its own
	for i, e := range b.Entries {       // what lies in the same batch got its position now
		if e, ok := e.(*journal.Begin); ok && e.Asked.Position == 0 && e.Asked.Index > 0 {
			filled := *e
			filled.Asked.Position = b.Position
			b.Entries[i] = &filled
		}
	}
	if w.o.Damages && w.damages(b) {
		b = &journal.Batch{Member: b.Member, Position: b.Position, Stored: b.Stored, Corrupt: []byte{1}}
	}
	w.log, w.stored = append(w.log, b), append(w.stored, w.now)
	w.last[b.Member] = b.Position
	w.check(b)
	for _, p := range w.processes {
		if p.dead {
			continue
		}
		if p.cutOff() || w.Chance(25) {
			continue // republished messages are lost without a word
		}
		w.After(w.Trip(), func() {
			if !p.cutOff() {
				p.Run(func() { p.Member.follow(b) })
			}
		})
	}
}

// isDamaged reports whether a damaged batch has sealed a member.
func (w *World) isDamaged(m journal.Member) bool { return w.damaged[m] > 0 }

// learns is the longest until a member learns that one of its batches was damaged: less than others
// wait for its calls. What a member does that reads nothing for longer and still writes is not
// simulated: no fence keeps it from calling.
const learns = 5500 * time.Millisecond

// damages draws whether a batch is damaged. That seals its member, which goes on until it has read
// it. Only batches with begins, told entries and copies are, because a process that has to write
// others again is more than is simulated here.
func (w *World) damages(b *journal.Batch) bool {
	m := w.oracle.Member(b.Member)
	if m == nil || m.Sealed != 0 || len(b.Entries) == 0 || slices.ContainsFunc(b.Entries, mustStay) || !w.Chance(25) {
		return false
	}
	w.Note("damaged", "%d of %s", b.Position, b.Member)
	w.damaged[b.Member] = w.now
	by := w.members[b.Member]
	w.deafen(by.Process) // the worst moment: it goes on for as long as it can
	w.After(learns, func() { by.Run(by.end) })
	return true
}

func mustStay(e journal.Entry) bool {
	k := e.Kind()
	return k != journal.KindBegin && k != journal.KindTold && k != journal.KindCarried
}

// purge removes what lies below a position.
func (w *World) purge(first uint64) {
	w.Note("purged", "below %d of %d", first, len(w.log))
	for m, at := range w.last {
		if at < first {
			delete(w.last, m)
		}
	}
	w.first = first
	w.oracle.Purged(first)
	shadow := w.shadow(first, uint64(len(w.log)))
	for _, m := range w.oracle.Live() {
		for _, d := range w.oracle.Owed(m.ID) {
			if a := d.Ask; a != nil {
				w.text(a, Says(a.Settled), a.Settled)
			}
		}
	}
	if d := fleet.Diff(w.oracle, shadow, w.now); d != "" {
		w.Errorf("purged below %d, and then: %s", first, d)
	}
}

// shadow folds the log from one position up to another, as if it began there.
func (w *World) shadow(first, last uint64) *fleet.State {
	shadow := fleet.New(w.Fleet, first)
	for _, b := range w.log[first-1 : last] {
		if _, err := shadow.Apply(b, fleet.Heard{At: w.now, Age: w.now - w.stored[b.Position-1]}); err != nil {
			w.Errorf("%v", err)
		}
	}
	return shadow
}

// Entry reads what stands at a place; false: it is purged.
func (w *World) Entry(at journal.Ref) (journal.Entry, bool) {
	if at.Position < w.first {
		return nil, false
	}
	e, _ := w.entry(at)
	return e, true
}

// entry is what stands at a place, whether it is purged or not, with its writer.
func (w *World) entry(at journal.Ref) (journal.Entry, journal.Member) {
	b := w.log[at.Position-1]
	return b.Entries[at.Index-1], b.Member
}

// Answer is the answer whose text lies at a place, whether it is purged or not.
func (w *World) Answer(at journal.Ref) *journal.Answer {
	switch e, _ := w.entry(at); e := e.(type) {
	case *journal.Answer:
		return e
	case *journal.Carried:
		return e.Entry.(*journal.Answer)
	}
	panic("no answer at " + at.String())
}
