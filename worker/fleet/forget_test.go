// People who are to be forgotten, and what purging makes of that.

package fleet_test

import (
	"testing"
	"time"

	"protocolq/worker/fleet"
	"protocolq/worker/journal"
)

var somebody = [2]journal.Hash{{7}}

// purged purges the log as far as its first member may, and compares the fold of what is left.
func (x *tape) purged() (shadow *fleet.State) {
	x.t.Helper()
	p := x.purgedTo()
	shadow = fleet.New(settings, p)
	for _, b := range x.log[p-1:] {
		if _, err := shadow.Apply(b, fleet.Heard{At: x.now, Age: x.now - time.Duration(b.Stored.UnixNano())}); err != nil {
			x.t.Fatal(err)
		}
	}
	if d := fleet.Diff(x.state, shadow, x.now); d != "" {
		x.t.Errorf("purged below %d of %d: %s", p, len(x.log), d)
	}
	return shadow
}

// purgedTo is below which position the first member may purge.
func (x *tape) purgedTo() uint64 {
	x.t.Helper()
	p, ok := x.state.Purge("a")
	if !ok {
		x.t.Fatal("nothing may be purged")
	}
	return p
}

// An ask of a person who is to be forgotten stays open until its owner settles it, also for who
// knows only a copy that was on its way meanwhile.
func TestAForgottenPersonsAskIsSettledByItsOwner(t *testing.T) {
	x := newTape(t, settings, "a")
	open := ask("t")
	open.Persons = somebody
	first := x.write("a", open)
	for range 700 {
		x.write("a")
	}
	read := x.state.Applied()
	x.write("a", &journal.Forget{Person: somebody[0]})
	x.numbers["a"]++
	x.put(&journal.Batch{Member: "a", Head: journal.Head{Number: x.numbers["a"], Read: read}, Position: uint64(len(x.log)) + 1,
		Entries: []journal.Entry{&journal.Carried{First: first, Writer: "a", Entry: open}}})
	if f := x.purged().Forgotten(); len(f) != 1 || f[0].First != first {
		t.Errorf("to be settled: %+v", f)
	}
}

// What carries the tail past a forgotten person leaves the answer behind, and its text out.
func TestAForgottenPersonsAnswerIsDropped(t *testing.T) {
	for _, aware := range []bool{false, true} {
		x := newTape(t, settings, "a")
		a := answer("r1", journal.Conclusive)
		a.Keep, a.Persons, a.Result = time.Hour, somebody, []byte("personal")
		x.write("a", ask("s"), begin("r1", 1, ""))
		done := x.write("a", a)
		x.write("a", &journal.Told{Entries: []journal.Ref{{Position: 3, Index: 1}, done}})
		read := x.state.Applied()
		if aware {
			x.write("a", &journal.Forget{Person: somebody[0]})
			read = x.state.Applied()
		}
		items := x.state.Carry(&fleet.Own{ID: "a"}, x.state.Applied(), x.now, 10)
		if len(items) != 1 {
			t.Fatalf("carries %+v", items)
		}
		c := x.state.Copy(items[0], a, "a", x.now)
		if bare := c.Entry.(*journal.Answer); aware && bare.Result != nil || a.Result == nil {
			t.Errorf("the copy says %q, the answer %q", bare.Result, a.Result)
		}
		if !aware {
			x.write("a", &journal.Forget{Person: somebody[0]})
		}
		x.numbers["a"]++
		x.put(&journal.Batch{Member: "a", Head: journal.Head{Number: x.numbers["a"], Read: read}, Position: uint64(len(x.log)) + 1, Entries: []journal.Entry{c}})
		if kept, ok := x.state.Answers().Get(someKey); ok {
			t.Errorf("still remembered: %+v", kept)
		}
		for range 700 {
			x.write("a")
		}
		x.purged()
	}
}

// A call for a person is under way while the person is forgotten: its answer is not remembered.
func TestAForgottenPersonsRunIsNotRemembered(t *testing.T) {
	x := newTape(t, settings, "a")
	s := ask("s")
	s.Persons = somebody
	first := x.write("a", s, begin("r1", 1, ""))
	x.write("a", &journal.Forget{Person: somebody[0]})
	x.write("a", &journal.Settled{Asks: []journal.Ref{first}, Why: "FORGOTTEN"})
	a := answer("r1", journal.Conclusive)
	a.Keep, a.Persons, a.Begun = 24*time.Hour, somebody, journal.Ref{Position: first.Position, Index: 2}
	if done := x.write("a", a); !x.state.IsForgotten(a) {
		t.Error("it does not count as forgotten")
	} else if kept, ok := x.state.Answers().Get(someKey); ok {
		t.Errorf("remembered: %+v", kept)
	} else {
		x.write("a", &journal.Told{Entries: []journal.Ref{first, done}})
	}
	for range 700 {
		x.write("a")
	}
	x.purged()
	if below := x.purgedTo(); below <= first.Position+3 {
		t.Errorf("purged below %d only", below)
	}
}

// Until a copy drops the answer, it serves nobody who asks about the person again.
func TestAForgottenPersonsAnswerServesNobody(t *testing.T) {
	x := newTape(t, settings, "a")
	x.write("a", ask("s"), begin("r1", 1, ""))
	x.write("a", answer("r1", journal.Conclusive))
	again := ask("again")
	again.Persons = somebody
	x.write("a", again)
	if step := x.turn("a").Step; step != fleet.Serve {
		t.Errorf("before: step %d", step)
	}
	first := x.state.Waiting(someKey)[0].First
	x.write("a", &journal.Settled{Asks: []journal.Ref{first}, Why: "FORGOTTEN"}, &journal.Forget{Person: somebody[0]})
	later := ask("later")
	later.Persons = somebody
	x.write("a", later)
	if step := x.turn("a").Step; step != fleet.Begin {
		t.Errorf("after it: step %d", step)
	}
}

// A person is forgotten a second time: what came in between stays forgotten when the time of the
// first entry ends.
func TestForgottenTwice(t *testing.T) {
	x := newTape(t, settings, "a")
	x.write("a", &journal.Forget{Person: somebody[0]})
	for range 590 { // nearly Keep
		x.write("a")
	}
	first := x.write("a", ask("s"), begin("r1", 1, ""))
	a := answer("r1", journal.Conclusive)
	a.Keep, a.Persons, a.Result = time.Hour, somebody, []byte("personal")
	a.Begun = journal.Ref{Position: first.Position, Index: 2}
	done := x.write("a", a)
	x.write("a", &journal.Told{Entries: []journal.Ref{first, done}}, &journal.Forget{Person: somebody[0]})
	for range 30 {
		x.write("a")
	}
	items := x.state.Carry(&fleet.Own{ID: "a"}, x.state.Applied(), x.now, 10)
	if len(items) != 1 {
		t.Fatalf("carries %+v", items)
	}
	if e := x.state.Copy(items[0], a, "a", x.now).Entry.(*journal.Answer); e.Result != nil {
		t.Errorf("the copy says %q", e.Result)
	}
}
