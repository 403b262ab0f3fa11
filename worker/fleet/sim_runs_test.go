// What a member of the simulated fleet decides and calls, with no more than is needed to drive the
// fold.

package fleet_test

import (
	"slices"
	"time"

	"protocolq/worker/fleet"
	"protocolq/worker/journal"
	"protocolq/worker/memory"
	"protocolq/worker/simtest"
)

const keep = 45 * time.Second // how long a conclusive answer is remembered

// runs are what a member has under way.
type runs struct {
	*simtest.Member
	w    *simtest.World
	runs map[journal.Key]*run
	late []*run // of the member that this process was before
}

// run is a run that a member has under way.
type run struct {
	key      journal.Key
	begin    *journal.Begin
	question journal.Hash
	at       journal.Ref // of the newest begin, zero until it is acknowledged
	first    journal.Ref
	called   bool
	ended    bool // the call has an outcome
	verdict  journal.Verdict
	retry    time.Duration // when to begin again, 0: not
	early    bool
	answer   *journal.Answer // on its way
}

func newRuns(m *simtest.Member, former simtest.Runs) simtest.Runs {
	s := &runs{Member: m, w: m.World(), runs: map[journal.Key]*run{}}
	if former, ok := former.(*runs); ok {
		s.late = former.late
		for _, k := range s.w.Keys {
			if r := former.runs[k]; r != nil && r.called {
				s.late = append(s.late, r)
			}
		}
	}
	return s
}

// Tick implements [simtest.Runs].
func (s *runs) Tick() { s.stepAll(s.w.Keys) }

// Applied implements [simtest.Runs].
func (s *runs) Applied(_ *journal.Batch, c *fleet.Changes) { s.stepAll(slices.Clone(c.Keys)) }

func (s *runs) stepAll(keys []journal.Key) {
	for _, k := range keys {
		if r := s.runs[k]; r != nil {
			s.step(r)
		}
	}
}

// Open implements [simtest.Runs].
func (s *runs) Open() bool {
	return slices.ContainsFunc(s.w.Keys, func(k journal.Key) bool { r := s.runs[k]; return r != nil && !r.at.IsZero() })
}

// Decide implements [simtest.Runs].
func (s *runs) Decide(d *fleet.Draft) {
	s.addLate(d)
	for _, k := range s.w.Keys {
		s.addRun(d, k)
		s.addTurn(d, k)
		s.addDeadlines(d, k)
	}
	s.addForgotten(d)
}

// Idle implements [simtest.Runs].
func (s *runs) Idle() bool { return len(s.runs) == 0 }

// Drain implements [simtest.Runs].
func (s *runs) Drain() {}

// Stored implements [simtest.Runs].
func (s *runs) Stored(at uint64, entries []journal.Entry) {
	for i, e := range entries {
		ref := journal.Ref{Position: at, Index: uint16(i + 1)}
		switch e := e.(type) {
		case *journal.Begin:
			if r := s.runs[e.Key]; r != nil && r.begin == e {
				r.at = ref
				if r.first.IsZero() {
					r.first = ref
				}
				s.step(r)
			}
		case *journal.Answer:
			if r := s.runs[e.Key]; r != nil && r.answer == e {
				s.replyEarly(e, ref, r.early)
				delete(s.runs, e.Key)
			}
		case *journal.Settled:
			s.replyEarly(e, ref, true)
		}
	}
}

// replyEarly answers whom an own entry settles before it has come back, where that is allowed.
func (s *runs) replyEarly(e journal.Entry, at journal.Ref, early bool) {
	what := "answer at " + at.String()
	if s, ok := e.(*journal.Settled); ok {
		what = simtest.Says(&fleet.Settlement{Why: s.Why, Answer: s.Answer})
	}
	for _, a := range s.State.Ahead(e, at, early) {
		s.ReplyAhead(a, what)
	}
}

