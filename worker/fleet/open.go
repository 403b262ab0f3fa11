// Runs in the fold: begins, and the answers that end them.

package fleet

import (
	"slices"
	"time"

	"protocolq/worker/journal"
	"protocolq/worker/memory"
)

// Run is a key's open run: a begin that counts and has no answer that counts. The call that it
// allows may have been made.
type Run struct {
	ID string
	// Writer is the member that began it and alone calls for it.
	Writer journal.Member
	// Attempt is that of its newest begin, Deaths how many runs before it were cut.
	Attempt, Deaths int
	// First is the place of the first begin that this fold has seen, At that of the newest begin or of
	// its newest copy.
	First, At journal.Ref
	// Partner is the partner that it is for.
	Partner string

	heard   time.Duration // when its newest begin was applied here
	refused []refused

	// asked is the ask that started it, and question what that asks, see [memory.Question]. It is not
	// known if the fold has not seen that ask.
	asked    journal.Ref
	question uint32
	known    bool
}

// refused is the id of an ask that was settled after the run was cut, and not by its answer: why,
// and at which position.
type refused struct {
	id  journal.Hash
	why string
	at  uint64
}

// Answered is an answer that counts and has duties of its own that are not told yet: its event, its
// line, its dead letter.
type Answered struct {
	At  journal.Ref
	Key journal.Key
	Run string
	By  journal.Member
}

// Open is a key's open run, or nil.
func (s *State) Open(k journal.Key) *Run {
	if ks := s.keys[k]; ks != nil {
		return ks.open
	}
	return nil
}

// Cut reports whether a run's writer is sealed, or unknown because its seal was long ago. Then no
// answer of it may ever come.
func (s *State) Cut(r *Run) bool { return !s.lives(r.Writer) }

// begin applies a begin. It counts if it is the key's first, a further attempt of the open run, or
// follows the open run. If two members both see the same run cut, the second begin is void.
func (s *State) begin(b *journal.Batch, at journal.Ref, e *journal.Begin, h Heard) {
	ks := s.key(e.Key)
	run := &Run{
		ID: e.Run, Writer: b.Member, Attempt: e.Attempt, Deaths: e.Deaths,
		First: at, At: at, Partner: e.Partner, heard: h.At,
	}
	open := ks.open
	s.asking(run, e)
	switch {
	case e.Follows != "" && s.isOpen(open, e.Follows):
		s.end(e.Follows)
	case further(e) && s.isOpen(open, e.Run):
		if open != nil {
			run.First, run.asked, run.question, run.known = open.First, open.asked, open.question, open.known
		}
	case e.Follows == "" && open == nil:
	default:
		s.changes.Void = true
		s.touched(e.Key)
		return
	}
	ks.open = run
	s.touched(e.Key)
}

// further reports whether a begin is a further attempt of the run that it names.
func further(e *journal.Begin) bool { return e.Follows == "" && e.Attempt > 1 }

// asking notes what a run asks, from its begin. A further begin is of no use: that of an earlier
// version may have the place as it was in the first one, in its own batch.
func (s *State) asking(r *Run, e *journal.Begin) {
	if further(e) {
		return
	}
	r.asked = e.Asked
	if a := s.asks[e.Asked]; a != nil && a.Key == e.Key {
		r.question, r.known = memory.Question(a.Question), true
	}
}

// question is what a key is asked; asks with another question conflict. While a run is open that is
// the run's, because its call may have been made. After a cut it still is, as long as an ask waits
// for it: that ask runs again, or a late answer settles it. Otherwise a remembered answer says it,
// or the ask that waits first.
//
// A run comes before a remembered answer: the two differ only if the answer had expired by the
// clock of the member that began the run. If it is not known what an open run asks, nobody is
// refused.
func (s *State) question(ks *keyState, k journal.Key, now time.Duration) (question uint32, known bool) {
	open := ks.open
	if open != nil && open.known && (!s.Cut(open) || slices.ContainsFunc(ks.waiting, open.asks)) {
		return open.question, true
	}
	if kept, ok := s.answers.Get(k); ok && now < kept.Expires {
		return kept.Question, true
	}
	if open != nil && !s.Cut(open) {
		return 0, false
	}
	return memory.Question(ks.waiting[0].Question), true
}

