// What must hold in every simulation, whatever its seed.

package flight_test

import (
	"slices"
	"time"

	"protocolq/worker/fleet"
	"protocolq/worker/journal"
)

// call is one request to the gateway.
type call struct {
	key      journal.Key
	run      string
	attempt  int
	from, to time.Duration
	by       *peer
}

// check looks at a batch as it is stored, and lets the oracle apply it.
func (w *world) check(b *journal.Batch) {
	seal := b.Seal()
	if seal != nil && seal.By != b.Member {
		w.note("sealed", "%s by %s", b.Member, seal.By)
		if p := w.peers[b.Member].proc; !p.dead && !p.peer.over && w.now-p.well > 4*time.Second && w.peers[b.Member] == p.peer {
			w.errorf("%s is sealed and was never in trouble", b.Member)
		}
	}
	refs := make([]*journal.Begin, 0, 4)
	if m := w.oracle.Member(b.Member); m == nil || m.Sealed == 0 {
		for _, e := range b.Entries {
			switch e := e.(type) {
			case *journal.Ask:
				if a := w.asks[e.Token]; a.stored {
					w.note("journalled twice", "%s by %s", a.token, b.Member)
					if !w.oracle.Knows(a.token, journal.Near{}) && w.now-a.since > w.o.Keep {
						// A door stood still with it for longer than Keep, and nobody could seal
						// it: it is another ask.
						w.seen["later than Keep"]++
						delete(w.said, a.token)
					}
				} else {
					a.stored, a.since = true, w.now
				}
			case *journal.Answer:
				// The worst moment: the owner does not learn what another has settled.
				if o := w.oracle.Owner(e.Key); o != "" && o != b.Member && w.chance(w.worst/2) {
					w.deafen(w.peers[o].proc)
				}
			case *journal.Begin:
				w.checkBegin(b, e)
				refs = append(refs, e)
			case *journal.Carried:
				w.note("carried "+map[journal.Kind]string{journal.KindAsk: "ask", journal.KindBegin: "begin", journal.KindAnswer: "answer"}[e.Entry.Kind()], "%v by %s", e.First, b.Member)
			}
		}
	}
	c, err := w.oracle.Apply(b, fleet.Heard{At: w.now})
	if err != nil {
		w.errorf("%v", err)
		return
	}
	for _, e := range refs {
		w.strike(w.peers[b.Member].proc)
		if open := w.oracle.Open(e.Key); open == nil || open.ID != e.Run {
			if e.Follows == "" {
				w.errorf("first begin of %s at %d does not count", e.Run, b.Position)
			}
		}
	}
	if c.Void {
		w.note("void", "batch %d of %s", b.Position, b.Member)
	}
	w.recount(b)
	for i, e := range b.Entries {
		w.logf("  %d/%d %s read %d: %s", b.Position, i+1, b.Member, b.Read, show(e))
	}
	if len(b.Entries) == 0 {
		w.logf("  %d %s read %d: beat", b.Position, b.Member, b.Read)
	}
	for _, d := range c.Due {
		if o := d.Answer; o != nil {
			if was, twice := w.runs[o.Run]; twice {
				w.errorf("run %s has two answers that count, %s and %v", o.Run, was, o.At)
			}
			w.runs[o.Run] = o.At.String()
		}
	}
}

// strike does the worst to a process whose begin was just stored.
func (w *world) strike(p *proc) {
	if !w.chance(w.worst) {
		return
	}
	how := w.focus
	if how > 3 {
		how = w.draw.IntN(4)
	}
	switch how {
	case 0: // its acknowledgement waits
		w.freeze(p, w.between(3*time.Second, 12*time.Second))
	case 1: // as here
		w.leaderless()
	default: // its key may get another owner meanwhile
		if w.alive() < 6 {
			w.spawn()
		}
	}
}

