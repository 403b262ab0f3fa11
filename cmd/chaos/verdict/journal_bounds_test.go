//go:build unix

// The checker on the journal, on replies and on what is made of it: each promise broken once, and
// seen.

package verdict

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"protocolq/gateway/simulator"
	"protocolq/messages"
)

func TestEveryBreachInTheJournalIsSeen(t *testing.T) {
	for _, c := range []struct {
		word   string // of the complaint
		breaks func(*Evidence)
	}{
		{"no begin was stored", func(t *Evidence) { t.at(2, 3).Stored = 1*Second + 1; t.at(2, 3).Run = "r1" }},
		{"no begin was stored", func(t *Evidence) { // two calls of one begin
			t.Calls = append(t.Calls, simulator.Call{Partner: Partner, Key: two, Started: 17 * Second, Ended: 18 * Second, Conn: 1})
		}},
		{"no begin was stored", func(t *Evidence) {
			t.Calls = append(t.Calls, simulator.Call{Partner: Partner, Key: "nobody@example.com", Started: 1, Ended: 2})
		}},
		{"had surely ended", func(t *Evidence) { t.at(7, 1).Stored = 14*Second + 1 }},
		{"is not sealed", func(t *Evidence) { t.at(6, 1).Kind = 200 }},
		{"after its seal", func(t *Evidence) { t.add(20*Second, "m1") }},
		{"after their member's lease", func(t *Evidence) { t.Calls[0].Started, t.Calls[0].Ended = 6*Second, 7*Second }},
		{"attempts beyond", func(t *Evidence) { t.at(5, 2).Attempt, t.at(7, 1).Attempt = 5, 6 }},
		{"goes on with attempt 3 after 1", func(t *Evidence) { t.at(7, 1).Attempt = 3 }},
		{"begins with attempt 2", func(t *Evidence) { t.at(2, 3).Attempt = 2 }},
		{"answer was remembered", func(t *Evidence) {
			t.add(17*Second, "m2", entry{Kind: aBegin, Key: keyOf(one), Run: "r7", Attempt: 1, Asked: place{2, 1}})
		}},
		{"set off twice", func(t *Evidence) {
			t.add(17*Second, "m2", entry{Kind: aBegin, Key: keyOf(one), Run: "r7", Attempt: 1, Asked: place{2, 1}})
		}},
		{"nothing settled", func(t *Evidence) { t.at(8, 1).Question = "other" }},
		{"not told", func(t *Evidence) { t.at(9, 1).Entries = nil }},
		{"nothing has settled it", func(t *Evidence) { t.at(3, 1).Kind = 200 }},
		{"not what was written", func(t *Evidence) { t.Journal[0].Corrupt = []string{"7 of m1"} }},
		{"purged before it was read", func(t *Evidence) { t.Journal[0].Missed = []string{"1 to 4"} }},
		{"without a begin", func(t *Evidence) { t.Journal[0].Batches = nil }},

		{"before their answer was stored", func(t *Evidence) { t.Asks["a"].Replies[0].At = 2*Second - 9_000 }},
		{"not what the journal settled", func(t *Evidence) { t.Asks["a"].Replies[0].Run = "r3" }},
		{"two answers", func(t *Evidence) { t.Asks["a"].Replies[0].Says = "something else" }},
		{"long after their deadline", func(t *Evidence) { t.Asks["a"].Deadline, t.Asks["a"].Replies[0].At = 1*Second, 5*Second }},
		{"DEADLINE before it", func(t *Evidence) { leave(t, 3*Second) }},
		{"after CRASHED", func(t *Evidence) {
			t.Asks["a"].Replies = append([]reply{{At: 2 * Second, Outcome: "unknown", Code: "CRASHED"}}, t.Asks["a"].Replies...)
		}},

		{"runs without their event", func(t *Evidence) { delete(t.Events, "r3") }},
		{"events of runs that the journal does not know", func(t *Evidence) { t.Events["r9"] = 1 }},
		{"without their durable reply", func(t *Evidence) { delete(t.Durable, "token-c") }},
		{"replies to asks that the journal does not know", func(t *Evidence) { t.Durable["token-z"] = 1 }},
		{"runs without their line", func(t *Evidence) { delete(t.Log.Runs, "r1") }},
		{"asks in the journal without their line", func(t *Evidence) { t.Log.Asks[0].Token = "token-z" }},
		{"without their dead letter", func(t *Evidence) {
			*t.at(8, 1) = entry{At: place{8, 1}, Stored: 16*Second - 5, Kind: aSettled, Entries: []place{{5, 1}}, Why: "DEADLINE"}
		}},
	} {
		t.Run(c.word, func(t *testing.T) {
			saw := soundLog()
			c.breaks(saw)
			b := held()
			b.Unknown = true
			v := Judge(saw, b)
			if !strings.Contains(fmt.Sprint(v.Broken), c.word) {
				t.Errorf("not seen; broken: %v, offences: %v", v.Broken, v.Offences)
			}
		})
	}
}

