//go:build unix

// The checker is held to made-up testimonies: each promise broken once, and seen.

package verdict

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"protocolq/gateway/simulator"
)

func TestASoundTestimonyHolds(t *testing.T) {
	v := Judge(sound(), held())
	if len(v.Broken) != 0 {
		t.Errorf("broken: %v, offences: %v", v.Broken, v.Offences)
	}
	if v.Asked != 3 || v.Calls != 3 || v.Keys != 2 || v.Reruns != 1 || v.InFlight != 1 || v.P99 != 5*time.Second {
		t.Errorf("counted %+v", v)
	}
}

func TestEveryBrokenPromiseIsSeen(t *testing.T) {
	further := func(key string, from, to int64, conn uint64, conclusive bool) simulator.Call {
		return simulator.Call{Partner: Partner, Key: key, Started: from, Ended: to, Answer: "signed", Conclusive: conclusive, Conn: conn}
	}
	for _, c := range []struct {
		word   string // of the complaint
		breaks func(*Evidence)
	}{
		{"accepted and lost", func(t *Evidence) { t.Asks["b"].Replies = nil }},
		{"unanswered", func(t *Evidence) { t.Asks["a"].Replies = nil }},
		{"unanswered", func(t *Evidence) { t.Asks["c"].Replies, t.Asks["c"].Acked = nil, 0 }},
		{"nothing was asked", func(t *Evidence) { t.Asks = nil }},
		{"overlapping", func(t *Evidence) {
			t.Calls = append(t.Calls, further("signed+1@example.com", 1*Second+5, 3*Second, 3, true))
		}},
		{"conclusive doubles", func(t *Evidence) {
			t.Calls = append(t.Calls, further("signed+1@example.com", 5*Second, 6*Second, 3, true))
		}},
		{"sealed by others", func(t *Evidence) { t.Faults = nil }},
		{"sealed by others", func(t *Evidence) { t.Faults[0].Kind = Downed }},
		{"further calls", func(t *Evidence) { t.at(7, 1).Follows, t.at(7, 1).Attempt = "", 1 }},
		{`false "not signed"`, func(t *Evidence) { t.Asks["a"].Replies[0].Outcome = "not_signed" }},
		{"other false answers", func(t *Evidence) { t.Asks["c"].Replies[0].Outcome = "signed" }},
		{"never gave", func(t *Evidence) { t.Calls[2].Conclusive = false }},
		{"no journal has", func(t *Evidence) { t.Asks["a"].Replies[0].Run = "r9" }},
		{"two answers", func(t *Evidence) { t.Asks["a"].Replies[0].Outcome = "abnormal" }},
		{"durable replies beyond", func(t *Evidence) { t.Asks["b"].Replies = append(t.Asks["b"].Replies, t.Asks["b"].Replies[0]) }},
		{"must not be", func(t *Evidence) { t.Escaped = []string{"$KV.x"} }},
		{"panicked", func(t *Evidence) { t.Panics = []string{"worker-1"} }},
		{"left in the streams", func(t *Evidence) { t.Left = 1 }},
		{"settle nothing", func(t *Evidence) { t.Asks["a"].Replies[0].Outcome = "unknown" }},
		{"settle nothing", func(t *Evidence) { // the machine stood still for too short a time
			t.Asks["a"].Replies[0].Outcome, t.Asks["a"].Replies[0].Code, t.Asks["a"].Replies[0].At = "unknown", "DEADLINE", 9*Second
			t.Stalls = []Stall{{3 * Second, 4 * Second}}
		}},
		{"settle nothing", func(t *Evidence) { // or because of what was done to it
			t.Asks["a"].Replies[0].Outcome, t.Asks["a"].Replies[0].Code, t.Asks["a"].Replies[0].At = "unknown", "DEADLINE", 9*Second
			t.Stalls, t.Faults = []Stall{{3 * Second, 8 * Second}}, append(t.Faults, Fault{At: 2 * Second, Until: 4 * Second, Kind: Absent})
		}},
		{"p99", func(t *Evidence) { t.Asks["c"].Replies[0].At = 60 * Second }},
		{"out of place", func(t *Evidence) { t.Surplus = []string{"out of place"} }},
	} {
		t.Run(c.word, func(t *testing.T) {
			saw := sound()
			c.breaks(saw)
			v := Judge(saw, held())
			if !strings.Contains(fmt.Sprint(v.Broken), c.word) {
				t.Errorf("not seen; broken: %v", v.Broken)
			}
		})
	}
}

