//go:build unix

// The checker is held to made-up testimonies: each promise broken once, and seen.

package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"protocolq/gateway/simulator"
)

// sound is a testimony in which every promise is held: two accounts, three asks, a worker killed between.
func sound() *testimony {
	return &testimony{
		Asks: map[string]*asked{
			"a": {ID: "a", Door: "query", Email: "signed+1@example.com", Sent: 1 * second, Told: []telling{{At: 2 * second, Outcome: "signed", Run: "r1"}}},
			"b": {ID: "b", Door: "submit", Email: "signed+1@example.com", Sent: 1 * second, Acked: 1*second + 1, Told: []telling{{At: 2 * second, Outcome: "signed", Run: "r1"}}},
			"c": {ID: "c", Door: "submit", Email: "not-signed+2@example.com", Sent: 10 * second, Acked: 10*second + 1, Told: []telling{{At: 16 * second, Outcome: "not_signed", Run: "r3"}}},
		},
		Calls: []simulator.Call{
			{Partner: partner, Key: "signed+1@example.com", Started: 1 * second, Ended: 2*second - 9, Answer: "signed", Conclusive: true, Conn: 1},
			{Partner: partner, Key: "not-signed+2@example.com", Started: 10 * second, Ended: 11 * second, Answer: "client-left", Conn: 2},
			{Partner: partner, Key: "not-signed+2@example.com", Started: 15 * second, Ended: 16*second - 9, Answer: "not-signed", Conclusive: true, Conn: 1},
		},
		Faults: []fault{{At: 11 * second, Kind: killed, Who: "worker-1"}},
		Written: []written{
			{Key: "k1", Seq: 1, Phase: "running", Run: "r1"}, {Key: "k1", Seq: 2, Phase: "done", Run: "r1", Conclusive: true},
			{Key: "k2", Seq: 3, Phase: "running", Run: "r2"}, {Key: "k2", Seq: 4, Phase: "suspect", Run: "r2"},
			{Key: "k2", Seq: 5, Phase: "running", Run: "r3"}, {Key: "k2", Seq: 6, Phase: "done", Run: "r3", Conclusive: true},
		},
		Dead: map[string]string{},
	}
}

func TestASoundTestimonyHolds(t *testing.T) {
	v := judge(sound(), bounds{Excused: true, Recovery: recovery})
	if len(v.Broken) != 0 {
		t.Errorf("broken: %v", v.Broken)
	}
	if v.Asked != 3 || v.Calls != 3 || v.Keys != 2 || v.Reruns != 1 || v.InFlight != 1 || v.P99 != 5*time.Second {
		t.Errorf("counted %+v", v)
	}
}

func TestEveryBrokenPromiseIsSeen(t *testing.T) {
	further := func(key string, from, to int64, conn uint64, conclusive bool) simulator.Call {
		return simulator.Call{Partner: partner, Key: key, Started: from, Ended: to, Answer: "signed", Conclusive: conclusive, Conn: conn}
	}
	for _, c := range []struct {
		word   string // of the complaint
		breaks func(*testimony)
	}{
		{"accepted and lost", func(t *testimony) { t.Asks["b"].Told = nil }},
		{"unanswered", func(t *testimony) { t.Asks["a"].Told = nil }},
		{"unanswered", func(t *testimony) { t.Asks["c"].Told, t.Asks["c"].Acked = nil, 0 }},
		{"nothing was asked", func(t *testimony) { t.Asks = nil }},
		{"overlapping", func(t *testimony) {
			t.Calls = append(t.Calls, further("signed+1@example.com", 1*second+5, 3*second, 3, true))
		}},
		{"conclusive doubles", func(t *testimony) {
			t.Calls = append(t.Calls, further("signed+1@example.com", 5*second, 6*second, 3, true))
		}},
		{"conclusive doubles", func(t *testimony) { // the connection lived on: its worker did not die
			t.Calls[1].Conclusive = true
			t.Calls = append(t.Calls, further("signed+9@example.com", 12*second, 13*second, 2, true))
		}},
		{"further calls", func(t *testimony) { t.Faults = nil }},
		{"further calls", func(t *testimony) { t.Faults[0].Kind = downed }},
		{`false "not signed"`, func(t *testimony) { t.Asks["a"].Told[0].Outcome = "not_signed" }},
		{"other false answers", func(t *testimony) { t.Asks["c"].Told[0].Outcome = "signed" }},
		{"never gave", func(t *testimony) { t.Calls[2].Conclusive = false }},
		{"not written down", func(t *testimony) { t.Asks["a"].Told[0].Run = "r9" }},
		{"two answers", func(t *testimony) { t.Asks["a"].Told[0].Outcome = "abnormal" }},
		{"records replaced", func(t *testimony) {
			t.Written = append(t.Written, written{Key: "k1", Seq: 7, Phase: "done", Run: "r2", Conclusive: true})
		}},
		{"durable replies beyond", func(t *testimony) { t.Asks["b"].Told = append(t.Asks["b"].Told, t.Asks["b"].Told[0]) }},
		{"must not be", func(t *testimony) { t.Escaped = []string{"$KV.x"} }},
		{"panicked", func(t *testimony) { t.Panics = []string{"worker-1"} }},
		{"left in the streams", func(t *testimony) { t.Left = 1 }},
		{"settle nothing", func(t *testimony) { t.Asks["a"].Told[0].Outcome = "unknown" }},
		{"p99", func(t *testimony) { t.Asks["c"].Told[0].At = 30 * second }},
		{"out of place", func(t *testimony) { t.Surplus = []string{"out of place"} }},
	} {
		t.Run(c.word, func(t *testing.T) {
			saw := sound()
			c.breaks(saw)
			v := judge(saw, bounds{Excused: true, Recovery: recovery})
			if !strings.Contains(fmt.Sprint(v.Broken), c.word) {
				t.Errorf("not seen; broken: %v", v.Broken)
			}
		})
	}
}

