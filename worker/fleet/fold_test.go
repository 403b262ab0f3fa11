// The fold, entry by entry.

package fleet_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"protocolq/worker/fleet"
	"protocolq/worker/journal"
	"protocolq/worker/memory"
)

var settings = fleet.Options{Lease: 12 * time.Second, Grace: 2 * time.Second, Keep: 10 * time.Minute, Lag: time.Minute, Attempts: 3, Deaths: 3}

// tape is a log that is folded as it is written. It stores a batch a second.
type tape struct {
	t       *testing.T
	state   *fleet.State
	now     time.Duration
	log     []*journal.Batch
	numbers map[journal.Member]uint64
	changes *fleet.Changes
}

func newTape(t *testing.T, o fleet.Options, members ...journal.Member) *tape {
	x := &tape{t: t, state: fleet.New(o, 1), numbers: map[journal.Member]uint64{}}
	for range 2 { // to join, and to say that the others' joins are read
		for _, m := range members {
			x.write(m)
		}
	}
	return x
}

// write stores a batch of a member that has read all there is, and returns the place of its first
// entry.
func (x *tape) write(m journal.Member, entries ...journal.Entry) journal.Ref {
	x.t.Helper()
	x.numbers[m]++
	b := &journal.Batch{Head: journal.Head{Number: x.numbers[m], Read: x.state.Applied()}, Member: m, Entries: entries, Position: uint64(len(x.log)) + 1}
	x.put(b)
	return b.Ref(0)
}

func (x *tape) put(b *journal.Batch) {
	x.t.Helper()
	x.now += time.Second
	b.Stored = time.Unix(0, 0).Add(x.now)
	x.log = append(x.log, b)
	c, err := x.state.Apply(b, fleet.Heard{At: x.now})
	if err != nil {
		x.t.Fatal(err)
	}
	x.changes = c
}

func (x *tape) turn(m journal.Member) fleet.Turn {
	return x.state.Turn(&fleet.Own{ID: m}, someKey, x.now, nil)
}

var someKey = journal.Key{1, 2, 3}

func ask(token string) *journal.Ask {
	return &journal.Ask{Token: token, Key: someKey, Door: journal.Submit, MaxAge: -1}
}

func begin(run string, attempt int, follows string) *journal.Begin {
	return &journal.Begin{Key: someKey, Run: run, Attempt: attempt, Follows: follows}
}

func answer(run string, v journal.Verdict) *journal.Answer {
	return &journal.Answer{Key: someKey, Run: run, Verdict: v, Keep: time.Minute, Begun: journal.Ref{Position: 1, Index: 1}}
}

func TestApplyTakesTheNextBatchOnly(t *testing.T) {
	x := newTape(t, settings, "a")
	for _, at := range []uint64{0, 1, 2, 4, 9} {
		if _, err := x.state.Apply(&journal.Batch{Position: at, Member: "b", Head: journal.Head{Number: 1}}, fleet.Heard{}); !errors.Is(err, fleet.ErrGap) {
			t.Errorf("batch %d after 2: %v", at, err)
		}
	}
	if x.state.Applied() != 2 || len(x.state.Live()) != 1 {
		t.Errorf("applied %d, %d members", x.state.Applied(), len(x.state.Live()))
	}
}

func TestTheFirstEntryOfATokenCounts(t *testing.T) {
	x := newTape(t, settings, "a", "b")
	first := x.write("a", ask("t"))
	x.write("b", ask("t"))
	if w := x.state.Waiting(someKey); len(w) != 1 || w[0].First != first {
		t.Errorf("waiting: %+v", w)
	}
	x.write("a", &journal.Settled{Asks: []journal.Ref{first}, Why: "DEADLINE"})
	x.write("a", &journal.Told{Entries: []journal.Ref{first}})
	x.write("b", ask("t"))
	if w := x.state.Waiting(someKey); len(w) != 0 || !x.state.Knows("t", journal.Near{}) {
		t.Errorf("after it was told: %+v, known: %v", w, x.state.Knows("t", journal.Near{}))
	}
	for range 700 {
		x.write("a")
	}
	if x.state.Knows("t", journal.Near{}) {
		t.Error("it is known for longer than Keep")
	}
}