func TestThawedCallsAreCountedApart(t *testing.T) {
	saw := sound()
	saw.at(3, 1).Keep = 1000
	saw.add(20*Second-9, "m2", journalAsk("d", one, "", byAwait), entry{Kind: aBegin, Key: keyOf(one), Run: "r7", Attempt: 1, Asked: place{10, 1}})
	saw.add(28*Second, "m2", entry{Kind: anAnswer, Key: keyOf(one), Question: "q" + one, Run: "r7", Verdict: conclusive}, entry{Kind: aTold, Entries: []place{{10, 1}}})
	saw.Events["r7"] = 1
	saw.Faults = append(saw.Faults, Fault{At: 20 * Second, Until: 27 * Second, Kind: Stopped})
	saw.Calls = append(saw.Calls, simulator.Call{Partner: Partner, Key: "signed+1@example.com", Started: 27*Second + 1000, Ended: 28 * Second, Conclusive: true, Conn: 4})
	if v := Judge(saw, Bounds{Excused: true, Thawed: true}); v.FrozenCalls != 1 || len(v.Broken) != 0 {
		t.Errorf("%d calls of thawed workers, broken: %v", v.FrozenCalls, v.Broken)
	}
	if v := Judge(saw, Bounds{Excused: true}); v.Doubles != 1 || len(v.Broken) == 0 {
		t.Errorf("where the fence must hold: %d doubles, broken: %v", v.Doubles, v.Broken)
	}
	saw.Calls = append(saw.Calls, simulator.Call{Partner: Partner, Key: "not-signed+2@example.com", Started: 27*Second + 2000, Ended: 28 * Second, Conclusive: true, Conn: 4})
	if v := Judge(saw, Bounds{Excused: true, Thawed: true}); len(v.Broken) == 0 {
		t.Error("two late calls of one frozen worker pass")
	}
}

func TestAnAnswerLostOnItsWayMayBeAskedForAgain(t *testing.T) {
	saw := sound()
	answer := *saw.at(3, 1)
	saw.Journal[0].Batches[2] = batchAt(3, 4*Second-9, "m1", entry{Kind: aBegin, Key: keyOf(one), Run: "r1", Attempt: 2, Asked: place{2, 1}})
	saw.Journal[0].Batches[3] = batchAt(4, 5*Second+9, "m1", answer, entry{Kind: aTold, Entries: []place{{2, 1}, {2, 2}}})
	saw.Asks["a"].Replies[0].At, saw.Asks["b"].Replies[0].At = 6*Second, 6*Second
	saw.Calls = append(saw.Calls, simulator.Call{Partner: Partner, Key: one, Started: 4 * Second, Ended: 5 * Second, Conclusive: true, Conn: 1})
	b := held()
	b.Failing = true
	if v := Judge(saw, b); v.Repeats != 1 {
		t.Errorf("%d repeats, broken: %v", v.Repeats, v.Broken)
	}
	saw.Faults = append(saw.Faults, Fault{At: 2*Second - 20, Kind: Outage, Until: 3 * Second})
	if v := Judge(saw, b); len(v.Broken) != 0 {
		t.Errorf("broken: %v, %v", v.Broken, v.Offences)
	}
}