// recount folds open runs by another hand, in as few words as there are rules: one run of a key at
// a time, a begin follows what is open, and an answer ends it.
func (w *world) recount(b *journal.Batch) {
	if w.gone[b.Member] {
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
	for _, k := range w.keys {
		id := ""
		if open := w.oracle.Open(k); open != nil {
			id = open.ID
		}
		if id != w.open[k] {
			w.errorf("the fold has %q as the open run of key %d, and it is %q", id, k[6], w.open[k])
		}
	}
}

// checkBegin looks at a begin before it is applied.
func (w *world) checkBegin(b *journal.Batch, e *journal.Begin) {
	open := w.oracle.Open(e.Key)
	counts := open == nil && e.Follows == "" || open != nil && (e.Follows == open.ID || e.Follows == "" && e.Run == open.ID)
	if open != nil && open.Writer != b.Member && !w.oracle.Cut(open) {
		w.errorf("begin of %s beside the open run %s of %s, which lives", e.Run, open.ID, open.Writer)
	}
	if e.Attempt > w.o.Attempts || e.Deaths >= w.o.Deaths {
		w.errorf("begin of %s is attempt %d after %d deaths", e.Run, e.Attempt, e.Deaths)
	}
	if !counts {
		return
	}
	w.roots[e.Run] = e.Run
	if open != nil {
		w.roots[e.Run] = w.roots[open.ID]
	}
	if w.o.Fail && e.Follows != "" {
		w.errorf("%s runs again what was cut", e.Run)
	}
	if open != nil && e.Attempt != open.Attempt+1 {
		w.errorf("begin of %s is attempt %d after %d", e.Run, e.Attempt, open.Attempt)
	}
	if open != nil && e.Follows == "" {
		return // a further attempt
	}
	who, served := false, false
	kept, ok := w.oracle.Answers().Get(e.Key)
	for _, a := range w.oracle.Waiting(e.Key) {
		if _, final := w.oracle.Final(a.ID); final {
			continue
		}
		if who = true; !ok || w.now > kept.Expires-2*skew-time.Second || a.MaxAge >= 0 && !w.fresh(a, kept.At) {
			served = true
		}
	}
	for _, x := range b.Entries {
		if a, is := x.(*journal.Ask); is && a.Key == e.Key {
			_, final := w.oracle.Final(a.ID)
			who, served = who || !final, served || !final
		}
	}
	switch {
	case !who:
		w.errorf("begin of %s for nobody", e.Run)
	case !served:
		w.errorf("begin of %s while the answer at %v is remembered until %v", e.Run, kept.At, kept.Expires)
	}
}

// fresh reports whether an answer at a place serves an ask that wants none that is older than
// itself.
func (w *world) fresh(a *fleet.Ask, at journal.Ref) bool {
	e := w.answerAt(at)
	return a.First.Compare(e.Begun) < 0
}

// called looks at a call as its first byte leaves.
func (w *world) called(c *call) {
	w.note("called", "%s attempt %d by %s until %v", c.run, c.attempt, c.by.id, c.to)
	for _, o := range w.calls {
		if o.key == c.key && o.to > w.now {
			w.errorf("%s calls for %s while %s calls for %s of the same key", c.by.id, c.run, o.by.id, o.run)
		}
	}
	if open := w.oracle.Open(c.key); open == nil || open.ID != c.run {
		w.errorf("%s calls for %s, which is not its key's open run", c.by.id, c.run)
	}
	if w.oracle.Open(c.key) != nil && w.oracle.Open(c.key).Attempt != c.attempt {
		w.errorf("%s makes call %d of %s where the log has attempt %d", c.by.id, c.attempt, c.run, w.oracle.Open(c.key).Attempt)
	}
	root := w.roots[c.run]
	if w.made[root]++; w.made[root] > w.o.Attempts {
		w.errorf("call %d for one question, with %s", w.made[root], c.run)
	}
	w.calls = append(w.calls, c)
}

// tells looks at what the asker of a token is told, at the moment when it is.
func (w *world) tells(by *peer, a *fleet.Ask, what string, why *fleet.Settlement) {
	w.note("told", "%s: %s by %s", a.Token, what, by.id)
	w.told[a.Token]++
	w.text(a, what, why)
	if was, again := w.said[a.Token]; again {
		w.seen["told twice"]++
		if was != what {
			w.errorf("the asker of %s is told %s, and before it %s", a.Token, what, was)
		}
		return
	}
	w.said[a.Token] = what
	if o := w.asks[a.Token]; o.left > 0 && o.since > calm && w.slow < 10*time.Millisecond && w.now > o.since+o.left+400*time.Millisecond {
		w.errorf("the asker of %s is told %s %v after its deadline", a.Token, what, w.now-o.since-o.left)
	}
	truth := w.oracle.Ask(a.First)
	if truth == nil || truth.Settled == nil || said(truth.Settled) != what {
		w.errorf("the asker of %s is told %s, of which the log says nothing", a.Token, what)
		return
	}
}

// text looks at whether what a settlement tells can be read.
func (w *world) text(a *fleet.Ask, what string, why *fleet.Settlement) {
	if why == nil || why.Why != "" || w.oracle.Ask(a.First) == nil {
		return // it was told already, as who lags behind is about to read
	}
	if why.Answer.Position < w.first {
		w.errorf("the asker of %s is told %s, whose text is purged", a.Token, what)
	}
	e := w.answerAt(why.Answer)
	if e.Run != why.Run {
		w.errorf("the asker of %s is told %s, and its text is of %s", a.Token, why.Run, e.Run)
	}
	if e.Verdict == journal.Crashed && !slices.ContainsFunc(e.Final, func(f journal.Final) bool { return f.Token == a.Token || f.ID == a.ID }) {
		w.errorf("the asker of %s is told of a crash that does not name it", a.Token)
	}
}

// said is what a settlement tells.
func said(s *fleet.Settlement) string {
	if s.Why != "" {
		return s.Why
	}
	return "answer at " + s.Answer.String()
}

// judge looks at the end: nobody waits, and all folds are equal.
func (w *world) judge() {
	for _, k := range w.keys {
		for _, a := range w.oracle.Waiting(k) {
			w.errorf("%s still waits", a.Token)
		}
	}
	for _, token := range sorted(w.asks) {
		a := w.asks[token]
		if a.stored && w.said[token] == "" {
			w.errorf("the asker of %s was told nothing", token)
		}
		if a.door == journal.Submit && !a.stored {
			w.errorf("%s was submitted and is not in the log", token)
		}
	}
	alive := 0
	for _, p := range w.procs {
		if p.dead || p.peer.over {
			continue
		}
		alive++
		if d := fleet.Diff(w.oracle, p.peer.state, w.now+2*skew+time.Second); d != "" {
			w.errorf("the fold of %s is not that of all: %s", p.peer.id, d)
		}
		if owed := p.peer.state.Owed(p.peer.id); len(owed) > 0 {
			w.errorf("%s still owes %d duties", p.peer.id, len(owed))
		}
		if !p.peer.state.Complete(p.peer.id) {
			w.errorf("%s is not complete", p.peer.id)
		}
	}
	if alive == 0 {
		w.errorf("nobody lives")
	}
}
