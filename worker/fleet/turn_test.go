// What a key needs next, case by case.

package fleet_test

import (
	"fmt"
	"testing"
	"time"

	"protocolq/worker/fleet"
	"protocolq/worker/journal"
	"protocolq/worker/memory"
)

func TestTurn(t *testing.T) {
	limited := func(token string) *journal.Ask { a := ask(token); a.MaxAge = 0; return a }
	awaits := func(token string) *journal.Ask { a := ask(token); a.Door = journal.Await; return a }
	fails := settings
	fails.Fail = true
	seal := &journal.Seal{By: "b"}
	for _, c := range []struct {
		name  string
		o     fleet.Options
		play  func(x *tape)
		later time.Duration
		want  fleet.Turn // without its asks
		asks  string
	}{
		{"nobody asks", settings, func(*tape) {}, 0, fleet.Turn{Step: fleet.Nobody}, ""},
		{"the first ask", settings, func(x *tape) { x.write("a", ask("t")) }, 0, fleet.Turn{Step: fleet.Begin, Attempt: 1}, "t"},
		{"one is under way", settings, func(x *tape) { x.write("a", ask("t"), begin("r", 1, "")) }, 0, fleet.Turn{Step: fleet.UnderWay}, ""},
		{"its member is sealed", settings, func(x *tape) { x.write("z", ask("t"), begin("r", 2, "")); x.write("z", seal) }, 0, fleet.Turn{Step: fleet.Waiting, Until: 17 * time.Second}, ""},
		{"and its lease has ended", settings, func(x *tape) { x.write("z", ask("t"), begin("r", 2, "")); x.write("z", seal) }, time.Minute, fleet.Turn{Step: fleet.Rerun, Attempt: 3, Deaths: 1}, "t"},
		{"no attempt is left", settings, func(x *tape) { x.write("z", ask("t"), begin("r", 3, "")); x.write("z", seal) }, time.Minute, fleet.Turn{Step: fleet.Crash, Attempt: 4, Deaths: 1}, "t"},
		{"nothing is run again", fails, func(x *tape) { x.write("z", ask("t"), begin("r", 1, "")); x.write("z", seal) }, time.Minute, fleet.Turn{Step: fleet.Crash, Attempt: 2, Deaths: 1}, "t"},
		{"the third death", settings, func(x *tape) {
			b := begin("r", 1, "")
			b.Deaths = 2
			x.write("z", ask("t"), b)
			x.write("z", seal)
		}, time.Minute, fleet.Turn{Step: fleet.Poison, Attempt: 2, Deaths: 3}, "t"},
		{"remembered", settings, func(x *tape) {
			x.write("a", ask("s"), begin("r", 1, ""))
			x.write("a", answer("r", journal.Conclusive))
			x.write("a", ask("t"), limited("fresh"))
		}, 0, fleet.Turn{Step: fleet.Serve, Until: time.Minute + 4*time.Second}, "t"},
		{"remembered, and too old for one", settings, func(x *tape) {
			x.write("a", ask("s"), begin("r", 1, ""))
			x.write("a", answer("r", journal.Conclusive))
			x.write("a", limited("t"))
		}, 0, fleet.Turn{Step: fleet.Begin, Attempt: 1}, "t"},
		{"remembered, and expired", settings, func(x *tape) {
			x.write("a", ask("s"), begin("r", 1, ""))
			x.write("a", answer("r", journal.Conclusive))
			x.write("a", ask("t"))
		}, time.Minute, fleet.Turn{Step: fleet.Begin, Attempt: 1}, "t"},
		{"remembered while a refresh was cut", settings, func(x *tape) {
			x.write("a", ask("s"), begin("r", 1, ""))
			x.write("a", answer("r", journal.Conclusive))
			x.write("z", limited("fresh"), begin("r2", 1, ""))
			x.write("z", seal)
			x.write("a", ask("t"))
		}, 0, fleet.Turn{Step: fleet.Serve, Until: time.Minute + 4*time.Second}, "t"},
		{"cool-down", settings, func(x *tape) {
			x.write("a", ask("s"), begin("r", 1, ""))
			x.write("a", answer("r", journal.Failed))
			x.write("a", awaits("t"))
		}, 0, fleet.Turn{Step: fleet.Cool, Until: time.Minute + 4*time.Second}, "t"},
		{"another question", settings, func(x *tape) {
			o := ask("t")
			o.Question = journal.Hash{5}
			x.write("a", ask("s"), asked(x.next(), "r", ""), o)
		}, 0, fleet.Turn{Step: fleet.Conflict}, "t"},
		{"it comes again after a crash", fails, func(x *tape) {
			a := answer("r", journal.Crashed)
			a.Final = []journal.Final{{Token: "s", ID: journal.Hash{8}}}
			x.write("a", ask("s"), begin("r", 1, ""))
			x.write("a", a)
			o := ask("t")
			o.ID = journal.Hash{8}
			x.write("a", o)
		}, 0, fleet.Turn{Step: fleet.Recall}, "t"},
	} {
		x := newTape(t, c.o, "a")
		c.play(x)
		x.now += c.later
		got := x.turn("a")
		asks := ""
		for _, a := range got.Asks {
			asks += a.Token
		}
		if got.Step != c.want.Step || c.want.Until > 0 && got.Until != c.want.Until || got.Attempt != c.want.Attempt || got.Deaths != c.want.Deaths || asks != c.asks {
			t.Errorf("%s: step %d until %v attempt %d deaths %d for %s, want %+v for %s", c.name, got.Step, got.Until, got.Attempt, got.Deaths, asks, c.want, c.asks)
		}
	}
}