// asks reports whether an ask has the question of the run.
func (r *Run) asks(a *Ask) bool { return memory.Question(a.Question) == r.question }

// isOpen reports whether a run is the key's open one. A run that began below the fold and has not
// ended since counts as open, because the member that refers to it had seen it open. Purging stops
// before the few entries that were mistaken, see voids.
func (s *State) isOpen(open *Run, id string) bool {
	if open != nil {
		return open.ID == id
	}
	_, ended := s.ended[id]
	return s.base > 1 && !ended
}

// end notes that a run has ended, for begins and copies of it that may still come.
func (s *State) end(run string) {
	if _, ok := s.ended[run]; !ok {
		s.ended[run] = struct{}{}
		s.lapse(func() { delete(s.ended, run) })
	}
}

// answer applies an answer: of a member's own run, a late one of a member that was sealed
// meanwhile, or the owner's for a run that was cut. It counts only while its run is the key's open
// one, so that of two answers all askers get the first in the log.
func (s *State) answer(b *journal.Batch, at journal.Ref, e *journal.Answer, h Heard) {
	ks := s.key(e.Key)
	counts := s.isOpen(ks.open, e.Run) && (ks.open != nil || e.Begun.Position < s.base)
	if e.Begun.Position < s.base || ks.open != nil && ks.open.Writer != b.Member {
		// Whether the answer counts or not: a copy of the begin, from a member that had not read this
		// answer, must not open the run again.
		s.end(e.Run)
	}
	if !counts {
		s.changes.Void = true
		s.touched(e.Key)
		return
	}
	open := ks.open
	ks.open = nil
	if e.Verdict != journal.Released {
		o := &Answered{At: at, Key: e.Key, Run: e.Run, By: b.Member}
		s.answered[at] = o
		s.changes.Due = append(s.changes.Due, Duty{Entry: at, Answer: o})
	}
	s.remember(at, e, h)
	if e.Verdict == journal.Crashed && open != nil {
		s.finalToo(open.refused, at, e, h)
	}
	by := Settlement{By: b.Member, At: at, Run: e.Run, Answer: at}
	waiting := ks.waiting
	ks.waiting = nil
	for _, a := range waiting {
		if s.settles(e, a) {
			s.settle(a, by)
		} else {
			ks.waiting = append(ks.waiting, a)
		}
	}
	s.touched(e.Key)
}

// settles reports whether an answer settles a waiting ask. All waiting asks were there before the
// run ended, so the answer is fresh enough for all of them.
func (s *State) settles(e *journal.Answer, a *Ask) bool {
	switch e.Verdict {
	case journal.Conclusive:
		return a.Question == e.Question
	case journal.Failed:
		// A submitted ask goes on waiting, until its deadline.
		return a.Question == e.Question && a.Door == journal.Await
	case journal.Crashed:
		// Those that it names, which are all that waited when it was written. A later ask starts again.
		for _, f := range e.Final {
			if f.Token == a.Token {
				return true
			}
		}
	}
	return false
}

// remember keeps an answer that counts for later asks. A failure does not replace an earlier
// conclusive answer.
func (s *State) remember(at journal.Ref, e *journal.Answer, h Heard) {
	kept := memory.Answer{At: at, Question: memory.Question(e.Question), Expires: h.At - h.Age + e.Keep}
	switch e.Verdict {
	case journal.Conclusive:
		s.cooling.Delete(e.Key)
		if by := s.forgotBy(e.Persons, e.Begun); by > 0 {
			// The call was under way when the person was forgotten. A fold that begins behind that entry
			// would remember the answer.
			s.voids = append(s.voids, void{by - 1, at.Position})
			s.answers.Delete(e.Key)
			return
		}
		s.answers.Put(e.Key, kept)
	case journal.Failed:
		s.cooling.Put(e.Key, kept)
	case journal.Crashed:
		for _, f := range e.Final {
			s.final(f.ID, at, h)
		}
	}
}