// Who has waited for its whole time asks again, whatever the gateway says of that call; sooner, or
// for another reason, it may not.
func TestAnAnswerThatNobodyReadInTimeMayBeAskedForAgain(t *testing.T) {
	for _, c := range []struct {
		code  string
		at    int64
		again bool // in a run of its own, as the one before had no attempt left
		want  int
	}{
		{timedOut, 3*Second - 10, false, 0}, {timedOut, 3*Second - 11, false, 1}, {"SYSTEM_ERROR", 3 * Second, false, 1},
		{timedOut, 3*Second - 10, true, 0}, {timedOut, 3*Second - 11, true, 1}, {"SYSTEM_ERROR", 3 * Second, true, 1},
	} {
		saw := sound()
		answer := *saw.at(3, 1)
		next := []entry{{Kind: aBegin, Key: keyOf(one), Run: "r1", Attempt: 2, Before: c.code, Asked: place{2, 1}}}
		if c.again {
			next = []entry{{Kind: anAnswer, Key: keyOf(one), Question: "q" + one, Run: "r1", Verdict: failed, Code: c.code},
				{Kind: aBegin, Key: keyOf(one), Run: "r1b", Attempt: 1, Asked: place{2, 1}}}
			answer.Run = "r1b"
			saw.Events["r1b"] = 1
			saw.Asks["a"].Replies[0].Run, saw.Asks["b"].Replies[0].Run = "r1b", "r1b"
			saw.at(2, 1).Door = bySubmit // who awaits is given the failure
		}
		saw.Journal[0].Batches[2] = batchAt(3, c.at, "m1", next...)
		saw.Journal[0].Batches[3] = batchAt(4, 5*Second+9, "m1", answer, entry{Kind: aTold, Entries: []place{{2, 1}, {2, 2}}})
		saw.Asks["a"].Replies[0].At, saw.Asks["b"].Replies[0].At = 6*Second, 6*Second
		saw.Calls = append(saw.Calls, simulator.Call{Partner: Partner, Key: one, Started: 4 * Second, Ended: 5 * Second, Conclusive: true, Conn: 1})
		b := held()
		b.Pace.Call = 2 * time.Second
		if v := Judge(saw, b); v.Repeats != c.want || len(v.Broken) != c.want {
			t.Errorf("%+v: %d repeats, broken: %v, %v", c, v.Repeats, v.Broken, v.Offences)
		}
	}
}

func TestWhatIsForgottenMayBeAskedAgain(t *testing.T) {
	window := func(seconds int) Bounds {
		b := held()
		b.Window = time.Duration(seconds) * time.Second
		return b
	}
	saw := sound()
	saw.Calls = append(saw.Calls, simulator.Call{Partner: Partner, Key: "signed+1@example.com", Started: 6 * Second, Ended: 7 * Second, Conclusive: true, Conn: 1})
	saw.at(3, 1).Keep = 3000
	saw.add(6*Second-9, "m2", journalAsk("d", one, "", byAwait), entry{Kind: aBegin, Key: keyOf(one), Run: "r7", Attempt: 1, Asked: place{10, 1}})
	saw.add(7*Second, "m2", entry{Kind: anAnswer, Key: keyOf(one), Question: "q" + one, Run: "r7", Verdict: conclusive, Keep: 3000}, entry{Kind: aTold, Entries: []place{{10, 1}}})
	saw.Events["r7"] = 1
	if v := Judge(saw, window(3)); len(v.Broken) != 0 {
		t.Errorf("four seconds later: %v", v.Broken)
	}
	if v := Judge(saw, window(5)); v.Doubles != 1 {
		t.Errorf("within the window: %d doubles", v.Doubles)
	}
}

func TestTheGatewaysTroubleEnds(t *testing.T) {
	saw := sound()
	saw.Faults = append(saw.Faults, Fault{At: 12 * Second, Until: 13 * Second, Kind: Storm})
	saw.Asks["d"] = &Ask{ID: "d", Times: 1, Door: "query", Email: one, Sent: 74 * Second, Replies: []reply{{At: 75 * Second, Outcome: "unknown", Code: "COOLING_DOWN"}}}
	if v := Judge(saw, Bounds{Excused: true, Unknown: true, Back: time.Minute, Pace: ShortPace()}); v.Back != 62*time.Second || len(v.Broken) != 1 {
		t.Errorf("back after %v, broken: %v", v.Back, v.Broken)
	}
}