func TestWhoMayNotDecide(t *testing.T) {
	x := newTape(t, settings, "a", "b")
	x.write("a", ask("t"))
	owner, other := x.state.Owner(someKey), journal.Member("a")
	if owner == "a" {
		other = "b"
	}
	if step := x.turn(other).Step; step != fleet.Elsewhere {
		t.Errorf("one that does not own the key: %d", step)
	}
	o := &fleet.Own{ID: owner}
	d := o.Draft(x.state, 1)
	d.Add(begin("r", 1, ""), someKey)
	for _, when := range []string{"in the draft", "on its way"} {
		if step := x.state.Turn(o, someKey, x.now, nil).Step; step != fleet.Unapplied || x.state.May(o, someKey) {
			t.Errorf("with a begin %s: %d", when, step)
		}
		if when == "in the draft" {
			o.Sent()
		}
	}
	o.Applied(1)
	if step := x.state.Turn(o, someKey, x.now, nil).Step; step != fleet.Begin {
		t.Errorf("after all that is applied: %d", step)
	}
}

// The numbers are the log's: one that a batch without a decision took is no other's, and one that
// was not used is used again.
func TestOwnBatchesAreKnownByTheLogsNumbers(t *testing.T) {
	x := newTape(t, settings, "a")
	x.write("a", ask("t"))
	o := &fleet.Own{ID: "a"}
	o.Draft(x.state, 4)
	o.Sent() // which the writer may send for a beat
	o.Draft(x.state, 5).Add(begin("r", 1, ""), someKey)
	o.Sent()
	o.Applied(4)
	if step := x.state.Turn(o, someKey, x.now, nil).Step; step != fleet.Unapplied {
		t.Errorf("a begin on its way behind a beat: step %d", step)
	}
	o.Applied(5)
	o.Draft(x.state, 6).Add(begin("r", 1, ""), someKey)
	o.Sent()
	x.write("b")
	if o.Draft(x.state, 6); o.Touches(someKey) { // it was not sent
		t.Error("what was not sent is waited for")
	}
	if !x.state.BeatDue(o, 0) {
		t.Error("no head says that the join was read, and none is due")
	}
}

// A draft without entries, which was never sent, does not hide that a batch is due for purging.
func TestABatchIsDueWhateverWasNotSent(t *testing.T) {
	x := newTape(t, settings, "a", "b")
	x.write("b")
	o := &fleet.Own{ID: "a"}
	purge := x.state.Applied()
	o.Draft(x.state, x.numbers["a"]+1)
	o.Sent()
	if !x.state.BeatDue(o, purge) {
		t.Error("after a draft without entries none is due")
	}
	o.Draft(x.state, x.numbers["a"]+1).Add(begin("r", 1, ""), someKey)
	o.Sent()
	if x.state.BeatDue(o, purge) {
		t.Error("another is due while one is on its way")
	}
}

// One of a member's batches is damaged, and the member goes on until it learns that: its newest
// batch, which others do not count, renews its lease nevertheless.
func TestTheLeaseOfAMemberThatGoesOn(t *testing.T) {
	x := newTape(t, settings, "a", "b")
	owner, other := x.state.Owner(someKey), journal.Member("a")
	if owner == "a" {
		other = "b"
	}
	x.put(&journal.Batch{Member: owner, Position: uint64(len(x.log)) + 1, Corrupt: []byte{1}})
	x.write(other, ask("t"))
	for range 8 {
		x.write(owner)
	}
	ends := x.now + settings.Lease + settings.Grace
	if turn := x.turn(other); turn.Step != fleet.Waiting || turn.Until != ends {
		t.Errorf("step %d until %v, want %v", turn.Step, turn.Until, ends)
	}
}