// leave lets an asker be told DEADLINE at a moment.
func leave(t *Evidence, deadline int64) {
	a := t.Asks["a"]
	a.Deadline = deadline
	a.Replies[0] = reply{At: 2 * Second, Outcome: "unknown", Code: "DEADLINE", Run: "r1"}
	b := &t.Journal[0].Batches[1]
	b.Entries = append(b.Entries, entry{At: place{2, 4}, Stored: b.Stored, Kind: aSettled, Entries: []place{{2, 1}}, Why: "DEADLINE"})
}

func TestWhoLeavesInTimeIsToldSo(t *testing.T) {
	saw := sound()
	leave(saw, 2*Second-150_000)
	v := Judge(saw, held())
	if v.Replies.Expired != 1 || v.Replies.Late+v.Replies.Premature+v.Replies.Foreign+v.Unknown != 0 || v.Replies.Slowest != 150*time.Millisecond {
		t.Errorf("%+v, %d unknown, %v", v.Replies, v.Unknown, v.Offences)
	}
}

// An ask for a younger answer sets off one call, once the remembered one is too old for it.
func TestARefreshIsAllowedOnce(t *testing.T) {
	for _, c := range []struct {
		name   string
		maxAge int64
		begins []int64
		word   string
	}{
		{"old enough", 1000, []int64{6 * Second}, ""},
		{"too young", 5000, []int64{6 * Second}, "answer was remembered"},
		{"never tighter than the least age", 0, []int64{3 * Second}, "answer was remembered"},
		{"twice for one ask", 1000, []int64{6 * Second, 9 * Second}, "set off twice"},
	} {
		t.Run(c.name, func(t *testing.T) {
			saw := sound()
			asks := journalAsk("d", one, "", byAwait)
			asks.MaxAge = c.maxAge
			saw.add(2*Second+10, "m2", asks)
			for i, at := range c.begins {
				run := fmt.Sprint("refresh", i)
				saw.add(at-9, "m2", entry{Kind: aBegin, Key: keyOf(one), Run: run, Attempt: 1, Asked: place{10, 1}})
				saw.add(at+9, "m2", entry{Kind: anAnswer, Key: keyOf(one), Question: "q" + one, Run: run, Verdict: conclusive, Keep: 3_600_000})
				saw.Calls = append(saw.Calls, simulator.Call{Partner: Partner, Key: one, Started: at, Ended: at + 8, Conclusive: true, Conn: 9})
				saw.Events[run] = 1
			}
			saw.add(10*Second, "m2", entry{Kind: aTold, Entries: []place{{10, 1}}})
			v := Judge(saw, held())
			if c.word == "" && (len(v.Broken) > 0 || v.Refreshed != 1) || !strings.Contains(fmt.Sprint(v.Broken), c.word) {
				t.Errorf("%d refreshed, broken: %v, offences: %v", v.Refreshed, v.Broken, v.Offences)
			}
		})
	}
}

