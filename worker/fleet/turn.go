// What a key needs next, and whether a member may do it.

package fleet

import (
	"slices"
	"time"

	"protocolq/worker/journal"
	"protocolq/worker/memory"
)

// Step is what comes next for a key.
type Step uint8

// The steps. In the first six the member has nothing to write.
const (
	// Nobody waits.
	Nobody Step = iota
	// Elsewhere: another member owns the key.
	Elsewhere
	// Unread: an older member has not said yet that it has read this one's join.
	Unread
	// Unapplied: this member's last entry about the key has not come back yet.
	Unapplied
	// UnderWay: a live member has an open run.
	UnderWay
	// Waiting: calls of a sealed member may go on until Turn.Until.
	Waiting
	// Conflict: Turn.Asks have the same key and another question, and are settled without a call.
	Conflict
	// Recall: Turn.Asks come again after a crash that is final for them. The answer at Turn.Answer.At
	// settles them.
	Recall
	// Serve: the remembered Turn.Answer settles Turn.Asks; the entry names the place of its text,
	// Turn.Answer.At.
	Serve
	// Cool: the failure Turn.Answer settles Turn.Asks; other asks wait until Turn.Until.
	Cool
	// Begin: a first run may begin, for Turn.Asks.
	Begin
	// Rerun: a run that follows Turn.Run may begin, for Turn.Asks.
	Rerun
	// Crash: Turn.Run ends as crashed for Turn.Asks, because cut runs are not run again, no attempt is
	// left, or nobody waits. Those beyond [journal.MaxFinal] are settled before the answer.
	Crash
	// Poison: Turn.Run ends as crashed for Turn.Asks, because too many members died while they ran the
	// key.
	Poison
)

// Turn is what comes next for a key, as one member sees it.
type Turn struct {
	Step   Step
	Until  time.Duration // on the member's monotonic clock
	Asks   []*Ask
	Answer memory.Answer
	// Run is the run that was cut.
	Run *Run
	// Attempt and Deaths are for the begin that may be written.
	Attempt, Deaths int
}

// Fresh reports whether a remembered answer serves an ask that limits its age. It is called for no
// other ask.
type Fresh func(*Ask, memory.Answer) bool

// Turn says what the member may write about a key now. It has to be called while the batch is
// composed that will hold the decision, at the position that the head of the batch names.
func (s *State) Turn(o *Own, k journal.Key, now time.Duration, fresh Fresh) Turn {
	ks := s.keys[k]
	if ks == nil {
		ks = &keyState{}
	}
	if len(ks.waiting) == 0 && !s.drafted(o, k, now) {
		return s.unwanted(o, ks, k, now)
	}
	if step := s.bar(o, k); step != Nobody {
		return Turn{Step: step}
	}
	if t := s.refuse(ks, k, now); t.Step != Nobody {
		return t
	}
	// An earlier answer also serves while a run refreshes it, and after such a run was cut.
	if t := s.serve(ks, k, now, fresh); t.Step != Nobody {
		return t
	}
	if ks.open != nil && !s.Cut(ks.open) {
		return Turn{Step: UnderWay, Run: ks.open}
	}
	if t := s.cool(o, ks, k, now); t.Step != Nobody {
		return t
	}
	if ks.open != nil && len(ks.waiting) == 0 {
		return Turn{Step: Unapplied} // the draft's asks are known when it is applied
	}
	if until := s.callsEnd(ks.open, k); now < until {
		return Turn{Step: Waiting, Until: until, Run: ks.open}
	}
	if ks.open == nil {
		return Turn{Step: Begin, Attempt: 1, Asks: ks.waiting}
	}
	t := Turn{Step: Rerun, Run: ks.open, Attempt: ks.open.Attempt + 1, Deaths: ks.open.Deaths + 1, Asks: ks.waiting}
	switch {
	case t.Deaths >= s.o.Deaths:
		t.Step = Poison
	case s.o.Fail || t.Attempt > s.o.Attempts:
		t.Step = Crash
	}
	return t
}

// unwanted is what comes next for a key that nobody waits for: nothing, unless a run was cut. Such
// a run ends as crashed, so that it has its line and event, and is not carried for ever.
func (s *State) unwanted(o *Own, ks *keyState, k journal.Key, now time.Duration) Turn {
	if ks.open == nil || !s.Cut(ks.open) {
		return Turn{}
	}
	if step := s.bar(o, k); step != Nobody {
		return Turn{Step: step}
	}
	if until := s.callsEnd(ks.open, k); now < until {
		return Turn{Step: Waiting, Until: until, Run: ks.open}
	}
	return Turn{Step: Crash, Run: ks.open}
}

// drafted reports whether the batch being composed has an ask of the key that cannot be a second
// arrival and has no final answer: its begin may be in the same batch.
func (s *State) drafted(o *Own, k journal.Key, now time.Duration) bool {
	return o.draft != nil && slices.ContainsFunc(o.draft.asks, func(a *journal.Ask) bool {
		if a.Key != k { // true for nearly all: this runs for each ask of the batch
			return false
		}
		_, final := s.Final(a.ID, now)
		return !final
	})
}

// bar says why a member may not decide about a key, Nobody if it may.
func (s *State) bar(o *Own, k journal.Key) Step {
	switch {
	case s.Owner(k) != o.ID:
		return Elsewhere
	case !s.Complete(o.ID):
		return Unread
	case o.Touches(k):
		return Unapplied
	}
	return Nobody
}