// step goes on with a run: its call is made once it may be.
func (s *runs) step(r *run) {
	w := s.w
	if s.Over() || r.called || r.ended || r.retry > 0 || !s.State.MayCall(r.begin, r.at) {
		return
	}
	if !s.MayCall() {
		w.Seen["fenced"]++
		return
	}
	r.called = true
	took := w.Between(5*time.Millisecond, 300*time.Millisecond)
	worst := w.Worst
	switch {
	case w.Focus == 1 && !w.Well(): // after an election the lease is all but over, and a long call would outlive it
		took, worst = w.Between(simtest.CallTime*9/10, simtest.CallTime), 3
	case w.Draw.IntN(3) == 0:
		took = w.Between(simtest.CallTime/2, simtest.CallTime)
	}
	s.Calls(simtest.Call{Key: r.key, Run: r.begin.Run, Attempt: r.begin.Attempt, Question: r.question, Took: took, Worst: worst})
	outcome, last := w.Draw.IntN(10), r.begin.Attempt >= w.Fleet.Attempts
	w.After(took, func() {
		s.Run(func() {
			switch {
			case outcome < 6:
				r.ended, r.verdict = true, journal.Conclusive
				w.Seen["answered"]++
			case outcome < 9 && !last && !s.Over():
				r.retry = w.Now() + w.Between(50*time.Millisecond, 600*time.Millisecond)
			default:
				r.ended, r.verdict = true, journal.Failed
				w.Seen["failed"]++
			}
		})
	})
}

// addLate adds answers to runs of the member that this process was before.
func (s *runs) addLate(d *fleet.Draft) {
	s.late = slices.DeleteFunc(s.late, func(r *run) bool {
		if !r.ended || r.verdict == 0 {
			return r.ended
		}
		if s.State.MayAnswer(r.key, r.begin.Run) && !s.Own.Touches(r.key) {
			s.w.Note("late answer", "to %s by %s", r.begin.Run, s.ID)
			d.Add(s.answer(r), r.key)
		}
		return true
	})
}

func (s *runs) answer(r *run) *journal.Answer {
	a := &journal.Answer{Key: r.key, Question: r.question, Run: r.begin.Run, Verdict: r.verdict, Begun: r.first, Keep: keep, Persons: simtest.Persons(r.key)}
	if r.verdict == journal.Failed {
		a.Keep = 3 * time.Second
	}
	return a
}

// addRun adds what a run under way needs: its answer, or its next attempt.
func (s *runs) addRun(d *fleet.Draft, k journal.Key) {
	r, w := s.runs[k], s.w
	switch {
	case r == nil || r.at.IsZero() || r.answer != nil:
	case s.State.Applied() >= r.at.Position && !s.State.MayAnswer(k, r.begin.Run):
		delete(s.runs, k) // it was void, or has ended otherwise
	case r.ended && r.verdict != 0:
		r.early = s.State.Early(s.Own, k)
		r.answer = s.answer(r)
		d.Add(r.answer, k)
		s.replyEarly(r.answer, journal.Ref{}, r.early)
	case r.retry > 0 && r.retry <= w.Now() && !s.Own.Touches(k):
		if len(s.State.Waiting(k)) == 0 {
			r.ended, r.retry, r.verdict = true, 0, journal.Failed
			return
		}
		w.Seen["retried"]++
		next := *r.begin
		next.Attempt, next.Follows = r.begin.Attempt+1, ""
		r.begin, r.at, r.called, r.ended, r.retry = &next, journal.Ref{}, false, false, 0
		d.Add(&next, k)
	case !r.called && len(s.State.Waiting(k)) == 0 && s.State.Applied() >= r.at.Position && r.retry == 0:
		r.called, r.ended, r.verdict = true, true, journal.Released
	}
}