// A door that answers by itself, as what stores an ask is away, may be followed by the journal's
// word.
func TestADoorMayAnswerWhatIsOnItsWay(t *testing.T) {
	for _, c := range []struct {
		name    string
		reply   reply
		fault   Fault
		foreign int
	}{
		{"the server was away", reply{Code: messages.Overloaded}, Fault{Kind: Downed}, 0},
		{"the ask's time was over meanwhile", reply{Code: messages.DeadlinePassed}, Fault{Kind: Downed}, 0},
		{"nothing was away", reply{Code: messages.Overloaded}, Fault{Kind: Termed}, 1},
		{"a run's answer is no door's own", reply{Code: messages.Overloaded, Run: "r3"}, Fault{Kind: Downed}, 1},
		{"nor is another refusal", reply{Code: messages.PartnerHalted}, Fault{Kind: Downed}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			saw := soundLog()
			a := saw.Asks["a"]
			c.reply.At, c.reply.Outcome, c.fault.At, c.fault.Until = 2*Second, "unknown", 1*Second, 2*Second
			a.Deadline, a.Replies = 2*Second, []reply{c.reply}
			saw.Faults = append(saw.Faults, c.fault)
			b := held()
			b.Unknown = true
			v := Judge(saw, b)
			if v.Replies.Foreign != c.foreign || c.foreign == 0 && len(v.Broken) > 0 {
				t.Errorf("%d foreign, broken: %v, offences: %v", v.Replies.Foreign, v.Broken, v.Offences)
			}
		})
	}
}

// A run that all have left fails, and who comes in the cool-down is told so.
func TestOnlyADesertedRunMaySettleNothing(t *testing.T) {
	for _, deserted := range []bool{true, false} {
		saw := sound()
		saw.add(17*Second, "m2", journalAsk("d", "signed+3@example.com", "", byAwait),
			entry{Kind: aBegin, Key: keyOf("signed+3@example.com"), Run: "r4", Attempt: 1, Asked: place{10, 1}})
		if deserted {
			saw.add(18*Second, "m2", entry{Kind: aSettled, Entries: []place{{10, 1}}, Why: messages.DeadlinePassed})
		} else {
			saw.add(18*Second, "m2")
		}
		saw.add(19*Second, "m2", entry{Kind: anAnswer, Key: keyOf("signed+3@example.com"), Question: "qsigned+3@example.com", Run: "r4", Verdict: failed},
			entry{Kind: aTold, Entries: []place{{10, 1}}})
		saw.Asks["e"] = &Ask{ID: "e", Times: 1, Door: "query", Email: "signed+3@example.com", Sent: 19*Second + 10,
			Replies: []reply{{At: 20 * Second, Outcome: "unknown", Code: "TIMEOUT", Run: "r4", Source: "remembered"}}}
		v := Judge(saw, held())
		if got := v.Unknown == 0; got != deserted {
			t.Errorf("deserted: %t, %d answers settle nothing, broken: %v", deserted, v.Unknown, v.Broken)
		}
	}
}

// After a long absence DEADLINE is expected, and nothing else that settles nothing.
func TestLateAnswersSayDeadline(t *testing.T) {
	for code, want := range map[string]int{messages.DeadlinePassed: 0, messages.Overloaded: 1} {
		for _, late := range []bool{true, false} {
			saw, b := sound(), held()
			b.Late = late
			saw.Asks["a"].Replies[0].Outcome, saw.Asks["a"].Replies[0].Code = "unknown", code
			if !late {
				want = 1
			}
			if v := Judge(saw, b); v.Unknown != want {
				t.Errorf("%s, late %v: %d answers settle nothing, want %d", code, late, v.Unknown, want)
			}
		}
	}
}

