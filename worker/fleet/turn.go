// What a key needs next, and whether a member may give it that.

package fleet

import (
	"slices"
	"time"

	"protocolq/worker/journal"
	"protocolq/worker/memory"
)

// Step is what comes next for a key.
type Step uint8

// The steps. In the first six the member that looks has nothing to write.
const (
	// Nobody waits.
	Nobody Step = iota
	// Elsewhere: another member owns the key.
	Elsewhere
	// Unread: some older member has not said yet that it has read this one's join.
	Unread
	// Unapplied: what this member wrote about the key last has not come back yet.
	Unapplied
	// UnderWay: a live member has an open run.
	UnderWay
	// Waiting: until Turn.Until calls of a member that is sealed may go on.
	Waiting
	// Conflict: Turn.Asks ask something else by the same key and are settled without a call.
	Conflict
	// Recall: Turn.Asks come again after a crash that is final for them, and are settled by the
	// answer at Turn.Answer.At.
	Recall
	// Serve: Turn.Asks are settled by the remembered Turn.Answer; the entry names the place
	// Turn.Answer.At, where its text lies.
	Serve
	// Cool: Turn.Asks are settled by the failure Turn.Answer; who else waits does so until
	// Turn.Until.
	Cool
	// Begin: a first run may begin, for Turn.Asks.
	Begin
	// Rerun: a run that follows Turn.Run may begin, for Turn.Asks.
	Rerun
	// Crash: Turn.Run ends as crashed for Turn.Asks, as cut runs are not run again, no attempt is
	// left, or nobody waits. More than [journal.MaxFinal] are settled before the answer.
	Crash
	// Poison: Turn.Run ends as crashed for Turn.Asks, as too many members died over the key.
	Poison
)

// Turn is what comes next for a key in the eyes of one member.
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

// Fresh reports whether a remembered answer serves an ask that limits its age; it is asked of no
// other ask.
type Fresh func(*Ask, memory.Answer) bool

// Turn says what the member may write about a key now. It has to be asked while the batch is
// composed that the decision goes into, at the position that the head of the batch says.
func (s *State) Turn(o *Own, k journal.Key, now time.Duration, fresh Fresh) Turn {
	ks := s.keys[k]
	if ks == nil {
		ks = &keyState{}
	}
	if len(ks.waiting) == 0 && !s.drafted(o, k) {
		return s.unwanted(o, ks, k, now)
	}
	if step := s.bar(o, k); step != Nobody {
		return Turn{Step: step}
	}
	if t := s.refuse(ks, k, now); t.Step != Nobody {
		return t
	}
	// An earlier answer serves also while a run refreshes it, and where such a run was cut.
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
		return Turn{Step: Unapplied} // whom to run again for is known when the draft is applied
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

// unwanted is what comes next for a key that nobody waits for: nothing, but for a run that was cut.
// It ends as crashed, so that it has its line and event, and is not carried for ever.
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

// drafted reports whether the batch being composed has an ask of the key that can be nobody's
// second arrival and that nothing final is known for: its begin may stand in the same batch.
func (s *State) drafted(o *Own, k journal.Key) bool {
	return o.draft != nil && slices.ContainsFunc(o.draft.asks, func(a *journal.Ask) bool {
		if a.Key != k { // as nearly all are: it is asked for each ask of the batch
			return false
		}
		_, final := s.Final(a.ID)
		return !final
	})
}

// bar says why a member may not decide about a key, Nobody where it may.
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

// May reports whether a member may settle a key's asks at its deadline, for a conflict, a halt or a
// person forgotten. What it writes is told once it is applied, as an answer may have come first.
func (s *State) May(o *Own, k journal.Key) bool { return s.bar(o, k) == Nobody }

// refuse finds the asks that no call may be made for, nor one that is under way serves.
func (s *State) refuse(ks *keyState, k journal.Key, now time.Duration) Turn {
	var again Turn
	for _, a := range ks.waiting {
		if at, ok := s.Final(a.ID); ok && (again.Step == Nobody || at == again.Answer.At) {
			again.Step, again.Answer.At = Recall, at
			again.Asks = append(again.Asks, a)
		}
	}
	if again.Step != Nobody || len(ks.waiting) == 0 {
		return again
	}
	question := memory.Question(ks.waiting[0].Question)
	if kept, ok := s.answers.Get(k); ok && now < kept.Expires {
		question = kept.Question
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

// serve finds the asks that an answer in memory settles. The entry has to be in the log before they
// are told: else its teller dies, the answer ages, and one ask is told two answers.
func (s *State) serve(ks *keyState, k journal.Key, now time.Duration, fresh Fresh) Turn {
	if kept, ok := s.answers.Get(k); ok && now < kept.Expires {
		t := Turn{Step: Serve, Answer: kept, Until: kept.Expires}
		for _, a := range ks.waiting {
			may := a.Given || a.MaxAge < 0 || fresh != nil && fresh(a, kept)
			if may && memory.Question(a.Question) == kept.Question {
				t.Asks = append(t.Asks, a)
			}
		}
		if len(t.Asks) > 0 {
			return t
		}
		if len(ks.waiting) == 0 {
			return Turn{Step: Unapplied} // an ask that is still in the draft is looked at when it is applied
		}
	}
	return Turn{}
}

// cool finds the asks that a failure in the cool-down settles: those who wait for a reply.
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
// ended. A writer counts its lease from the first sending of a batch, an observer from when it had
// applied that batch, which is later.
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

// mayHaveOwned reports whether a member that was sealed for a batch that nobody can read may have
// begun the key in it. It decided at a position that it had read before or at a later one, so of
// those that live only who had joined by then has surely kept a key from it.
func (s *State) mayHaveOwned(m *Member, k journal.Key) bool {
	return !slices.ContainsFunc(s.live, func(o *Member) bool { return o.Joined <= m.Read && o.above(m, k) })
}

// MayCall reports whether the call of a begin may be made, as far as the log goes; the fence has to
// agree. at is the begin's place, zero until the batch is acknowledged. A begin that follows a cut
// run may have come second, so the log has to be applied up to it; of a first one the proof in the
// package's documentation says that it counts.
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

// MayAnswer reports whether an answer that a member has in hand for a run of its own, or of the
// member that it was before it was sealed, is still worth writing.
func (s *State) MayAnswer(k journal.Key, run string) bool {
	open := s.Open(k)
	return open != nil && open.ID == run
}

// Early reports whether the asks that an answer settles may be told as soon as its batch is
// acknowledged. It is asked when the answer goes into the batch: then nobody else can have settled
// them before it.
func (s *State) Early(o *Own, k journal.Key) bool {
	open := s.Open(k)
	return open != nil && open.Writer == o.ID && s.bar(o, k) == Nobody
}

// Ahead are the asks that may be told of an own entry before it is applied. at is its place, zero
// until its batch is acknowledged: nobody is told what the log may not have. early is what Early
// said of an answer; without it, and once the entry is applied, Changes.Due says who is to be told.
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
