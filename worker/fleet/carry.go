// The tail: what of it is still needed, what is written again, and up to where it may be purged.

package fleet

import (
	"slices"
	"time"

	"protocolq/worker/journal"
	"protocolq/worker/memory"
)

// void is a batch with an entry that does not count, and the position from which the log says why.
// For a begin or an answer that is the position its writer had read, because the writer did not
// know what made the entry void. A fold that begins between the two would let it count.
type void struct{ read, position uint64 }

// mark is a position, the log's own time there, and the member's time when it had applied the
// position.
type mark struct {
	clock    time.Duration
	position uint64
	at       time.Duration
}

// mark notes the position now and then, to know from which position on the log is younger than
// Keep.
func (s *State) mark(at time.Duration) {
	if n := len(s.marks); n == 0 || s.clock-s.marks[n-1].clock >= s.o.Keep/64 {
		s.marks = append(s.marks, mark{s.clock, s.applied, at})
	}
	for len(s.marks) > 1 && s.marks[1].clock < s.clock-s.o.Keep {
		s.marks = s.marks[1:]
	}
}

// Tail is the lowest position that a fold has to begin with to be equal to this one: below it the
// log holds nothing that is open, owed or remembered, and nothing that a late entry may refer to.
func (s *State) Tail() uint64 {
	low, decided := s.marks0(), s.decided()
	need := func(r journal.Ref) {
		if r.Position > 0 {
			low = min(low, r.Position)
		}
	}
	for _, a := range s.asks {
		need(a.At) // what settles it is above
		if a.Settled != nil {
			need(a.Settled.Answer)
		}
	}
	for _, o := range s.answered {
		need(o.At)
	}
	for _, ks := range s.keys {
		if ks.open != nil {
			need(ks.open.At)
		}
	}
	for _, t := range s.told {
		low = min(low, t.pin)
	}
	for _, index := range []*memory.Index{s.answers, s.cooling} {
		for _, a := range index.All {
			// It may last a little longer by another member's clock, and a decision made then may still be
			// on its way.
			if decided < a.Expires+s.o.Lag {
				need(a.At)
			}
		}
	}
	return low
}

// marks0 is the position from which the log is younger than Keep: tokens, crashes and seals of that
// time are known only from reading it.
func (s *State) marks0() uint64 {
	if len(s.marks) == 0 {
		return s.base
	}
	return s.marks[0].position
}

// read is the position up to which every live member says it has read.
func (s *State) read() uint64 {
	low := s.applied
	for _, m := range s.live {
		low = min(low, m.Read)
	}
	return low
}

// decided is a time on the member's own clock: no live member will still write what it decided
// before it, within Lag.
func (s *State) decided() (at time.Duration) {
	read := s.read()
	for _, m := range s.marks {
		if m.position <= read {
			at = m.at
		}
	}
	return at
}

// Purge is the position below which the member may purge the log, and whether there is anything to
// purge. One member purges: the one that joined first.
func (s *State) Purge(id journal.Member) (uint64, bool) {
	if len(s.live) == 0 || s.live[0].ID != id || !s.Complete(id) {
		return 0, false
	}
	// A member may still contradict what it has not read, for example by a copy of what has ended
	// there. A head is above the position that it says was read, so each live member keeps a batch;
	// without one it would not be a member.
	low := min(s.Tail(), s.read()+1)
	for moved := true; moved; {
		moved = false
		for _, v := range s.voids {
			if v.read+1 < low && low <= v.position {
				low, moved = v.read+1, true
			}
		}
	}
	return low, low > s.bottom
}

// Purged notes that the log now begins at a position. The fold forgets what it kept only for
// entries below.
func (s *State) Purged(first uint64) {
	s.bottom = max(s.bottom, first)
	s.voids = slices.DeleteFunc(s.voids, func(v void) bool { return v.position < first })
}