// A run that all have left, and that ended with its member, explains the next asker's call.
func TestAnAbandonedRunIsCalledAgain(t *testing.T) {
	const email = "signed+3@example.com"
	for _, c := range []struct {
		verdict int
		left    bool
		came    uint64 // one more ask waits, and so far had read who ended the run; 0: none
		want    int    // repeats
	}{{crashed, true, 0, 0}, {crashed, false, 0, 1}, {failed, true, 0, 1}, {crashed, true, 11, 0}, {crashed, true, 12, 1}} {
		saw := sound()
		saw.add(17*Second, "m2", journalAsk("d", email, "", byAwait),
			entry{Kind: aBegin, Key: keyOf(email), Run: "r4", Attempt: 1, Asked: place{10, 1}})
		if c.left {
			saw.add(18*Second, "m2", entry{Kind: aSettled, Entries: []place{{10, 1}}, Why: messages.DeadlinePassed})
		} else {
			saw.add(18*Second, "m2")
		}
		next := place{13, 1}
		if c.came > 0 {
			saw.add(18*Second+1, "m1", journalAsk("f", email, "", byAwait))
			next = place{12, 1}
		}
		saw.add(19*Second, "m2", entry{Kind: anAnswer, Key: keyOf(email), Question: "q" + email, Run: "r4", Verdict: c.verdict,
			Read: c.came})
		saw.add(20*Second, "m2", journalAsk("e", email, "", byAwait),
			entry{Kind: aBegin, Key: keyOf(email), Run: "r5", Attempt: 1, Asked: next})
		for _, at := range []int64{17 * Second, 20 * Second} {
			saw.Calls = append(saw.Calls, simulator.Call{Partner: Partner, Key: email, Started: at + 100, Ended: at + Second/2, Conclusive: true, Conn: 1})
		}
		if v := Judge(saw, held()); v.Repeats != c.want {
			t.Errorf("%+v: %d repeats, %v", c, v.Repeats, v.Offences)
		}
	}
}

// Where CRASHED is final, an ask that comes later under an id of its own is called for, and no
// other.
func TestACrashIsNotTheAnswerOfWhoComesLater(t *testing.T) {
	const email = "signed+3@example.com"
	for name, c := range map[string]struct {
		bounds Bounds
		id     string // of the ask that is called for
		read   uint64 // by who ended the run; the ask lies at 13
		want   int    // repeats
	}{
		"later":                  {Bounds{Final: true}, "e", 12, 0},
		"known before":           {Bounds{Final: true}, "e", 13, 1},
		"an id that got CRASHED": {Bounds{Final: true}, "d", 12, 1},
		"a run that is to go on": {Bounds{Excused: true}, "e", 12, 1},
	} {
		saw := sound()
		saw.add(17*Second, "m2", journalAsk("d", email, "", byAwait),
			entry{Kind: aBegin, Key: keyOf(email), Run: "r4", Attempt: 1, Asked: place{10, 1}})
		saw.add(18*Second, "m2")
		saw.add(19*Second, "m2", entry{Kind: anAnswer, Key: keyOf(email), Question: "q" + email, Run: "r4", Verdict: crashed, Code: messages.Crashed,
			Final: []string{"token-d"}, Read: c.read})
		again := journalAsk(c.id, email, "", byAwait)
		again.Token = "token-e"
		saw.add(20*Second, "m2", again, entry{Kind: aBegin, Key: keyOf(email), Run: "r5", Attempt: 1, Asked: place{13, 1}})
		for _, at := range []int64{17 * Second, 20 * Second} {
			saw.Calls = append(saw.Calls, simulator.Call{Partner: Partner, Key: email, Started: at + 100, Ended: at + Second/2, Conclusive: at > 17*Second, Conn: 1})
		}
		c.bounds.Pace = ShortPace()
		v := Judge(saw, c.bounds)
		if n := strings.Count(strings.Join(v.Offences, " "), "repeat: "+email); n != c.want {
			t.Errorf("%s: %d repeats, %v", name, n, v.Offences)
		}
	}
}

