// Two questions under one key at the same time: which of them is the key's.

package fleet_test

import (
	"strings"
	"testing"
	"time"

	"protocolq/worker/fleet"
	"protocolq/worker/journal"
)

// askFor is an ask of a numbered question.
func askFor(token string, question byte) *journal.Ask {
	a := ask(token)
	a.Question = journal.Hash{question}
	return a
}

// asked is the begin of a run for the ask at a place.
func asked(at journal.Ref, run, follows string) *journal.Begin {
	b := begin(run, 1, follows)
	b.Asked = at
	return b
}

func conclusive(run string, question byte) *journal.Answer {
	a := answer(run, journal.Conclusive)
	a.Question = journal.Hash{question}
	return a
}

// next is the place of the first entry of the next batch.
func (x *tape) next() journal.Ref { return journal.Ref{Position: uint64(len(x.log)) + 1, Index: 1} }

// both asks question 1 by one door, and question 2 by that of the member that owns the key: it
// begins the run for it in the same batch, which is composed before it has read of the other.
func (x *tape) both(owner journal.Member) (one, two journal.Ref) {
	one = x.write("b", askFor("one", 1))
	two = x.next()
	x.write(owner, askFor("two", 2), asked(two, "r", ""))
	return one, two
}

func (x *tape) settle(m journal.Member, ask journal.Ref) {
	x.write(m, &journal.Settled{Asks: []journal.Ref{ask}, Why: "WHY"})
}

// wantTurn looks at what comes next, and for which asks.
func (x *tape) wantTurn(want fleet.Step, asks string) {
	x.t.Helper()
	got := x.turn("a")
	var tokens []string
	for _, a := range got.Asks {
		tokens = append(tokens, a.Token)
	}
	if s := strings.Join(tokens, " "); got.Step != want || s != asks {
		x.t.Errorf("step %d for %q, want %d for %q", got.Step, s, want, asks)
	}
}

func TestTurnOfTwoQuestions(t *testing.T) {
	seal := &journal.Seal{By: "a"}
	for _, c := range []struct {
		name  string
		play  func(x *tape)
		later time.Duration
		want  fleet.Step
		asks  string
	}{
		{"no run is open", func(x *tape) { x.write("b", askFor("one", 1)); x.write("a", askFor("two", 2)) }, 0, fleet.Conflict, "two"},
		{"one is under way", func(x *tape) { x.both("a") }, 0, fleet.Conflict, "one"},
		{"and the other is refused", func(x *tape) { one, _ := x.both("a"); x.settle("a", one) }, 0, fleet.UnderWay, ""},
		{"and nobody waits for it", func(x *tape) { _, two := x.both("a"); x.settle("a", two) }, 0, fleet.Conflict, "one"},
		{"and who asked for it is told", func(x *tape) {
			_, two := x.both("a")
			x.settle("a", two)
			x.write("a", &journal.Told{Entries: []journal.Ref{two}})
			x.write("a", askFor("again", 2))
		}, 0, fleet.Conflict, "one"},
		// A further begin names a place that may be another ask's.
		{"and is tried again", func(x *tape) {
			x.both("a")
			b := asked(x.next(), "r", "")
			b.Attempt = 2
			x.write("a", askFor("three", 1), b)
		}, 0, fleet.Conflict, "one three"},
		{"and a begin beside it is void", func(x *tape) { one, _ := x.both("a"); x.write("a", asked(one, "r2", "")) }, 0, fleet.Conflict, "one"},
		{"and is carried", func(x *tape) {
			_, two := x.both("a")
			x.write("a", &journal.Carried{First: journal.Ref{Position: two.Position, Index: 2}, Writer: "a", Entry: asked(two, "r", "")})
		}, 0, fleet.Conflict, "one"},
		{"its begin names an ask of another key", func(x *tape) {
			other := askFor("other", 2)
			other.Key = journal.Key{9}
			at := x.write("b", other)
			x.write("b", askFor("one", 1))
			x.write("a", askFor("two", 2), asked(at, "r", ""))
		}, 0, fleet.UnderWay, ""},
		{"it is answered", func(x *tape) { x.both("a"); x.write("a", conclusive("r", 2)) }, 0, fleet.Conflict, "one"},
		{"it refreshes an answer", func(x *tape) {
			x.write("a", askFor("s", 2), begin("old", 1, ""))
			x.write("a", conclusive("old", 2))
			x.both("a")
		}, 0, fleet.Conflict, "one"},
		// By the clock of the member that began the run, the answer had expired.
		{"an answer to the other is remembered", func(x *tape) {
			x.write("a", askFor("s", 1), begin("old", 1, ""))
			x.write("a", conclusive("old", 1))
			x.both("a")
		}, 0, fleet.Conflict, "one"},
		{"it is cut", func(x *tape) { x.both("z"); x.write("z", seal) }, 0, fleet.Conflict, "one"},
		{"it is cut, and the other is refused", func(x *tape) { one, _ := x.both("z"); x.write("z", seal); x.settle("a", one) }, time.Minute, fleet.Rerun, "two"},
		{"it is cut, and nobody waits for it", func(x *tape) { _, two := x.both("z"); x.settle("z", two); x.write("z", seal) }, time.Minute, fleet.Rerun, "one"},
		{"it is cut, nobody waits for it, and two others differ", func(x *tape) {
			_, two := x.both("z")
			x.settle("z", two)
			x.write("b", askFor("three", 3))
			x.write("z", seal)
		}, time.Minute, fleet.Conflict, "three"},
		{"it follows a run of the other", func(x *tape) {
			x.write("z", askFor("s", 1), asked(x.next(), "r0", ""))
			x.write("z", seal)
			two := x.next()
			x.write("a", askFor("two", 2), asked(two, "r", "r0"))
		}, 0, fleet.Conflict, "s"},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := newTape(t, settings, "a")
			x.write("b")
			c.play(x)
			x.now += c.later
			x.wantTurn(c.want, c.asks)
		})
	}
}