// addTurn adds what the fold lets the member decide about a key.
func (s *runs) addTurn(d *fleet.Draft, k journal.Key) {
	w := s.w
	if s.runs[k] != nil || s.Draining {
		return
	}
	t := s.State.Turn(s.Own, k, w.Now(), func(a *fleet.Ask, kept memory.Answer) bool { return w.Fresh(a, kept.At) })
	switch t.Step {
	case fleet.Serve, fleet.Cool:
		if len(t.Asks) > 0 {
			w.Seen[map[fleet.Step]string{fleet.Serve: "served", fleet.Cool: "cooled"}[t.Step]]++
			e := &journal.Settled{Asks: refs(t.Asks), Run: w.Answer(t.Answer.At).Run, Answer: t.Answer.At}
			d.Add(e, k)
			s.replyEarly(e, journal.Ref{}, true)
		}
	case fleet.Conflict:
		w.Seen["conflict"]++
		d.Add(&journal.Settled{Asks: refs(t.Asks), Why: "CONFLICT"}, k)
	case fleet.Recall:
		w.Seen["recalled"]++
		d.Add(&journal.Settled{Asks: refs(t.Asks), Run: w.Answer(t.Answer.At).Run, Answer: t.Answer.At}, k)
	case fleet.Begin, fleet.Rerun:
		if w.Draw.IntN(3) == 0 && !w.Well() { // no slot is free
			return
		}
		b := &journal.Begin{Key: k, Run: w.Name("r"), Attempt: t.Attempt, Deaths: t.Deaths}
		if t.Run != nil {
			b.Follows = t.Run.ID
			w.Note("reran", "%s after %s", b.Run, b.Follows)
		}
		r := &run{key: k, begin: b}
		b.Asked, r.question = starts(d, t, k)
		s.runs[k] = r
		d.Add(b, k)
	case fleet.Crash, fleet.Poison:
		w.Seen[map[fleet.Step]string{fleet.Crash: "crashed", fleet.Poison: "poison"}[t.Step]]++
		a := &journal.Answer{Key: k, Run: t.Run.ID, Verdict: journal.Crashed, Begun: t.Run.First}
		for _, x := range t.Asks {
			a.Question = x.Question
			a.Final = append(a.Final, journal.Final{Token: x.Token, ID: x.ID})
		}
		d.Add(a, k)
	}
}

// starts is the ask that a begin is for, and its question: the first that waits, or one in the
// draft.
func starts(d *fleet.Draft, t fleet.Turn, k journal.Key) (journal.Ref, journal.Hash) {
	if len(t.Asks) > 0 {
		return t.Asks[0].First, t.Asks[0].Question
	}
	for i, e := range d.Entries {
		if a, ok := e.(*journal.Ask); ok && a.Key == k && a.Door == journal.Await {
			return journal.Ref{Index: uint16(i + 1)}, a.Question
		}
	}
	panic("a begin for nobody")
}

func refs(asks []*fleet.Ask) (refs []journal.Ref) {
	for _, a := range asks {
		refs = append(refs, a.First)
	}
	return refs
}

// addForgotten adds what settles the asks about persons who are to be forgotten.
func (s *runs) addForgotten(d *fleet.Draft) {
	for _, a := range s.State.Forgotten() {
		if s.State.May(s.Own, a.Key) {
			s.w.Seen["settled forgotten"]++
			d.Add(&journal.Settled{Asks: []journal.Ref{a.First}, Why: "FORGOTTEN"}, a.Key)
		}
	}
}

func (s *runs) addDeadlines(d *fleet.Draft, k journal.Key) {
	if !s.State.May(s.Own, k) {
		return
	}
	var due []*fleet.Ask
	for _, a := range s.State.Waiting(k) {
		if a.Due > 0 && a.Due <= s.w.Now() {
			due = append(due, a)
		}
	}
	if len(due) > 0 {
		s.w.Seen["deadline"]++
		d.Add(&journal.Settled{Asks: refs(due), Why: "DEADLINE"}, k)
	}
}