func TestWhatAnAnswerSettles(t *testing.T) {
	other := ask("other")
	other.Question = journal.Hash{9}
	waits := ask("awaits")
	waits.Door = journal.Await
	for _, c := range []struct {
		verdict journal.Verdict
		want    string
	}{
		{journal.Conclusive, "submitted awaits"},
		{journal.Failed, "awaits"},
		{journal.Crashed, "submitted"},
		{journal.Released, ""},
	} {
		x := newTape(t, settings, "a")
		x.write("a", ask("submitted"), waits, other, begin("r", 1, ""))
		a := answer("r", c.verdict)
		if c.verdict == journal.Crashed {
			a.Final = []journal.Final{{Token: "submitted"}}
		}
		x.write("a", a)
		got := ""
		for _, d := range x.changes.Due {
			if d.Ask != nil {
				got += " " + d.Ask.Token
			}
		}
		if got != " "+c.want && got != c.want {
			t.Errorf("verdict %d settles%s, want %s", c.verdict, got, c.want)
		}
		if x.state.Open(someKey) != nil {
			t.Errorf("verdict %d leaves the run open", c.verdict)
		}
	}
}

func TestOfTwoAnswersTheFirstCounts(t *testing.T) {
	x := newTape(t, settings, "a", "b")
	x.write("a", ask("t"), begin("r1", 1, ""))
	x.write("a", &journal.Seal{By: "b"})
	x.write("b", begin("r2", 2, "r1"))
	late := answer("r1", journal.Conclusive)
	x.numbers["c"] = 0
	if x.write("c", late); !x.changes.Void || x.state.Open(someKey).ID != "r2" {
		t.Errorf("a late answer after the next begin: void %v, open %+v", x.changes.Void, x.state.Open(someKey))
	}
	x.write("b", answer("r2", journal.Conclusive))
	if x.write("b", answer("r2", journal.Conclusive)); !x.changes.Void {
		t.Error("a second answer counts")
	}
}

func TestNothingCountsAfterASeal(t *testing.T) {
	x := newTape(t, settings, "a", "b")
	x.write("a", &journal.Seal{By: "b"})
	if x.write("a", ask("t")); x.state.Knows("t", journal.Near{}) {
		t.Error("an ask after the seal is in")
	}
	if x.state.Owner(someKey) != "b" {
		t.Errorf("owner %s", x.state.Owner(someKey))
	}
}

func TestABatchThatCannotBeReadSealsItsWriter(t *testing.T) {
	x := newTape(t, settings, "a", "b")
	owner, other := x.state.Owner(someKey), journal.Member("a")
	if owner == "a" {
		other = "b"
	}
	x.put(&journal.Batch{Member: owner, Position: uint64(len(x.log)) + 1, Corrupt: []byte{1}})
	sealed := x.now
	x.write(other, ask("t"))
	if turn := x.turn(other); turn.Step != fleet.Waiting || turn.Until != sealed+14*time.Second {
		t.Errorf("it may have held a begin, and the next is %d until %v, want to wait until %v", turn.Step, turn.Until, sealed+14*time.Second)
	}
	if x.now += 14 * time.Second; x.turn(other).Step != fleet.Begin {
		t.Errorf("after a lease: %d", x.turn(other).Step)
	}
}

// What a member wrote between its unnoticed seal and its end does not count: a fold that began
// there would take the member as live.
func TestNothingBeginsBetweenASealAndWhatCameAfterIt(t *testing.T) {
	x := newTape(t, settings, "a", "b")
	x.put(&journal.Batch{Member: "a", Position: uint64(len(x.log)) + 1, Corrupt: []byte{1}})
	sealed := x.state.Applied()
	for range 50 {
		x.write("a")
	}
	last, most := x.state.Applied(), uint64(0)
	for range 1000 {
		x.write("b")
		p, _ := x.state.Purge("b")
		if sealed < p && p <= last {
			t.Fatalf("may purge below %d, between the seal at %d and %d", p, sealed, last)
		}
		most = max(most, p)
	}
	if most <= last {
		t.Errorf("may purge below %d at most", most)
	}
}

func TestWhoIsLateIsDueAtOnce(t *testing.T) {
	x := newTape(t, settings, "a")
	late := ask("t")
	late.Left = time.Millisecond
	if a := x.state.Ask(x.write("a", late)); a == nil || a.Due > x.now {
		t.Errorf("%+v at %v", a, x.now)
	}
}