// final notes that an answer is final for an id.
func (s *State) final(id journal.Hash, at journal.Ref, h Heard) {
	if id == (journal.Hash{}) {
		return
	}
	s.finals[id] = final{at, h.At - h.Age + s.o.Keep}
	s.lapse(func() {
		if s.finals[id].answer == at {
			delete(s.finals, id)
		}
	})
}

// finalToo makes a crash final for the asks that were settled before it for the same reason: more
// waited than its answer can name.
func (s *State) finalToo(asks []refused, at journal.Ref, e *journal.Answer, h Heard) {
	for _, a := range asks {
		if a.why == e.Code {
			s.final(a.id, at, h)
			s.voids = append(s.voids, void{a.at - 1, at.Position}) // a fold that begins in between does not know of it
		}
	}
}

// carried applies a copy of an entry that is further down in the log, or was there before it was
// purged.
func (s *State) carried(at journal.Ref, c *journal.Carried, h Heard) {
	switch e := c.Entry.(type) {
	case *journal.Ask:
		s.carriedAsk(e, c, at, h)
	case *journal.Begin:
		s.carriedBegin(e, c, at, h)
	case *journal.Answer:
		s.carriedAnswer(e, c, at, h)
	}
}

// late notes that a copy came after the end of what it copies. If its writer stood still for longer
// than Keep, a fold that begins behind the first place has forgotten that end by then.
func (s *State) late(c *journal.Carried, at journal.Ref) {
	s.changes.Void = true
	s.voids = append(s.voids, void{c.First.Position - 1, at.Position})
}

func (s *State) carriedBegin(e *journal.Begin, c *journal.Carried, at journal.Ref, h Heard) {
	ks := s.key(e.Key)
	defer s.touched(e.Key)
	if ks.open != nil {
		if ks.open.ID == e.Run {
			ks.open.At = at
		} else {
			s.changes.Void = true
		}
		return
	}
	if _, ended := s.ended[e.Run]; ended || c.First.Position >= s.base {
		s.late(c, at)
		return // the fold has seen it, and its end too
	}
	// Its writer may no longer have a batch in the log. Then it was sealed, and the wait for its calls
	// begins here.
	ks.open = &Run{
		ID: e.Run, Writer: c.Writer, Attempt: e.Attempt, Deaths: e.Deaths,
		First: c.First, At: at, Partner: e.Partner, heard: h.At,
	}
	s.asking(ks.open, e)
}

func (s *State) carriedAnswer(e *journal.Answer, c *journal.Carried, at journal.Ref, h Heard) {
	kept := memory.Answer{
		At: at, Copied: true, Question: memory.Question(e.Question), Expires: h.At - h.Age - c.Age + e.Keep,
	}
	old, ok := s.answers.Get(e.Key)
	switch {
	case !ok && c.First.Position >= s.base:
		s.changes.Void = true
		return
	case ok && !old.Copied && c.First.Compare(old.At) < 0:
		s.changes.Void = true
		return // a newer answer came while the copy was on its way
	case e.Keep == 0 || s.Forgot(e.Persons, e.Begun):
		// The person is to be forgotten, so the answer is dropped. The writer of the copy may not have
		// known.
		s.changes.Void = true
		s.answers.Delete(e.Key)
		s.touched(e.Key)
		return
	case ok && !old.Copied && old.At == c.First:
		kept.Expires = old.Expires // measured when the answer was new, which is most exact
	case ok && old.Copied:
		kept.Expires = min(kept.Expires, old.Expires) // the copy may have been on its way for long
	}
	s.answers.Put(e.Key, kept)
	s.touched(e.Key)
}
