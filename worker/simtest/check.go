// What must hold of each batch as it is stored, whatever the seed.

package simtest

import (
	"time"

	"protocolq/worker/fleet"
	"protocolq/worker/journal"
)

// check looks at a batch as it is stored, and lets the oracle apply it.
func (w *World) check(b *journal.Batch) {
	w.checkSeal(b)
	var begins []*journal.Begin
	if m := w.oracle.Member(b.Member); m == nil || m.Sealed == 0 {
		// A member that may decide knows everything that is purged; otherwise it may write again what has
		// ended there.
		if m != nil && m.Joined <= b.Read && b.Read+1 < w.first {
			w.Errorf("%s has read %d only, and the log begins at %d", b.Member, b.Read, w.first)
		}
		for _, e := range b.Entries {
			w.checkEntry(b, e)
			if e, ok := e.(*journal.Begin); ok {
				begins = append(begins, e)
			}
		}
	}
	c, err := w.oracle.Apply(b, fleet.Heard{At: w.now})
	if err != nil {
		w.Errorf("%v", err)
		return
	}
	for _, e := range begins {
		w.strike(w.members[b.Member].Process)
		if open := w.oracle.Open(e.Key); (open == nil || open.ID != e.Run) && e.Follows == "" {
			w.Errorf("first begin of %s at %d does not count", e.Run, b.Position)
		}
	}
	if c.Void {
		w.Note("void", "batch %d of %s", b.Position, b.Member)
	}
	w.checkForgotten(b)
	w.recount(b)
	w.print(b)
	for _, d := range c.Due {
		if o := d.Answer; o != nil {
			if was, twice := w.answers[o.Run]; twice {
				w.Errorf("run %s has two answers that count, %s and %v", o.Run, was, o.At)
			}
			w.answers[o.Run] = o.At.String()
		}
	}
}

// checkForgotten looks at whether an answer is remembered whose person was forgotten.
func (w *World) checkForgotten(b *journal.Batch) {
	for i, e := range b.Entries {
		a, ok := e.(*journal.Answer)
		if !ok || !w.oracle.IsForgotten(e) {
			continue
		}
		if kept, ok := w.oracle.Answers().Get(a.Key); ok && kept.At == b.Ref(i) {
			w.Errorf("the answer of %s is remembered, and its person was forgotten", a.Run)
		}
	}
}

// checkSeal looks at whether a member is sealed that is well.
func (w *World) checkSeal(b *journal.Batch) {
	seal := b.Seal()
	if seal == nil || seal.By == b.Member {
		return
	}
	w.Note("sealed", "%s by %s", b.Member, seal.By)
	m := w.members[b.Member]
	if p := m.Process; !p.dead && !p.Member.over && w.now-p.well > 4*time.Second && m == p.Member {
		w.Errorf("%s is sealed and was never in trouble", b.Member)
	}
}

func (w *World) print(b *journal.Batch) {
	for i, e := range b.Entries {
		w.logf("  %d/%d %s read %d: %s", b.Position, i+1, b.Member, b.Read, show(e))
	}
	if len(b.Entries) == 0 {
		w.logf("  %d %s read %d: beat", b.Position, b.Member, b.Read)
	}
}

// kinds name what is carried.
var kinds = map[journal.Kind]string{journal.KindAsk: "ask", journal.KindBegin: "begin", journal.KindAnswer: "answer"}

// checkEntry looks at an entry before it is applied.
func (w *World) checkEntry(b *journal.Batch, e journal.Entry) {
	switch e := e.(type) {
	case *journal.Ask:
		w.checkAsk(b, e)
	case *journal.Answer:
		// The worst moment: the owner does not learn what another has settled.
		if o := w.oracle.Owner(e.Key); o != "" && o != b.Member && w.Chance(w.Worst/2) {
			w.deafen(w.members[o].Process)
		}
	case *journal.Begin:
		w.checkBegin(b, e)
	case *journal.Settled:
		w.checkConflict(b, e)
	case *journal.Forget:
		w.forgot[e.Person] = b.Position
	case *journal.Carried:
		w.Note("carried "+kinds[e.Entry.Kind()], "%v by %s", e.First, b.Member)
		if a, ok := e.Entry.(*journal.Answer); ok {
			w.checkCopy(b, e, a)
		}
	}
	if w.oracle.IsForgotten(e) {
		w.Note("came forgotten", "%s", show(e))
	}
}

// early is by how much sooner than others a member may take an answer for expired that it knows
// from reading the log: by how much the server's clock or its own may be wrong there and here.
const early = 2*skew + time.Second

// checkCopy notes until when a copy says that its answer is remembered. Its writer may have that
// from reading the log, as those have it who read the copy.
func (w *World) checkCopy(b *journal.Batch, c *journal.Carried, e *journal.Answer) {
	if e.Keep == 0 {
		w.Seen["dropped"]++
		return
	}
	end, known := w.ends[c.First]
	if !known {
		end = w.stored[c.First.Position-1] + e.Keep
	}
	says := w.now - c.Age + e.Keep
	if says < end-early {
		w.Errorf("%s copies the answer at %v as remembered until %v, and it is until %v", b.Member, c.First, says, end)
	}
	w.ends[c.First] = min(says, end)
}

// serves reports whether the remembered answer at a place, which expires then, serves by the clock
// of every member.
func (w *World) serves(at journal.Ref, expires time.Duration) bool {
	end := expires
	e, _ := w.entry(at)
	if c, ok := e.(*journal.Carried); ok { // who has not seen the answer itself knows only what its copy says
		end = min(end, w.ends[c.First])
	}
	return w.now <= end-early
}