func TestTheLogsTimeLeavesClocksAlone(t *testing.T) {
	x := newTape(t, settings, "a")
	first := x.write("a", ask("t"))
	x.write("a", &journal.Told{Entries: []journal.Ref{first}})
	x.now += 24 * time.Hour // one server's clock is a day ahead, for one batch
	x.write("a")
	if !x.state.Knows("t", journal.Near{}) {
		t.Error("a clock that is wrong makes a token forgotten")
	}
}

func TestAge(t *testing.T) {
	at := time.Unix(1000, 0)
	for _, c := range []struct{ server, own, want time.Duration }{
		{0, 0, 0}, {time.Second, 0, time.Second}, {0, time.Hour, time.Hour}, {-time.Hour, -time.Minute, 0},
	} {
		if got := fleet.Age(at, at.Add(c.server), at.Add(c.own)); got != c.want {
			t.Errorf("server %v, own %v: %v, want %v", c.server, c.own, got, c.want)
		}
	}
}

func TestOwnersAreEvenAndMoveOnlyWithTheirMember(t *testing.T) {
	x := newTape(t, settings, "a", "b", "c", "d")
	before, share := map[journal.Key]journal.Member{}, map[journal.Member]int{}
	for n := range 4000 {
		k := journal.Key{byte(n), byte(n >> 8), 7, byte(n * 31)}
		before[k] = x.state.Owner(k)
		share[before[k]]++
	}
	for m, n := range share {
		if n < 850 || n > 1150 {
			t.Errorf("%s owns %d of 4000", m, n)
		}
	}
	x.write("b", &journal.Seal{By: "b"})
	for k, m := range before {
		if now := x.state.Owner(k); m != "b" && now != m || now == "b" {
			t.Fatalf("key %x moves from %s to %s", k, m, now)
		}
	}
}

func TestAJoinerWaitsForThoseBeforeIt(t *testing.T) {
	x := newTape(t, settings, "a", "b")
	read := x.state.Applied()
	x.write("c")
	old := x.numbers["a"]
	x.put(&journal.Batch{Member: "a", Head: journal.Head{Number: old + 1, Read: read}, Position: uint64(len(x.log)) + 1})
	x.numbers["a"]++
	x.write("b")
	if x.state.Complete("c") || !x.state.Complete("a") {
		t.Error("a has not read the join, and the joiner is complete")
	}
	if o := (&fleet.Own{ID: "a"}); !x.state.BeatDue(o, 0) {
		t.Error("a need not say that it has read the join")
	}
	if x.write("a"); !x.state.Complete("c") {
		t.Error("all have read the join, and the joiner is not complete")
	}
	x.write("d") // waits for c, not c for it
	if !x.state.Complete("c") || x.state.Complete("d") {
		t.Error("a later joiner takes completeness away, or has it at once")
	}
}

func TestACopyOfWhatHasEndedDoesNotCount(t *testing.T) {
	x := newTape(t, settings, "a")
	first := x.write("a", ask("t"), begin("r", 1, ""))
	x.write("a", answer("r", journal.Conclusive))
	x.write("a", &journal.Told{Entries: []journal.Ref{first}})
	x.write("a", &journal.Carried{First: first, Writer: "a", Entry: ask("t")}, &journal.Carried{First: journal.Ref{Position: first.Position, Index: 2}, Writer: "a", Entry: begin("r", 1, "")})
	if len(x.state.Waiting(someKey)) > 0 || x.state.Open(someKey) != nil {
		t.Errorf("waiting %v, open %v", x.state.Waiting(someKey), x.state.Open(someKey))
	}
	if !x.changes.Void {
		t.Error("the copies are not void")
	}
}

func TestAnOlderCopyReplacesNothing(t *testing.T) {
	x := newTape(t, settings, "a", "b")
	x.write("a", ask("s"), begin("r1", 1, ""))
	old := x.write("a", answer("r1", journal.Conclusive))
	copied := &journal.Carried{First: old, Writer: "a", Entry: answer("r1", journal.Conclusive)}
	x.write("b", copied)
	if kept, _ := x.state.Answers().Get(someKey); !kept.Copied {
		t.Errorf("the copy is not where the text lies: %+v", kept)
	}
	x.write("b", begin("r2", 1, ""))
	newer := x.write("b", answer("r2", journal.Conclusive))
	x.write("a", copied) // decided before the newer answer came
	if kept, _ := x.state.Answers().Get(someKey); kept.At != newer || !x.changes.Void {
		t.Errorf("remembered: %+v, want the newer one at %v", kept, newer)
	}
}