// A fold that begins with the copy of a begin knows its question from the copy of the ask,
// whichever comes first. If that ask was told and is no more, nobody is refused while the run is
// open.
func TestQuestionOfACarriedRun(t *testing.T) {
	for _, c := range []struct {
		name string
		play func(x *tape, ask, begin *journal.Carried)
		want fleet.Step
		asks string
	}{
		{"after its ask", func(x *tape, ask, begin *journal.Carried) { x.write("a", ask, begin) }, fleet.Conflict, "one"},
		{"before its ask", func(x *tape, ask, begin *journal.Carried) { x.write("a", begin); x.write("a", ask) }, fleet.Conflict, "one"},
		{"without its ask", func(x *tape, _, begin *journal.Carried) { x.write("a", begin) }, fleet.UnderWay, ""},
		{"of a further attempt", func(x *tape, ask, begin *journal.Carried) {
			begin.Entry.(*journal.Begin).Attempt = 2
			x.write("a", ask, begin)
		}, fleet.UnderWay, ""},
		{"and cut, without its ask", func(x *tape, _, begin *journal.Carried) {
			x.write("z")
			begin.Writer = "z"
			x.write("a", begin)
			x.write("z", &journal.Seal{By: "a"})
		}, fleet.Conflict, "again"},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := newTape(t, settings, "a")
			one, two := x.both("a")
			x.state = fleet.New(settings, x.next().Position)
			for range 2 {
				x.write("a")
			}
			x.write("a", &journal.Carried{First: one, Writer: "b", Entry: askFor("one", 1)})
			c.play(x, &journal.Carried{First: two, Writer: "a", Entry: askFor("two", 2)},
				&journal.Carried{First: journal.Ref{Position: two.Position, Index: 2}, Writer: "a", Entry: asked(two, "r", "")})
			x.write("a", askFor("again", 2))
			x.wantTurn(c.want, c.asks)
		})
	}
}
