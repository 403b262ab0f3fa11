// One worker whose settings alone are wrong: it halts for itself, and the others go on.

package partner_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"protocolq/worker/partner"
	"protocolq/worker/record"
)

// What a process does about halts when its own calls, or another's, are accepted.
func TestBreakerAlone(t *testing.T) {
	start := time.Unix(1_800_000_000, 0)
	good, nothing := partner.Run{Key: "z", Finding: partner.Good}, partner.Run{Key: "z"}
	now, seq := start, uint64(0)
	type step func(*partner.Breaker)
	run := func(r partner.Run) step { return func(b *partner.Breaker) { b.Note(now, r) } }
	learn := func(h partner.Halt) step { return func(b *partner.Breaker) { seq++; b.Learn(h, seq) } }
	halted := learn(partner.Halt{Halted: true, By: "another", ProbeAtMs: start.Add(2 * time.Minute).UnixMilli()})
	resumed := func(by string) step {
		return func(b *partner.Breaker) { learn(partner.Halt{By: by, SinceMs: now.UnixMilli()})(b) }
	}
	accepted, operator := resumed("another"), learn(partner.Halt{})
	byOperator := learn(partner.Halt{Halted: true, By: partner.ByOperator})
	five := func(b *partner.Breaker) {
		for _, e := range faults(0, "a", "b", "c", "d", "e") {
			if w := b.Note(now, e.run); w != nil {
				learn(w.Halt)(b)
			}
		}
	}
	corrected := func(b *partner.Breaker) { b.Corrected() }
	probes := func(b *partner.Breaker) { b.Probes() }
	after := func(d time.Duration) step { return func(*partner.Breaker) { now = now.Add(d) } }
	const open, fleet, own = "open", "the fleet's", "its own"
	for name, c := range map[string]struct {
		steps []step
		halt  string
		after time.Duration // until a call
		next  string        // the halt after five faults more
	}{
		"nothing known":             {[]step{halted}, fleet, 2 * time.Minute, ""},
		"accepted before":           {[]step{run(good), halted}, fleet, 0, ""},
		"accepted a minute before":  {[]step{run(good), after(time.Minute), halted}, fleet, 0, ""},
		"accepted earlier":          {[]step{run(good), after(time.Minute + 1), halted}, fleet, time.Minute - 1, ""},
		"accepted, then probed":     {[]step{run(good), halted, probes}, fleet, 2 * time.Minute, ""},
		"the same one's halt again": {[]step{run(good), halted, probes, run(good), resumed("me"), halted}, fleet, 2 * time.Minute, ""},
		"the same, a minute later":  {[]step{run(good), halted, probes, run(good), resumed("me"), after(time.Minute + 1), run(good), halted}, fleet, 0, ""},
		"then a third one's halt": {[]step{run(good), halted, probes, run(good), resumed("me"),
			learn(partner.Halt{Halted: true, By: "a third", ProbeAtMs: start.Add(2 * time.Minute).UnixMilli()})}, fleet, 0, ""},
		"accepted, then rejected":               {[]step{run(good), run(faults(0, "a")[0].run), halted}, fleet, 2 * time.Minute, ""},
		"accepted with the former key":          {[]step{run(good), corrected, halted}, fleet, 2 * time.Minute, ""},
		"accepted, halted by an operator":       {[]step{run(good), byOperator}, fleet, time.Minute, ""},
		"refuted":                               {[]step{five, accepted}, open, 0, own},
		"refuted, and the halt was missed":      {[]step{five, resumed("another")}, open, 0, own},
		"refuted, and nothing":                  {[]step{five, accepted, run(nothing)}, open, 0, own},
		"refuted, then accepted":                {[]step{five, accepted, run(good)}, open, 0, fleet},
		"refuted, then corrected":               {[]step{five, accepted, corrected}, open, 0, fleet},
		"refuted, then an operator":             {[]step{five, accepted, operator}, open, 0, fleet},
		"refuted an hour ago":                   {[]step{five, accepted, after(time.Hour + 1)}, open, 0, fleet},
		"resumed by an operator":                {[]step{five, operator}, open, 0, fleet},
		"resumed by itself":                     {[]step{five, run(good), resumed("me"), run(faults(0, "a")[0].run)}, open, 0, fleet},
		"another's halt, a fault before":        {[]step{run(faults(0, "a")[0].run), halted, accepted}, open, 0, fleet},
		"an older record comes late":            {[]step{five, learn(partner.Halt{By: "another", SinceMs: start.Add(-time.Minute - time.Second).UnixMilli()})}, open, 0, fleet},
		"another's clock is ten seconds behind": {[]step{five, learn(partner.Halt{By: "another", SinceMs: start.Add(-10 * time.Second).UnixMilli()})}, open, 0, own},
		"its probe was rejected": {[]step{five, learn(partner.Halt{Halted: true, By: "another", ProbeAtMs: start.UnixMilli()}), run(faults(0, "a")[0].run)},
			fleet, 5 * time.Second, ""},
		"halted alone":            {[]step{five, accepted, five}, own, time.Minute, ""},
		"halted alone, resumed":   {[]step{five, accepted, five, operator}, open, 0, fleet},
		"halted alone, corrected": {[]step{five, accepted, five, corrected}, open, 0, fleet},
		"halted alone, accepted":  {[]step{five, accepted, five, run(good)}, open, 0, fleet},
		"halted alone, and the fleet": {[]step{five, accepted, five,
			learn(partner.Halt{Halted: true, By: "another", ProbeAtMs: start.UnixMilli()})}, fleet, 5 * time.Second, ""},
		"the same, five seconds later": {[]step{five, accepted, five,
			learn(partner.Halt{Halted: true, By: "another", ProbeAtMs: start.UnixMilli()}), after(5 * time.Second)}, fleet, 0, ""},
		"halted alone, the fleet for a while": {[]step{five, accepted, five, halted, accepted}, own, time.Minute, ""},
	} {
		t.Run(name, func(t *testing.T) {
			now = start
			b := partner.NewBreaker("me")
			halt := func() string {
				switch h := b.Halt(); {
				case !h.Halted:
					return open
				case strings.Contains(h.Reason, "this worker's"):
					return own
				}
				return fleet
			}
			for _, s := range c.steps {
				s(b)
			}
			if after, _ := b.Call(now); halt() != c.halt || after.Round(time.Millisecond) != c.after.Round(time.Millisecond) {
				t.Errorf("%s, a call after %v; want %s, %v", halt(), after, c.halt, c.after)
			}
			if c.next == "" {
				return
			}
			b.Note(now, faults(0, "x")[0].run)
			if halt() != open {
				t.Error("one fault halts it")
			}
			five(b)
			if halt() != c.next {
				t.Errorf("five faults more halt it as %s, want %s", halt(), c.next)
			}
		})
	}
}