// What is left after a purge gives the same fold, with copies in place of what is gone.
func TestCarriedAndPurged(t *testing.T) {
	x := newTape(t, settings, "a")
	me := &fleet.Own{ID: "a"}
	x.write("a", ask("answered"), begin("r1", 1, ""))
	a := answer("r1", journal.Conclusive)
	a.Keep = time.Hour
	done := x.write("a", a)
	x.write("a", &journal.Told{Entries: []journal.Ref{{Position: 3, Index: 1}, done}})
	fresh := ask("open")
	fresh.MaxAge = 0
	x.write("a", fresh, begin("r2", 1, ""))
	for range 700 {
		x.write("a")
	}
	if p, ok := x.state.Purge("a"); ok && p > 4 {
		t.Fatalf("may purge below %d before anything is carried", p)
	}
	items := x.state.Carry(me, x.state.Applied(), x.now, 10)
	if len(items) != 3 {
		t.Fatalf("carries %+v", items)
	}
	var copies []journal.Entry
	for _, i := range items {
		b := x.log[i.At.Position-1]
		copies = append(copies, x.state.Copy(i, b.Entries[i.At.Index-1], b.Member, x.now))
	}
	x.write("a", copies...)
	for range 700 {
		x.write("a")
	}
	p, ok := x.state.Purge("a")
	if !ok || p < 700 {
		t.Fatalf("may purge below %d: %v", p, ok)
	}
	shadow := fleet.New(settings, p)
	for _, b := range x.log[p-1:] {
		if _, err := shadow.Apply(b, fleet.Heard{At: x.now, Age: x.now - time.Duration(b.Stored.UnixNano())}); err != nil {
			t.Fatal(err)
		}
	}
	if d := fleet.Diff(x.state, shadow, x.now); d != "" {
		t.Error(d)
	}
	old, _ := x.state.Answers().Get(someKey)
	if left, _ := shadow.Answers().Get(someKey); (left.Expires - old.Expires).Abs() > time.Second+memory.Tick { // the way to the log is not counted
		t.Errorf("the copy lives until %v, the answer until %v", left.Expires, old.Expires)
	}
}

// A member that carries a long tail searches the memory once, not from its start for each portion.
func TestCarryGoesOn(t *testing.T) {
	const answers, portion = 200, 50
	x := newTape(t, settings, "a")
	for i := range byte(answers) {
		e, b := answer("", journal.Conclusive), begin("", 1, "")
		e.Key[0], e.Run, e.Keep = i, fmt.Sprint(i), time.Hour
		b.Key, b.Run = e.Key, e.Run
		x.write("a", b, e)
	}
	me, seen := &fleet.Own{ID: "a"}, map[journal.Ref]bool{}
	for range answers / portion {
		items := x.state.Carry(me, x.state.Applied()+1, x.now, portion)
		for _, i := range items {
			seen[i.At] = true
		}
		if len(items) != portion {
			t.Errorf("carries %d", len(items))
		}
	}
	if len(seen) != answers {
		t.Errorf("%d of %d are looked at", len(seen), answers)
	}
	if again := x.state.Carry(me, x.state.Applied()+1, x.now, 2*answers); len(again) != answers {
		t.Errorf("%d of %d once more", len(again), answers)
	}
}

// A copy that comes after its ask was told opens nothing, also in a fold that has seen only an
// older copy of the ask.
func TestCopyOfTold(t *testing.T) {
	first := journal.Ref{Position: 5, Index: 1}
	copied := &journal.Carried{First: first, Writer: "a", Entry: ask("t")}
	copied.Entry.(*journal.Ask).Door = journal.Await
	s := fleet.New(settings, 16)
	for i, entries := range [][]journal.Entry{
		nil, {copied}, {&journal.Settled{Asks: []journal.Ref{first}, Why: "DEADLINE"}}, {&journal.Told{Entries: []journal.Ref{first}}}, {copied},
	} {
		b := &journal.Batch{Head: journal.Head{Number: uint64(7 + i), Read: 15}, Member: "a", Position: uint64(16 + i), Entries: entries, Stored: time.Unix(int64(i), 0)}
		if _, err := s.Apply(b, fleet.Heard{At: time.Duration(i) * time.Second}); err != nil {
			t.Fatal(err)
		}
		if open := s.Ask(first) != nil; open != (i == 1 || i == 2) {
			t.Errorf("after batch %d the ask is open: %v", 16+i, open)
		}
	}
}
