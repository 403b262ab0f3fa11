// For how long answers serve, whatever the log's own time is.

package fleet_test

import (
	"testing"
	"time"

	"protocolq/worker/fleet"
	"protocolq/worker/journal"
)

// Copies are stored long after they were composed, as no server was there: the answer serves no
// longer for it.
func TestCopiesThatComeLateDoNotLengthenALife(t *testing.T) {
	x := newTape(t, settings, "a")
	a := answer("r1", journal.Conclusive)
	a.Keep = time.Hour
	x.write("a", ask("s"), begin("r1", 1, ""))
	x.write("a", a)
	first, _ := x.state.Answers().Get(someKey)
	for n := range 3 {
		items := x.state.Carry(&fleet.Own{ID: "a"}, x.state.Applied()+1, x.now, 10)
		if len(items) != 1 {
			t.Fatalf("carries %+v", items)
		}
		c := x.state.Copy(items[0], a, "a", x.now)
		x.now += 5 * time.Minute
		x.write("a", c)
		if kept, _ := x.state.Answers().Get(someKey); kept.Expires > first.Expires {
			t.Errorf("after copy %d it expires %v later", n+1, kept.Expires-first.Expires)
		}
	}
}

// A crash is final for Keep, also where the log's own time hardly moves: a batch an hour is a
// minute of it.
func TestACrashIsFinalForKeep(t *testing.T) {
	for _, every := range []time.Duration{time.Second, time.Hour} {
		x := newTape(t, settings, "a")
		id := journal.Hash{9}
		s := ask("s")
		s.ID = id
		x.write("a", s, begin("r", 1, ""))
		c := answer("r", journal.Crashed)
		c.Final = []journal.Final{{Token: "s", ID: id}}
		at := x.write("a", c)
		until := x.now + settings.Keep
		for x.now < until+2*time.Hour {
			if got, ok := x.state.Final(id, x.now); ok != (x.now < until) || ok && got != at {
				t.Fatalf("a batch every %v: after %v it is final: %v", every, x.now, ok)
			}
			x.now += every - time.Second
			x.write("a")
		}
		again := ask("again")
		again.ID = id
		x.write("a", again)
		if step := x.turn("a").Step; step != fleet.Begin {
			t.Errorf("a batch every %v: who asks again has step %d", every, step)
		}
	}
}

// More asks wait for a crashed run than its answer can name: the crash is final also for those that
// were settled as crashed before it, even if they are told by then, and for no other.
func TestACrashIsFinalForAllWhoWaited(t *testing.T) {
	x := newTape(t, settings, "a", "z")
	named, more, late := ask("named"), ask("more"), ask("late")
	named.ID, more.ID, late.ID = journal.Hash{1}, journal.Hash{2}, journal.Hash{3}
	first := x.write("a", named, more, late)
	x.write("z", begin("r", 1, ""))
	x.write("z", &journal.Seal{By: "a"})
	for i, why := range []string{"CRASHED", "DEADLINE"} {
		ref := journal.Ref{Position: first.Position, Index: uint16(2 + i)}
		x.write("a", &journal.Settled{Asks: []journal.Ref{ref}, Why: why})
		x.write("a", &journal.Told{Entries: []journal.Ref{ref}})
	}
	c := answer("r", journal.Crashed)
	c.Code, c.Final = "CRASHED", []journal.Final{{Token: "named", ID: named.ID}}
	at := x.write("a", c)
	for id, want := range map[journal.Hash]bool{named.ID: true, more.ID: true, late.ID: false} {
		if got, ok := x.state.Final(id, x.now); ok != want || ok && got != at {
			t.Errorf("id %d: final: %v, want %v", id[0], ok, want)
		}
	}
}
