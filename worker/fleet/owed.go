// What is owed because of an entry, and which member owes it.

package fleet

import (
	"slices"

	"protocolq/worker/journal"
)

// Duty is a settled ask or an answer that is not told yet: a reply and a line, or an event, a line
// and perhaps a dead letter. Either Ask or Answer is set.
type Duty struct {
	Entry  journal.Ref
	Ask    *Ask
	Answer *Answered
}

// Key is the key that the duty is about.
func (d Duty) Key() journal.Key {
	if d.Ask != nil {
		return d.Ask.Key
	}
	return d.Answer.Key
}

// by is the member whose entry made the duty.
func (d Duty) by() journal.Member {
	if d.Ask != nil {
		return d.Ask.Settled.By
	}
	return d.Answer.By
}

// Owes reports whether a duty is the member's: it wrote the entry that made the duty, or the writer
// is no longer live and the member owns the key. If two members tell it one after the other, both
// have the same identity and it counts once.
func (s *State) Owes(id journal.Member, d Duty) bool {
	by := d.by()
	return by == id || !s.lives(by) && s.Owner(d.Key()) == id
}

// Owed are all duties of a member, in the log's order. It looks through everything that is open,
// which is needed only when members changed; otherwise Changes.Due has what is new.
func (s *State) Owed(id journal.Member) (due []Duty) {
	for ref, a := range s.asks {
		if a.Settled == nil {
			continue // whatever memory or a clock would settle it with: it has to be in the log first
		}
		if d := (Duty{Entry: ref, Ask: a}); s.Owes(id, d) {
			due = append(due, d)
		}
	}
	for ref, o := range s.answered {
		if d := (Duty{Entry: ref, Answer: o}); s.Owes(id, d) {
			due = append(due, d)
		}
	}
	slices.SortFunc(due, func(a, b Duty) int { return a.Entry.Compare(b.Entry) })
	return due
}