// Of those who waited too long it is said which, and whether the servers stood still meanwhile.
func TestWhoWaitedTooLongIsNamed(t *testing.T) {
	saw := sound()
	saw.Faults = []Fault{{Kind: Killed, At: 20 * Second, Who: "worker-1"}}
	saw.Stalls = []Stall{{30 * Second, 32 * Second}}
	saw.Asks["d"] = &Ask{ID: "d", Door: "submit", Email: one, Sent: 19 * Second, Acked: 22 * Second,
		Replies: []reply{{At: 51 * Second, Outcome: "signed", Source: "memory", Run: "r1"}}}
	v := Verdict{}
	v.recovery(saw, 26*time.Second)
	want := fmt.Sprintf("waited: d for 27s after a fault, and for 2s of servers that stood still: submit, sent at %s, "+
		"stored at %s, told signed memory of run r1 at %s", clock(19*Second), clock(22*Second), clock(51*Second))
	if len(v.Offences) != 1 || v.Offences[0] != want {
		t.Errorf("%q, want %q", v.Offences, want)
	}
	v = Verdict{}
	if v.recovery(saw, 27*time.Second); v.P99 != 27*time.Second || v.Offences != nil {
		t.Errorf("p99 %v, offences %q", v.P99, v.Offences)
	}
}

// Whoever's patience ends while the machine's own disk stands still has waited for the machine.
func TestWhoIsStarvedByTheMachineIsNotHeldAgainstTheWorkers(t *testing.T) {
	saw := sound()
	told := reply{At: 9 * Second, Outcome: "unknown", Code: "DEADLINE"}
	saw.Stalls = []Stall{{1 * Second, 2 * Second}, {3 * Second, 8 * Second}}
	if !saw.starved(1*Second, told) {
		t.Error("6 s of 8 do not starve")
	}
	told.Code = "TIMEOUT"
	if saw.starved(1*Second, told) {
		t.Error("a gateway's time-out is taken for the machine's")
	}
}

// A call is lost with the journal if it left before another journal was in its place, also in the
// milliseconds after the order to replace it.
func TestLostWithTheJournal(t *testing.T) {
	for _, c := range []struct {
		fault   Fault
		started int64
		lost    bool
	}{
		{Fault{Kind: Restored, At: 5, Until: 9}, 4, true},
		{Fault{Kind: Restored, At: 5, Until: 9}, 7, true},
		{Fault{Kind: Restored, At: 5, Until: 9}, 10, false},
		{Fault{Kind: Wiped, At: 5}, 5, true},
		{Fault{Kind: Wiped, At: 5}, 6, false},
		{Fault{Kind: Killed, At: 5, Until: 9}, 4, false},
	} {
		if got := c.fault.lost(made{Call: simulator.Call{Started: c.started}}); got != c.lost {
			t.Errorf("a call at %d, %+v: lost %v", c.started, c.fault, got)
		}
	}
}

// The way to the gateway is changed for a while on a busy machine, and a call is cut at any time of
// it.
func TestPartedFromTheGateway(t *testing.T) {
	for _, c := range []struct {
		fault    Fault
		from, to int64
		parted   bool
	}{
		{Fault{Kind: Lies, At: 10, Done: 14, Until: 30}, 5, 9, false},
		{Fault{Kind: Lies, At: 10, Done: 14, Until: 30}, 5, 10, true},
		{Fault{Kind: Lies, At: 10, Done: 14, Until: 30}, 12, 13, true},
		{Fault{Kind: Lies, At: 10, Done: 14, Until: 30}, 14, 29, true},
		{Fault{Kind: Lies, At: 10, Done: 14, Until: 30}, 15, 29, false},
		{Fault{Kind: Lies, At: 10, Done: 14, Until: 30}, 15, 30, true},
		{Fault{Kind: Lies, At: 10, Done: 14, Until: 30}, 31, 40, false},
		{Fault{Kind: Outage, At: 10}, 10, 12, true},
		{Fault{Kind: Outage, At: 10}, 11, 12, false},
		{Fault{Kind: Killed, At: 10, Done: 14, Until: 30}, 5, 40, false},
	} {
		if got := c.fault.parts(c.from, c.to); got != c.parted {
			t.Errorf("from %d to %d, %+v: parted %v", c.from, c.to, c.fault, got)
		}
	}
}