// checkAsk notes whether an ask is in the log for the first time.
func (w *World) checkAsk(b *journal.Batch, e *journal.Ask) {
	a := w.of(e.Token)
	if !a.stored {
		a.stored, a.since = true, w.now
		return
	}
	w.Note("journalled twice", "%s by %s", e.Token, b.Member)
	knows := w.oracle.Knows(e.Token, e.Near)
	if knows && !w.oracle.Knows(e.Token, journal.Near{}) {
		w.Seen["near"]++
	}
	if !knows && w.now-a.since > w.Fleet.Keep {
		// A door stood still with it for longer than Keep, and no member could seal it: it is another
		// ask.
		w.Seen["later than Keep"]++
		delete(w.replies, a.name)
		delete(w.as, a.name)
	}
}

// checkConflict checks that no ask is refused whose question a member asks that lives.
func (w *World) checkConflict(b *journal.Batch, e *journal.Settled) {
	if e.Why != "CONFLICT" {
		return
	}
	for _, ref := range e.Asks {
		a := w.oracle.Ask(ref)
		if a == nil || a.Settled != nil {
			continue
		}
		open := w.oracle.Open(a.Key)
		if open != nil && !w.oracle.Cut(open) && w.asked[open.ID] == a.Question {
			w.Errorf("%s refuses %s, and %s of %s asks its question", b.Member, a.Token, open.ID, open.Writer)
		}
	}
}

// checkBegin looks at a begin before it is applied.
func (w *World) checkBegin(b *journal.Batch, e *journal.Begin) {
	open := w.oracle.Open(e.Key)
	counts := open == nil && e.Follows == ""
	if open != nil {
		counts = e.Follows == open.ID || e.Follows == "" && e.Run == open.ID
		if open.Writer != b.Member && !w.oracle.Cut(open) {
			w.Errorf("begin of %s beside the open run %s of %s, which lives", e.Run, open.ID, open.Writer)
		}
	}
	if e.Attempt > w.Fleet.Attempts || e.Deaths >= w.Fleet.Deaths {
		w.Errorf("begin of %s is attempt %d after %d deaths", e.Run, e.Attempt, e.Deaths)
	}
	if !counts {
		return
	}
	w.roots[e.Run] = e.Run
	if open != nil {
		w.roots[e.Run] = w.roots[open.ID]
		if e.Attempt != open.Attempt+1 {
			w.Errorf("begin of %s is attempt %d after %d", e.Run, e.Attempt, open.Attempt)
		}
		if e.Follows == "" {
			return // a further attempt
		}
	}
	if !e.Asked.IsZero() {
		a, _ := w.entry(e.Asked)
		w.asked[e.Run] = a.(*journal.Ask).Question
	}
	if w.Fleet.Fail && e.Follows != "" {
		w.Errorf("%s runs again what was cut", e.Run)
	}
	w.checkNeed(b, e)
}

// checkNeed checks that an ask waits for a begin, and that no remembered answer serves it.
func (w *World) checkNeed(b *journal.Batch, e *journal.Begin) {
	waits, needs := false, false
	kept, ok := w.oracle.Answers().Get(e.Key)
	for _, a := range w.oracle.Waiting(e.Key) {
		if w.isFinal(a.ID) {
			continue
		}
		waits = true
		if !ok || !w.serves(kept.At, kept.Expires) || a.MaxAge >= 0 && !w.Fresh(a, kept.At) ||
			kept.At.Position < w.forgot[a.Persons[0]] {
			needs = true
		}
	}
	for _, x := range b.Entries {
		if a, is := x.(*journal.Ask); is && a.Key == e.Key {
			final := w.isFinal(a.ID)
			waits, needs = waits || !final, needs || !final
		}
	}
	switch {
	case !waits:
		w.Errorf("begin of %s for nobody", e.Run)
	case !needs:
		w.Errorf("begin of %s while the answer at %v is remembered until %v", e.Run, kept.At, kept.Expires)
	}
}

// isFinal reports whether an answer is final for an id by the clock of every member.
func (w *World) isFinal(id journal.Hash) bool {
	_, final := w.oracle.Final(id, w.now+2*skew+time.Second)
	return final
}

// Fresh reports whether an answer at a place serves an ask that wants none that is older than
// itself.
func (w *World) Fresh(a *fleet.Ask, at journal.Ref) bool {
	return a.First.Compare(w.Answer(at).Begun) < 0
}

// recount folds open runs by another hand, in as few words as there are rules: one run of a key at
// a time, a begin follows what is open, and an answer ends it.
func (w *World) recount(b *journal.Batch) {
	if w.gone[b.Member] || w.isDamaged(b.Member) {
		return
	}
	for _, e := range b.Entries {
		switch e := e.(type) {
		case *journal.Begin:
			if open := w.open[e.Key]; open == e.Follows || open == e.Run {
				w.open[e.Key] = e.Run
			}
		case *journal.Answer:
			if w.open[e.Key] == e.Run {
				delete(w.open, e.Key)
			}
		case *journal.Seal:
			w.gone[b.Member] = true
		}
	}
	for _, k := range w.Keys {
		id := ""
		if open := w.oracle.Open(k); open != nil {
			id = open.ID
		}
		if id != w.open[k] {
			w.Errorf("the fold has %q as the open run of key %d, and it is %q", id, k[6], w.open[k])
		}
	}
}