// A halt of this process alone is probed without a record, and ends by its own good answer; a
// shared one ends with it.
func TestOwnHaltEnds(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	good := partner.Run{Key: "z", Finding: partner.Good}
	b := partner.NewBreaker("me")
	b.ProbeOwn(partner.Halt{Halted: true, By: "me", ProbeAtMs: now.UnixMilli()})
	after, probe := b.Call(now)
	if after != 0 || probe == nil || !probe.Own || probe.Halt.ProbeAtMs != now.Add(time.Minute).UnixMilli() {
		t.Fatalf("after %v, probe %+v", after, probe)
	}
	b.ProbeOwn(probe.Halt)
	if after, probe := b.Call(now); after != time.Minute || probe != nil {
		t.Errorf("probed: after %v, probe %+v", after, probe)
	}
	b.Learn(partner.Halt{Halted: true, By: "another"}, 1)
	if w := b.Note(now, good); w == nil || w.Own || w.Halt != (partner.Halt{By: "me", SinceMs: now.UnixMilli()}) {
		t.Errorf("a good answer writes %+v", w)
	}
	b.Learn(partner.Halt{By: "me"}, 2)
	if h := b.Halt(); h.Halted {
		t.Errorf("left: %+v", h)
	}
}

// A process with a wrong key of its own halts the partner for all, until another's probe, which
// need not wait. Its next halt is its own.
func TestOneGateHaltsItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m record.Memory
		var j journal
		a, b := newGate(t, &m, "a", &j, nil), newGate(t, &m, "b", &j, nil)
		good := partner.Run{Key: "k", Finding: partner.Good}
		b.Note(t.Context(), one, good)
		time.Sleep(time.Minute)
		fail(t, a, one)
		wantHalted(t, a, one, time.Minute)
		wantHalted(t, b, one, 0)
		probe(t, b, one)
		b.Note(t.Context(), one, good)
		wantHalted(t, a, one, 0)

		fail(t, a, one)
		wantHalted(t, a, one, time.Minute)
		wantHalted(t, b, one, 0)
		if len(b.Halted()) > 0 || !strings.Contains(a.Halted()[one].Reason, "this worker") {
			t.Errorf("halted: %v, %v", a.Halted(), b.Halted())
		}
		j.wantOne(t, "level=ERROR", `msg="partner halted for this worker alone"`, "partner="+one, "code=ILLEGAL_SIGN", "hint=")
		time.Sleep(time.Minute)
		probe(t, a, one)
		wantHalted(t, a, one, time.Minute)
		a.Note(t.Context(), one, good)
		wantHalted(t, a, one, 0)
		j.wantOne(t, "level=INFO", `msg="partner is asked for again"`, "partner="+one, "worker=alone")
	})
}