// Item is a live entry of the tail that the member has to write again. Its text is read from the
// log at At.
type Item struct {
	Kind journal.Kind // an ask, a begin or an answer
	At   journal.Ref
	Key  journal.Key

	first  journal.Ref    // of an ask or a begin; an answer's text has it
	writer journal.Member // of a begin
	time   time.Duration  // when an ask was stored, when an answer expires
}

// Copy is the copy that goes into a batch: e is the entry at i.At, and writer the member that wrote
// that batch. Copy is nil if e cannot be carried. The copy of an answer about a person who is to be
// forgotten says only that it is dropped.
func (s *State) Copy(i Item, e journal.Entry, writer journal.Member, now time.Duration) *journal.Carried {
	c := &journal.Carried{First: i.At, Writer: writer, Entry: e}
	if copied, ok := e.(*journal.Carried); ok {
		c.First, c.Writer, c.Entry = copied.First, copied.Writer, copied.Entry
	}
	switch e := c.Entry.(type) {
	case *journal.Ask:
		c.First, c.Age = i.first, now-i.time
	case *journal.Begin:
		c.First, c.Writer = i.first, i.writer
	case *journal.Answer:
		c.Age = max(0, e.Keep-(i.time-now))
		if s.Forgot(e.Persons, e.Begun) {
			c.Entry = Emptied(e)
		}
	default:
		return nil
	}
	return c
}

// Emptied is the copy of an answer that says only that the answer is no longer remembered.
func Emptied(e *journal.Answer) *journal.Answer {
	return &journal.Answer{Key: e.Key, Question: e.Question, Run: e.Run, Verdict: e.Verdict, Begun: e.Begun,
		Persons: e.Persons}
}

// Carry are entries below a position that the member has to write again, at most so many: those of
// keys that it owns, open ones before answers. It goes through the memory, from where it stopped.
func (s *State) Carry(o *Own, below uint64, now time.Duration, most int) (items []Item) {
	may := func(i Item) bool { return i.At.Position < below && s.MayCarry(o, i, now) }
	for _, a := range s.asks {
		if i := (Item{Kind: journal.KindAsk, At: a.At, Key: a.Key, first: a.First, time: a.Stored}); may(i) {
			items = append(items, i)
		}
	}
	for k, ks := range s.keys {
		if r := ks.open; r != nil {
			if i := (Item{Kind: journal.KindBegin, At: r.At, Key: k, first: r.First, writer: r.Writer}); may(i) {
				items = append(items, i)
			}
		}
	}
	slices.SortFunc(items, func(a, b Item) int { return a.At.Compare(b.At) })
	items = items[:min(len(items), most)]
	for range memory.Parts {
		for k, a := range s.answers.Part(o.part) {
			if len(items) == most {
				return items
			}
			if i := (Item{Kind: journal.KindAnswer, At: a.At, Key: k, time: a.Expires}); may(i) {
				items = append(items, i)
			}
		}
		o.part = (o.part + 1) % memory.Parts
	}
	return items
}

// MayCarry reports whether an item is unchanged and the member still has to carry it. It is called
// when the item's copy goes into a batch.
func (s *State) MayCarry(o *Own, i Item, now time.Duration) bool {
	if s.bar(o, i.Key) != Nobody {
		return false
	}
	switch i.Kind {
	case journal.KindAsk:
		a := s.asks[i.first]
		return a != nil && a.At == i.At && a.Settled == nil
	case journal.KindBegin:
		// While its writer lives, only the writer knows whether it is about to end the run.
		r := s.Open(i.Key)
		return r != nil && r.At == i.At && (r.Writer == o.ID || s.Cut(r))
	case journal.KindAnswer:
		a, ok := s.answers.Get(i.Key)
		return ok && a.At == i.At && now < a.Expires
	}
	return false
}

// LiveBytes is about how much of the log is live, if an answer takes so many bytes. Carrying the
// tail is worth it when the log is somewhat more than twice as large.
func (s *State) LiveBytes(answer int64) int64 {
	return s.bytes + answer*int64(s.answers.Len())
}