// What a stream stored twice, as it has forgotten the message's id, has two replies and no third.
func TestWhatIsStoredTwiceHasTwoReplies(t *testing.T) {
	for told, want := range map[int]int{2: 0, 3: 1} {
		saw := sound()
		again := journalAsk("b", one, "protocol.reply.chaos.b", bySubmit)
		again.Token = "token-b2"
		saw.add(17*Second, "m2", again, entry{Kind: aSettled, Entries: []place{{10, 1}}, Run: "r1"}, entry{Kind: aTold, Entries: []place{{10, 1}}})
		saw.Durable["token-b2"] = 1
		b := saw.Asks["b"]
		for len(b.Replies) < told {
			b.Replies = append(b.Replies, reply{At: 18 * Second, Outcome: "signed", Run: "r1", Says: "s1"})
		}
		bounds := held()
		if v := Judge(saw, bounds); v.TwiceTold != told-1 {
			t.Errorf("%d replies: %d beyond the first, want %d", told, v.TwiceTold, told-1)
		}
		bounds.Repeats = true
		if v := Judge(saw, bounds); v.TwiceTold != want || want == 0 && len(v.Broken) > 0 {
			t.Errorf("%d replies: %d too many, want %d, broken: %v", told, v.TwiceTold, want, v.Broken)
		}
	}
}

// What is stored again within ten minutes is one ask, whichever of both the journal has first.
func TestNearCopiesAreOneAsk(t *testing.T) {
	for into, want := range map[int64]int{299_999: 1, 300_000: 2} {
		for _, turned := range []bool{false, true} {
			early, late := journalAsk("d", one, "protocol.reply.chaos.d", bySubmit), journalAsk("d", one, "protocol.reply.chaos.d", bySubmit)
			early.Token, early.Near, early.Into = "m1", [2]string{"m0", "m2"}, 300_000
			late.Token, late.Near, late.Into = "m2", [2]string{"m1", "m3"}, into
			entries := []entry{early, late}
			if turned {
				entries = []entry{late, early}
			}
			if l := Fold(Chronicle{Batches: []Batch{batchAt(1, 1*Second, "m1", entries...)}}); len(l.Asks) != want {
				t.Errorf("%d ms into the next piece, turned %v: %d asks, want %d", into, turned, len(l.Asks), want)
			}
		}
	}
}

// Who takes a call up may die before making it again: the next call is explained all the same,
// and one of a run that follows another is not.
func TestACallIsTakenUpOverManyDeaths(t *testing.T) {
	for follows, want := range map[string]int{"r2": 0, "": 1} {
		saw := sound()
		between := entry{Kind: aBegin, Key: keyOf(two), Run: "r2b", Attempt: 2, Deaths: 1, Asked: place{5, 1}, Follows: follows}
		saw.Journal[0].Batches[6] = batchAt(7, 14*Second+10, "m3", between)
		saw.Journal[0].Batches[7] = batchAt(8, 15*Second-9, "m3", entry{Kind: aSeal, By: "m2", Why: "silent"})
		last := sound().Journal[0].Batches
		begin, answer := last[6].Entries[0], last[7].Entries[0]
		begin.Follows, begin.Attempt, begin.Deaths = "r2b", 3, 2
		saw.Journal[0].Batches[8] = batchAt(9, 15*Second-5, "m2", begin)
		saw.add(16*Second-5, "m2", answer)
		saw.add(16*Second+9, "m2", entry{Kind: aTold, Entries: []place{{5, 1}, {10, 1}}})
		saw.Faults = append(saw.Faults, Fault{At: 14*Second + 20, Kind: Killed})
		v := Judge(saw, held())
		if v.Repeats != want {
			t.Errorf("over a run that follows %q: %d repeats, want %d, broken: %v, offences: %v", follows, v.Repeats, want, v.Broken, v.Offences)
		}
	}
}