// An operator ends a worker's own halt, too, and the worker says so.
func TestOperatorEndsAnOwnHalt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m record.Memory
		var j journal
		a, b := newGate(t, &m, "a", &j, nil), newGate(t, &m, "b", &j, nil)
		fail(t, a, one)
		time.Sleep(time.Minute)
		probe(t, b, one)
		b.Note(t.Context(), one, partner.Run{Key: "k", Finding: partner.Good})
		fail(t, a, one)
		wantHalted(t, a, one, time.Minute)
		if err := partner.WriteHalt(t.Context(), &m, one, partner.Halt{}); err != nil {
			t.Fatal(err)
		}
		wantHalted(t, a, one, 0)
		j.wantOne(t, "level=INFO", `msg="partner is asked for again"`, "partner="+one, "worker=alone")
	})
}

// A worker that halts the fleet again and again, as one of an earlier version with a wrong key
// does, is not given more than a round of calls a minute by others whose calls are accepted.
func TestHaltsAgainAndAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m record.Memory
		var j journal
		g := newGate(t, &m, "a", &j, nil)
		rejected := 0
		for range 6000 { // for ten minutes, a call of each every 100 ms
			h, err := partner.ReadHalt(t.Context(), &m, one)
			if err != nil {
				t.Fatal(err)
			}
			if !h.Halted {
				if rejected++; rejected%5 == 0 {
					halt := partner.Halt{Halted: true, By: "old", ProbeAtMs: time.Now().Add(time.Minute).UnixMilli()}
					if err := partner.WriteHalt(t.Context(), &m, one, halt); err != nil {
						t.Fatal(err)
					}
				}
			}
			turn, err := g.Turn(t.Context(), one)
			if err != nil {
				t.Fatal(err)
			}
			if turn.Leave != nil {
				g.Note(t.Context(), one, partner.Run{Key: "k", Finding: partner.Good})
				turn.Leave()
			}
			time.Sleep(100 * time.Millisecond)
		}
		if rejected < 50 || rejected > 60 {
			t.Errorf("%d rejected calls in ten minutes, want about 55", rejected)
		}
	})
}

// A probe that waits for its turn is not made if an operator has halted the partner meanwhile.
func TestOperatorDuringAProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m record.Memory
		var j journal
		g := newGate(t, &m, "a", &j, map[string]partner.Limits{one: {Rate: 1}})
		for range 3 {
			if turn, err := g.Turn(t.Context(), one); err != nil || turn.Leave == nil {
				t.Fatalf("%+v, %v", turn, err)
			} else {
				turn.Leave()
			}
		}
		halt := partner.Halt{Halted: true, By: "b", ProbeAtMs: time.Now().UnixMilli()}
		if err := partner.WriteHalt(t.Context(), &m, one, halt); err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(time.Millisecond, func() {
			if err := partner.WriteHalt(t.Context(), &m, one, partner.Halt{Halted: true, By: partner.ByOperator}); err != nil {
				t.Error(err)
			}
		})
		began := time.Now()
		turn, err := g.Turn(t.Context(), one)
		if err != nil || turn.Leave != nil || !turn.Halted || time.Since(began) == 0 {
			t.Errorf("after %v: %+v, %v", time.Since(began), turn, err)
		}
	})
}