// May reports whether a member may settle a key's asks at a deadline, or for a conflict, a halt or
// a forgotten person. Its entry is told only once it is applied, because an answer may have come
// first.
func (s *State) May(o *Own, k journal.Key) bool { return s.bar(o, k) == Nobody }

// refuse finds the asks that neither a new call nor one under way may serve.
func (s *State) refuse(ks *keyState, k journal.Key, now time.Duration) Turn {
	var again Turn
	for _, a := range ks.waiting {
		if at, ok := s.Final(a.ID, now); ok && (again.Step == Nobody || at == again.Answer.At) {
			again.Step, again.Answer.At = Recall, at
			again.Asks = append(again.Asks, a)
		}
	}
	if again.Step != Nobody || len(ks.waiting) == 0 {
		return again
	}
	question, known := s.question(ks, k, now)
	if !known {
		return Turn{}
	}
	t := Turn{Step: Conflict}
	for _, a := range ks.waiting {
		if memory.Question(a.Question) != question {
			t.Asks = append(t.Asks, a)
		}
	}
	if len(t.Asks) == 0 {
		return Turn{}
	}
	return t
}

// serve finds the asks that an answer in memory settles. The entry has to be in the log before the
// asks are told. Otherwise the teller might die, the answer expire, and one ask get two answers.
func (s *State) serve(ks *keyState, k journal.Key, now time.Duration, fresh Fresh) Turn {
	if kept, ok := s.answers.Get(k); ok && now < kept.Expires {
		t := Turn{Step: Serve, Answer: kept, Until: kept.Expires}
		for _, a := range ks.waiting {
			may := a.Given || a.MaxAge < 0 || fresh != nil && fresh(a, kept)
			if may && memory.Question(a.Question) == kept.Question && !s.Forgot(a.Persons, kept.At) {
				t.Asks = append(t.Asks, a)
			}
		}
		if len(t.Asks) > 0 {
			return t
		}
		if len(ks.waiting) == 0 {
			return Turn{Step: Unapplied} // an ask in the draft is looked at when it is applied
		}
	}
	return Turn{}
}

// cool finds the asks that a failure in its cool-down settles: those that wait for a reply.
func (s *State) cool(o *Own, ks *keyState, k journal.Key, now time.Duration) Turn {
	failed, ok := s.cooling.Get(k)
	if !ok || now >= failed.Expires || o.Warm != nil && o.Warm(k, failed) {
		return Turn{}
	}
	t := Turn{Step: Cool, Answer: failed, Until: failed.Expires}
	for _, a := range ks.waiting {
		if memory.Question(a.Question) == failed.Question && a.Door == journal.Await {
			t.Asks = append(t.Asks, a)
		}
	}
	return t
}

// callsEnd is when the calls that may be under way for a key without a live writer have surely
// ended. A writer counts its lease from the first sending of a batch. An observer counts from when
// it applied that batch, which is later.
func (s *State) callsEnd(cut *Run, k journal.Key) (until time.Duration) {
	if cut != nil {
		heard := cut.heard
		if m := s.members[cut.Writer]; m != nil {
			heard = m.Heard
		}
		until = heard + s.o.Lease + s.o.Grace
	}
	for _, m := range s.members {
		if m.Corrupt && s.mayHaveOwned(m, k) {
			until = max(until, m.Heard+s.o.Lease+s.o.Grace)
		}
	}
	return until
}

// mayHaveOwned reports whether a member that was sealed for an unreadable batch may have begun the
// key in that batch. It decided at a position that it had read before or at a later one. So only
// live members that had joined by then have surely kept a key from it.
func (s *State) mayHaveOwned(m *Member, k journal.Key) bool {
	return !slices.ContainsFunc(s.live, func(o *Member) bool { return o.Joined <= m.Read && o.above(m, k) })
}

// MayCall reports whether the log allows the call of a begin; the fence has to allow it, too. at is
// the begin's place, zero until the batch is acknowledged. A begin that follows a cut run may have
// come second, so the log has to be applied up to it. A first begin counts, by the proof in the
// package's documentation.
func (s *State) MayCall(e *journal.Begin, at journal.Ref) bool {
	if at.IsZero() {
		return false
	}
	if e.Follows == "" {
		return true
	}
	open := s.Open(e.Key)
	return s.applied >= at.Position && open != nil && open.ID == e.Run
}

// MayAnswer reports whether an answer to a run of the member, or of the member that its process was
// before it was sealed, is still worth writing.
func (s *State) MayAnswer(k journal.Key, run string) bool {
	open := s.Open(k)
	return open != nil && open.ID == run
}

// Early reports whether the asks that an answer settles may be told as soon as its batch is
// acknowledged. It is called when the answer goes into the batch: then no other entry can have
// settled them before it.
func (s *State) Early(o *Own, k journal.Key) bool {
	open := s.Open(k)
	return open != nil && open.Writer == o.ID && s.bar(o, k) == Nobody
}

// Ahead are the asks that an own entry lets be told before it is applied. at is its place, zero
// until its batch is acknowledged: no ask is told before the entry is surely in the log. early is
// what Early returned for an answer. Without it, and once the entry is applied, Changes.Due has the
// asks to tell.
func (s *State) Ahead(e journal.Entry, at journal.Ref, early bool) (asks []*Ask) {
	if at.IsZero() || s.applied >= at.Position {
		return nil
	}
	switch e := e.(type) {
	case *journal.Answer:
		for _, a := range s.Waiting(e.Key) {
			if early && s.settles(e, a) {
				asks = append(asks, a)
			}
		}
	case *journal.Settled:
		// The answer of a run under way may have come first.
	}
	return asks
}