func TestThawedCallsAreCountedApart(t *testing.T) {
	saw := sound()
	saw.Faults = append(saw.Faults, fault{At: 20 * second, Until: 27 * second, Kind: stopped})
	saw.Calls = append(saw.Calls, simulator.Call{Partner: partner, Key: "signed+1@example.com", Started: 27*second + 1000, Ended: 28 * second, Conclusive: true, Conn: 4})
	if v := judge(saw, bounds{Excused: true, Thawed: true}); v.FrozenCalls != 1 || len(v.Broken) != 0 {
		t.Errorf("%d calls of thawed workers, broken: %v", v.FrozenCalls, v.Broken)
	}
	if v := judge(saw, bounds{Excused: true}); v.Doubles != 1 || len(v.Broken) == 0 {
		t.Errorf("where the fence must hold: %d doubles, broken: %v", v.Doubles, v.Broken)
	}
	saw.Calls = append(saw.Calls, simulator.Call{Partner: partner, Key: "not-signed+2@example.com", Started: 27*second + 2000, Ended: 28 * second, Conclusive: true, Conn: 4})
	if v := judge(saw, bounds{Excused: true, Thawed: true}); len(v.Broken) == 0 {
		t.Error("two late calls of one frozen worker pass")
	}
}

func TestAnAnswerLostOnItsWayMayBeAskedForAgain(t *testing.T) {
	saw := sound()
	saw.Calls = append(saw.Calls, simulator.Call{Partner: partner, Key: "signed+1@example.com", Started: 4 * second, Ended: 5 * second, Conclusive: true, Conn: 1})
	if v := judge(saw, bounds{Excused: true, Failing: true}); v.Doubles != 1 {
		t.Errorf("%d doubles", v.Doubles)
	}
	saw.Faults = append(saw.Faults, fault{At: 2*second - 20, Kind: outage, Until: 3 * second})
	if v := judge(saw, bounds{Excused: true, Failing: true}); v.Doubles != 0 || v.Reruns != 1 {
		t.Errorf("%d doubles, %d reruns", v.Doubles, v.Reruns)
	}
}

func TestWhatIsForgottenMayBeAskedAgain(t *testing.T) {
	saw := sound()
	saw.Calls = append(saw.Calls, simulator.Call{Partner: partner, Key: "signed+1@example.com", Started: 6 * second, Ended: 7 * second, Conclusive: true, Conn: 1})
	saw.Written = append(saw.Written, written{Key: "k1", Seq: 7, At: 7 * second, Phase: "done", Run: "r7", Conclusive: true})
	saw.Written[1].At = 2 * second
	if v := judge(saw, bounds{Excused: true, Window: 3 * time.Second}); len(v.Broken) != 0 {
		t.Errorf("four seconds later: %v", v.Broken)
	}
	if v := judge(saw, bounds{Excused: true, Window: 5 * time.Second}); v.Doubles != 1 || v.Overwritten != 0 {
		t.Errorf("within the window: %d doubles, %d overwritten", v.Doubles, v.Overwritten)
	}
	if v := judge(saw, bounds{Excused: true, Window: 6 * time.Second}); v.Overwritten != 1 {
		t.Errorf("within the window: %d overwritten", v.Overwritten)
	}
}

func TestTheGatewaysTroubleEnds(t *testing.T) {
	saw := sound()
	saw.Faults = append(saw.Faults, fault{At: 12 * second, Until: 13 * second, Kind: storm})
	saw.Asks["c"].Told[0] = telling{At: 75 * second, Outcome: "unknown"}
	if v := judge(saw, bounds{Excused: true, Unknown: true, Back: time.Minute}); v.Back != 62*time.Second || len(v.Broken) != 1 {
		t.Errorf("back after %v, broken: %v", v.Back, v.Broken)
	}
}

func TestScenariosAreNamedOnce(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range scenarios() {
		if seen[s.name] || s.about == "" || (s.harm == nil) == (s.alone == nil) {
			t.Errorf("scenario %q", s.name)
		}
		seen[s.name] = true
	}
	if _, err := choose("kills,nonsense", true); err == nil {
		t.Error("a scenario that is none is taken")
	}
	short, _ := choose("", false)
	all, _ := choose("", true)
	if many, err := choose("many", false); err != nil || len(many) != 1 || len(short) >= len(all) {
		t.Errorf("%d scenarios in all, %d in the short run, %v", len(all), len(short), err)
	}
}
