// Whether two folds are equal: purging must not change that.

package fleet

import (
	"fmt"
	"time"

	"protocolq/worker/journal"
	"protocolq/worker/memory"
)

// Diff says how two folds of one log at one position differ, "" if they are equal. now is on the
// clock of the member that has the folds. A log may be purged up to a position if the fold of the
// rest is equal to the fold of everything.
func Diff(a, b *State, now time.Duration) string {
	if a.applied != b.applied {
		return fmt.Sprintf("one has applied %d, the other %d", a.applied, b.applied)
	}
	for _, d := range []string{
		diffMembers(a, b), diffMembers(b, a), diffAsks(a, b), diffAsks(b, a),
		diffRuns(a, b), diffRuns(b, a), diffKnown(a, b), diffKnown(b, a),
		diffAnswers(a.answers, b.answers, now), diffAnswers(b.answers, a.answers, now),
		diffAnswers(a.cooling, b.cooling, now), diffAnswers(b.cooling, a.cooling, now),
	} {
		if d != "" {
			return d
		}
	}
	return ""
}

func diffMembers(a, b *State) string {
	for id, m := range a.members {
		if a.lives(id) != b.lives(id) {
			return fmt.Sprintf("member %s lives: %v, %v", id, a.lives(id), b.lives(id))
		}
		o := b.members[id]
		if o == nil || o.Sealed != m.Sealed || o.Corrupt != m.Corrupt ||
			m.Sealed == 0 && (o.Last != m.Last || o.Read != m.Read) {
			return fmt.Sprintf("member %s: %+v, %+v", id, m, o)
		}
		if a.Complete(id) != b.Complete(id) {
			return fmt.Sprintf("member %s is complete: %v, %v", id, a.Complete(id), b.Complete(id))
		}
	}
	return ""
}

func diffAsks(a, b *State) string {
	for ref, x := range a.asks {
		y := b.asks[ref]
		switch {
		case y == nil:
			return fmt.Sprintf("ask %v (%s) is open in one only", ref, x.Token)
		case x.Token != y.Token || x.Key != y.Key || x.Question != y.Question || x.At != y.At:
			return fmt.Sprintf("ask %v: %+v, %+v", ref, x, y)
		case (x.Settled == nil) != (y.Settled == nil):
			return fmt.Sprintf("ask %v (%s) is settled: %v, %v", ref, x.Token, x.Settled, y.Settled)
		case x.Settled != nil && *x.Settled != *y.Settled:
			return fmt.Sprintf("ask %v (%s) is settled by %+v, %+v", ref, x.Token, *x.Settled, *y.Settled)
		}
	}
	return ""
}

func diffRuns(a, b *State) string {
	for k, ks := range a.keys {
		x, y := ks.open, b.Open(k)
		if x == nil {
			continue
		}
		if y == nil || x.ID != y.ID || x.Writer != y.Writer || x.At != y.At ||
			x.Attempt != y.Attempt || x.Deaths != y.Deaths {
			return fmt.Sprintf("open run of key %x: %+v, %+v", k, x, y)
		}
	}
	for ref, o := range a.answered {
		if p := b.answered[ref]; p == nil || *p != *o {
			return fmt.Sprintf("answer %v of run %s is owed: %+v, %+v", ref, o.Run, o, p)
		}
	}
	return ""
}

// diffKnown compares what is known for Keep. One fold may know it a little longer than the other.
func diffKnown(a, b *State) string {
	for token, t := range a.told {
		if _, ok := b.told[token]; !ok && t.clock >= a.clock-a.o.Keep {
			return fmt.Sprintf("told token %s is known in one only", token)
		}
	}
	for id, f := range a.finals {
		if g := b.finals[id]; g.answer != f.answer {
			return fmt.Sprintf("final answer of %x: %v, %v", id, f.answer, g.answer)
		}
	}
	for p, at := range a.forgotten {
		if b.forgotten[p] != at {
			return fmt.Sprintf("person %x is forgotten by %d, %d", p, at, b.forgotten[p])
		}
	}
	return ""
}

func diffAnswers(a, b *memory.Index, now time.Duration) string {
	d := ""
	a.All(func(k journal.Key, x memory.Answer) bool {
		y, ok := b.Get(k)
		if now < x.Expires && (!ok || x.At != y.At || x.Question != y.Question) {
			d = fmt.Sprintf("answer of key %x: %+v, %+v", k, x, y)
		}
		return d == ""
	})
	return d
}
