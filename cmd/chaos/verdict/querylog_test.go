//go:build unix

// The checker on the query log, and the hunt for what must not be seen: each broken once, and seen.

package verdict

import (
	"fmt"
	"strings"
	"testing"

	"protocolq/worker/querylog/database"
)

// soundLog is the sound evidence with its query log.
func soundLog() *Evidence {
	t := sound()
	t.Log = &QueryLog{Runs: map[string][]database.Call{"r1": {{AtMs: 1000}}, "r3": {{AtMs: 10_000, Cut: true}, {AtMs: 15_000}}},
		Asks: []database.Ask{{Token: "token-a", ID: "a", Run: "r1", Outcome: "signed"}, {Token: "token-b", ID: "b", Run: "r1", Outcome: "signed"}, {Token: "token-c", ID: "c", Run: "r3", Outcome: "not_signed"}}}
	return t
}

func TestASoundQueryLogHolds(t *testing.T) {
	v := Judge(soundLog(), held())
	if len(v.Broken) != 0 || len(v.Figures) != 4 { // no figure of the hunt: nothing was looked through
		t.Errorf("broken: %v, offences: %v", v.Broken, v.Offences)
	}
}

func TestEveryGapInTheQueryLogIsSeen(t *testing.T) {
	for _, c := range []struct {
		word   string
		breaks func(*Evidence)
	}{
		{"not in the query log", func(t *Evidence) { t.Log.Runs["r1"] = nil }},
		{"not in the query log", func(t *Evidence) { t.Log.Runs["r3"] = t.Log.Runs["r3"][1:] }},
		{"without a call", func(t *Evidence) { t.Log.Runs["r1"] = append(t.Log.Runs["r1"], database.Call{AtMs: 1500}) }},
		{"nobody died", func(t *Evidence) { t.Faults[0].Kind = Termed }},
		{"without their line", func(t *Evidence) { t.Log.Asks = t.Log.Asks[1:] }},
		{"without their line", func(t *Evidence) { t.Log.Asks[1].Outcome = "unknown" }},
		{"nobody made", func(t *Evidence) { t.Log.Asks[1].ID = "z" }},
		{"nobody died", func(t *Evidence) {
			t.Log.Asks, t.Faults = t.Log.Asks[1:], nil
			t.unjournal("a")
		}},
		{"nothing is proved", func(t *Evidence) { t.Asks = nil }},
	} {
		t.Run(c.word, func(t *testing.T) {
			saw := soundLog()
			c.breaks(saw)
			v := Verdict{books: []*Ledger{Fold(saw.Journal[0])}}
			v.log(saw, held())
			if !strings.Contains(fmt.Sprint(v.Broken), c.word) {
				t.Errorf("not seen; broken: %v", v.Broken)
			}
		})
	}
	saw := soundLog()
	saw.Log.Runs["r1"] = append(saw.Log.Runs["r1"], database.Call{AtMs: 1500, Code: timedOut})
	if v := Judge(saw, held()); len(v.Broken) != 0 {
		t.Errorf("an attempt whose time was over before it reached the gateway: %v", v.Broken)
	}
	saw = soundLog()
	saw.Log.Asks = saw.Log.Asks[1:]
	saw.unjournal("a")
	if v := Judge(saw, held()); len(v.Broken) != 0 {
		t.Errorf("a batch that died with its worker: %v", v.Broken)
	}
}

// What a journal's end took with it has no line: neither the call nor the run of a life before the
// newest is missed.
func TestALifeThatEndedOwesNoLine(t *testing.T) {
	saw := soundLog()
	delete(saw.Log.Runs, "r1")
	count := func() int {
		v := Verdict{}
		for _, c := range saw.Journal {
			v.books = append(v.books, Fold(c))
		}
		l := logged{}
		l.countCalls(&v, saw)
		return l.unlogged
	}
	if n := count(); n != 1 {
		t.Errorf("%d calls are missed of the newest life, want 1", n)
	}
	saw.Journal = append(saw.Journal, Chronicle{})
	if n := count(); n != 0 {
		t.Errorf("%d calls are missed of a life that ended", n)
	}
}