func TestAnAskAndItsBeginShareABatch(t *testing.T) {
	x := newTape(t, settings, "a")
	o := &fleet.Own{ID: "a"}
	submitted, waits := ask("t"), ask("t")
	waits.Door = journal.Await
	d := o.Draft(x.state, 1)
	if d.Add(submitted); x.state.Turn(o, someKey, x.now, nil).Step != fleet.Nobody {
		t.Error("what may be a second arrival begins before it is applied")
	}
	d = o.Draft(x.state, 1)
	if d.Add(waits); x.state.Turn(o, someKey, x.now, nil).Step != fleet.Begin {
		t.Error("one who waits has to wait for two batches")
	}
}

func TestWhenACallMayBeMadeAndTold(t *testing.T) {
	x := newTape(t, settings, "a")
	waits := ask("t")
	first := begin("r", 1, "")
	at := x.write("a", waits, first)
	if x.state.MayCall(first, journal.Ref{}) || !x.state.MayCall(first, at) {
		t.Error("a first begin is called for once it is acknowledged, not before")
	}
	next := begin("r2", 2, "r")
	behind := journal.Ref{Position: x.state.Applied() + 1, Index: 1}
	if x.state.MayCall(next, behind) {
		t.Error("a begin that follows is called for before it is applied")
	}
	x.write("a", next)
	if !x.state.MayCall(next, behind) || x.state.MayCall(begin("r3", 2, "r"), behind) {
		t.Error("it is called for when it is applied and counts")
	}
	o, a := &fleet.Own{ID: "a"}, answer("r2", journal.Conclusive)
	behind.Position++
	if !x.state.Early(o, someKey) {
		t.Error("the owner's own run is not told early")
	}
	if n := len(x.state.Ahead(a, behind, true)); n != 1 {
		t.Errorf("%d are told when it is acknowledged", n)
	}
	if len(x.state.Ahead(a, journal.Ref{}, true)) > 0 || len(x.state.Ahead(a, behind, false)) > 0 {
		t.Error("they are told before it is acknowledged, or although another may have come first")
	}
}

// A batch that nobody can read may have held a begin of any key that its writer owned when it wrote
// it, whoever owns the key now.
func TestACorruptBatchMakesItsKeysWait(t *testing.T) {
	x := newTape(t, settings, "a", "b")
	read := x.state.Applied()
	x.write("c") // joins, unknown to the writer of what comes next
	x.put(&journal.Batch{Member: "a", Position: uint64(len(x.log)) + 1, Corrupt: []byte("?")})
	x.write("b")
	for i := range 100 {
		k := journal.Key{byte(i), 9}
		before := fleet.New(settings, 1)
		for _, b := range x.log[:read] {
			if _, err := before.Apply(b, fleet.Heard{}); err != nil {
				t.Fatal(err)
			}
		}
		x.now -= time.Second // all of them at once
		waiting := ask(fmt.Sprint("t", i))
		waiting.Key = k
		x.write("b", waiting)
		owner := x.state.Owner(k)
		if got := x.state.Turn(&fleet.Own{ID: owner}, k, x.now, nil).Step; before.Owner(k) == "a" && got != fleet.Waiting {
			t.Errorf("key %x was a's and is %s's, which may go on with step %d", k[:1], owner, got)
		}
	}
}

// A failure whose reason is gone keeps no key cool.
func TestWarm(t *testing.T) {
	x := newTape(t, settings, "a")
	x.write("a", ask("t"), begin("r", 1, ""))
	at := x.write("a", &journal.Answer{Key: someKey, Question: ask("t").Question, Run: "r", Verdict: journal.Failed, Keep: time.Minute, Begun: journal.Ref{Position: 3, Index: 2}})
	own := &fleet.Own{ID: "a"}
	if got := x.state.Turn(own, someKey, x.now, nil).Step; got != fleet.Cool {
		t.Fatalf("step %v after a failure, want Cool", got)
	}
	own.Warm = func(k journal.Key, failed memory.Answer) bool { return k == someKey && failed.At == at }
	if got := x.state.Turn(own, someKey, x.now, nil); got.Step != fleet.Begin || got.Attempt != 1 {
		t.Errorf("%+v where its reason is gone, want Begin", got)
	}
}

func TestKeys(t *testing.T) {
	x := newTape(t, settings, "a")
	list := func() (keys []journal.Key) {
		for k := range x.state.Keys {
			keys = append(keys, k)
		}
		return keys
	}
	if got := list(); len(got) != 0 {
		t.Errorf("keys %v of an empty fold", got)
	}
	x.write("a", ask("t"))
	if got := list(); len(got) != 1 || got[0] != someKey {
		t.Errorf("keys %v, want the one that is asked about", got)
	}
}
