// What its sender stored again, under a token that is near.

package fleet_test

import (
	"testing"
	"time"

	"protocolq/worker/fleet"
	"protocolq/worker/journal"
)

func token(piece byte) string { return journal.TokenOf(journal.Hash{piece, 1}) }

// Its sender stores one in the last seconds of a piece of time and again after it, and two members
// journal both at once: of tokens that are near the first in the log counts.
func TestOfNearTokensTheFirstCounts(t *testing.T) {
	stored := func(piece byte, into time.Duration) *journal.Ask {
		a := ask(token(piece))
		a.Near = journal.Near{Earlier: journal.Hash{piece - 1, 1}, Later: journal.Hash{piece + 1, 1}, Into: into}
		return a
	}
	for name, c := range map[string]struct {
		first, second *journal.Ask
		one           bool
	}{
		"the earlier first":       {stored(1, 599*time.Second), stored(2, 598*time.Second), true},
		"the later first":         {stored(2, 0), stored(1, 1), true},
		"a piece later":           {stored(1, 30*time.Second), stored(2, 30*time.Second), false},
		"a piece earlier":         {stored(2, 30*time.Second), stored(1, 30*time.Second), false},
		"two pieces later":        {stored(1, 599*time.Second), stored(3, 0), false},
		"of a former version":     {ask(token(1)), stored(2, 0), false},
		"by a former version":     {stored(1, 599*time.Second), ask(token(2)), false},
		"and with the same token": {ask(token(1)), stored(1, 599*time.Second), true},
	} {
		for _, told := range []bool{false, true} {
			x := newTape(t, settings, "a", "b")
			first := x.write("a", c.first)
			if told {
				x.write("a", &journal.Settled{Asks: []journal.Ref{first}, Why: "DEADLINE"}, &journal.Told{Entries: []journal.Ref{first}})
			}
			if got := x.state.Knows(c.second.Token, c.second.Near); got != c.one {
				t.Errorf("%s, told %v: known: %v", name, told, got)
			}
			second := x.write("b", c.second)
			if got := x.state.Ask(second) == nil; got != c.one {
				t.Errorf("%s, told %v: one: %v", name, told, got)
			}
		}
	}
}

// A fold that begins behind the first copy takes the second for it until it reads that the first
// was carried.
func TestACarriedAskTakesThePlaceOfItsNearCopy(t *testing.T) {
	first, second := ask(token(1)), ask(token(2))
	first.Near = journal.Near{Later: journal.Hash{2, 1}, Into: time.Second}
	second.Near = journal.Near{Earlier: journal.Hash{1, 1}}
	state := fleet.New(settings, 7)
	for i, e := range []journal.Entry{second, &journal.Carried{First: journal.Ref{Position: 3, Index: 1}, Writer: "a", Entry: first}} {
		if _, err := state.Apply(&journal.Batch{Head: journal.Head{Number: 9 + uint64(i)}, Member: "a", Position: 7 + uint64(i), Entries: []journal.Entry{e}}, fleet.Heard{}); err != nil {
			t.Fatal(err)
		}
	}
	w := state.Waiting(someKey)
	if len(w) != 1 || w[0].First != (journal.Ref{Position: 3, Index: 1}) || w[0].At.Position != 8 || w[0].Token != first.Token {
		t.Errorf("waiting: %+v", w)
	}
	if state.Knows(second.Token, journal.Near{}) || !state.Knows(second.Token, second.Near) || !state.Knows(first.Token, journal.Near{}) {
		t.Error("it is known by another token than the first copy's")
	}
}
