// What must hold of calls, of replies and in the end, whatever the seed.

package simtest

import (
	"maps"
	"slices"
	"time"

	"protocolq/worker/fleet"
	"protocolq/worker/journal"
)

// Call is one request to the gateway.
type Call struct {
	// Key, Run and Attempt say what it is for.
	Key     journal.Key
	Run     string
	Attempt int
	// Question is what it asks; zero: it has found no text to ask.
	Question journal.Hash
	// Took is how long it takes.
	Took time.Duration
	// Worst is once in how many times its caller dies over it, while there are faults.
	Worst int

	by *Member
	to time.Duration
}

// Calls looks at a call as its first byte leaves, and may have its caller die over it or stand
// still.
func (m *Member) Calls(c Call) {
	w := m.w
	c.by, c.to = m, w.now+c.Took
	w.Note("called", "%s attempt %d by %s until %v", c.Run, c.Attempt, m.ID, c.to)
	for _, o := range w.calls {
		if o.Key == c.Key && o.to > w.now {
			w.Errorf("%s calls for %s while %s calls for %s of the same key", m.ID, c.Run, o.by.ID, o.Run)
		}
	}
	// Others count the lease from when they have read the member's newest batch, at the earliest
	// when that was stored.
	if at := w.last[m.ID]; at == 0 || w.now+CallTime > w.stored[at-1]+w.Fleet.Lease {
		w.Errorf("%s calls for %s at %v, and its lease may end before the call: its newest batch is %d",
			m.ID, c.Run, w.now, at)
	}
	if !w.isDamaged(m.ID) { // the log does not know its runs, but others wait until its calls have ended
		w.checkCall(m, c)
	}
	w.calls = append(w.calls, c)
	switch { // the worst moment
	case w.Chance(c.Worst):
		m.die()
	case w.Chance(w.Worst): // it wakes when it is sealed and the next is about to call
		m.freeze(w.Between(4*time.Second, 8*time.Second))
	}
}

// checkCall checks that the log knows the run of a call, and bounds its calls.
func (w *World) checkCall(m *Member, c Call) {
	if q, known := w.asked[c.Run]; known && c.Question != q && c.Question != (journal.Hash{}) {
		w.Errorf("%s calls for %s and asks another question", m.ID, c.Run)
	}
	switch open := w.oracle.Open(c.Key); {
	case open == nil || open.ID != c.Run:
		w.Errorf("%s calls for %s, which is not its key's open run", m.ID, c.Run)
	case open.Attempt != c.Attempt:
		w.Errorf("%s makes call %d of %s where the log has attempt %d", m.ID, c.Attempt, c.Run, open.Attempt)
	}
	root := w.roots[c.Run]
	if w.made[root]++; w.made[root] > w.Fleet.Attempts {
		w.Errorf("call %d for one question, with %s", w.made[root], c.Run)
	}
}

// replied looks at what the asker of a token is answered, at the moment when it is.
func (w *World) replied(by *Member, a *fleet.Ask, what string, why *fleet.Settlement) {
	w.Note("told", "%s: %s by %s", a.Token, what, by.ID)
	o := w.of(a.Token)
	if was := w.as[o.name]; was != "" && was != a.Token {
		w.Errorf("the asker of %s is answered as %s, and before it as %s", o.name, a.Token, was)
	}
	w.as[o.name] = a.Token
	w.text(a, what, why)
	if was, again := w.replies[o.name]; again {
		w.Seen["told twice"]++
		if was != what {
			w.Errorf("the asker of %s is answered %s, and before it %s", a.Token, what, was)
		}
		return
	}
	w.replies[o.name] = what
	fast := w.slow < 10*time.Millisecond && o.since > Calm
	if late := w.now - o.since - o.left; o.left > 0 && fast && late > 400*time.Millisecond {
		w.Errorf("the asker of %s is answered %s %v after its deadline", a.Token, what, late)
	}
	truth := w.oracle.Ask(a.First)
	if truth == nil || truth.Settled == nil || Says(truth.Settled) != what {
		w.Errorf("the asker of %s is answered %s, of which the log says nothing", a.Token, what)
	}
}

// text looks at whether the answer that a settlement names can be read.
func (w *World) text(a *fleet.Ask, what string, why *fleet.Settlement) {
	if why == nil || why.Why != "" || w.oracle.Ask(a.First) == nil {
		return // it was answered already, as who lags behind is about to read
	}
	if why.Answer.Position < w.first {
		w.Errorf("the asker of %s is answered %s, whose text is purged", a.Token, what)
	}
	e := w.Answer(why.Answer)
	if e.Run != why.Run {
		w.Errorf("the asker of %s is answered %s, and its text is of %s", a.Token, why.Run, e.Run)
	}
	named := func(f journal.Final) bool { return f.Token == a.Token || f.ID == a.ID }
	if e.Verdict == journal.Crashed && !slices.ContainsFunc(e.Final, named) {
		w.Errorf("the asker of %s is answered by a crash that does not name it", a.Token)
	}
}

// Says is what a settlement comes to for an asker.
func Says(s *fleet.Settlement) string {
	if s.Why != "" {
		return s.Why
	}
	return "answer at " + s.Answer.String()
}

// judge checks the end: no ask waits, and all folds are equal.
func (w *World) judge() {
	for _, k := range w.Keys {
		for _, a := range w.oracle.Waiting(k) {
			w.Errorf("%s still waits", a.Token)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(w.asks)) { // no order may be the runtime's
		a := w.asks[name]
		if a.stored && w.replies[name] == "" {
			w.Errorf("the asker of %s was answered nothing", name)
		}
		if a.Door == journal.Submit && !a.stored {
			w.Errorf("%s was submitted and is not in the log", name)
		}
	}
	alive := 0
	for _, p := range w.processes {
		if m := p.Member; !p.dead && !m.over {
			alive++
			w.judgeMember(m)
		}
	}
	if alive == 0 {
		w.Errorf("nobody lives")
	}
}

func (w *World) judgeMember(m *Member) {
	if d := fleet.Diff(w.oracle, m.State, w.now+2*skew+time.Second); d != "" {
		w.Errorf("the fold of %s is not that of all: %s", m.ID, d)
	}
	if owed := m.State.Owed(m.ID); len(owed) > 0 {
		w.Errorf("%s still owes %d duties", m.ID, len(owed))
	}
	if !m.State.Complete(m.ID) {
		w.Errorf("%s is not complete", m.ID)
	}
}
