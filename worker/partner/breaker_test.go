// When a partner is halted, probed and resumed, as a table of events in order.

package partner_test

import (
	"fmt"
	"testing"
	"time"

	"protocolq/worker/partner"
)

// event is one event for a Breaker, some time after the one before.
type event struct {
	after time.Duration
	run   partner.Run // where it has a key
	halt  *partner.Halt
}

func faults(every time.Duration, keys ...string) (all []event) {
	for _, key := range keys {
		all = append(all, event{after: every, run: partner.Run{Key: key, Code: "ILLEGAL_SIGN", Finding: partner.Fault}})
	}
	return all
}

func found(f partner.Finding, key string) event {
	return event{run: partner.Run{Key: key, Code: "X", Finding: f}}
}

func TestBreakerHalts(t *testing.T) {
	good, nothing := found(partner.Good, "z"), found(partner.Nothing, "z")
	for name, c := range map[string]struct {
		events []event
		halts  int // the place of the event that halts, from 1; 0: none does
	}{
		"five faults over three keys":      {faults(0, "a", "b", "c", "a", "b"), 5},
		"four faults":                      {faults(0, "a", "b", "c", "d"), 0},
		"five faults over two keys":        {faults(0, "a", "b", "a", "b", "a"), 0},
		"a third key comes late":           {faults(0, "a", "b", "a", "b", "a", "b", "c"), 7},
		"a good answer between":            {append(append(faults(0, "a", "b", "c", "d"), good), faults(0, "e", "f")...), 0},
		"five after a good answer":         {append(append(faults(0, "a", "b", "c", "d"), good), faults(0, "e", "f", "g", "h", "i")...), 10},
		"what says nothing is passed over": {append(append(faults(0, "a", "b", "c", "d"), nothing), faults(0, "e")...), 6},
		"within a minute, to the end":      {faults(15*time.Second, "a", "b", "c", "d", "e"), 5},
		"over more than a minute":          {faults(15*time.Second+time.Millisecond, "a", "b", "c", "d", "e"), 0},
		"two keys, without end":            {faults(time.Second, repeated(100, "a", "b")...), 0},
		"two keys fill what is kept":       {faults(0, append(repeated(100, "a", "b"), "c")...), 201},
		"halted and resumed meanwhile": {append(append(faults(0, "a", "b", "c", "d"), event{halt: &partner.Halt{Halted: true}}, event{halt: &partner.Halt{}}),
			faults(0, "e")...), 0},
		"halted already": {append([]event{{halt: &partner.Halt{Halted: true, By: "another"}}}, faults(0, "a", "b", "c", "d", "e")...), 0},
	} {
		t.Run(name, func(t *testing.T) {
			b := partner.NewBreaker("me")
			now, halts := time.Unix(1_800_000_000, 0), 0
			seq := uint64(0)
			for i, e := range c.events {
				now = now.Add(e.after)
				if e.halt != nil {
					seq++
					b.Learn(*e.halt, seq)
					continue
				}
				w := b.Note(now, e.run)
				if w == nil {
					continue
				}
				halts = i + 1
				want := partner.Halt{Halted: true, SinceMs: now.UnixMilli(), By: "me", Code: "ILLEGAL_SIGN", ProbeAtMs: now.Add(time.Minute).UnixMilli(),
					Reason: "the gateway rejects this partner's settings, whichever account is asked about"}
				if w.Halt != want || w.Seq != seq {
					t.Errorf("writes %+v, want %+v over %d", w, want, seq)
				}
				break
			}
			if halts != c.halts {
				t.Errorf("halted by event %d, want %d", halts, c.halts)
			}
		})
	}
}

func repeated(n int, keys ...string) (all []string) {
	for range n {
		all = append(all, keys...)
	}
	return all
}

// The decision about a call, and about a good answer, with each kind of record.
func TestBreakerCalls(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	at := func(d time.Duration) int64 { return now.Add(d).UnixMilli() }
	for name, c := range map[string]struct {
		halt    partner.Halt
		after   time.Duration
		probe   bool
		resumed bool // by a good answer
	}{
		"open":                         {},
		"resumed":                      {halt: partner.Halt{By: "me"}},
		"halted a moment ago":          {halt: partner.Halt{Halted: true, By: "another", ProbeAtMs: at(time.Minute)}, after: time.Minute, resumed: true},
		"just before its probe":        {halt: partner.Halt{Halted: true, By: "another", ProbeAtMs: at(time.Millisecond)}, after: time.Millisecond, resumed: true},
		"at its probe":                 {halt: partner.Halt{Halted: true, By: "another", ProbeAtMs: at(0)}, probe: true, resumed: true},
		"long after its probe":         {halt: partner.Halt{Halted: true, By: "another", SinceMs: 7, Code: "C", Reason: "r", ProbeAtMs: at(-time.Hour)}, probe: true, resumed: true},
		"the clock was set back":       {halt: partner.Halt{Halted: true, By: "another", ProbeAtMs: at(time.Hour)}, probe: true, resumed: true},
		"by a worker, without probes":  {halt: partner.Halt{Halted: true, By: "another"}, after: time.Minute, resumed: true},
		"by an operator":               {halt: partner.Halt{Halted: true, By: partner.ByOperator}, after: time.Minute},
		"by an operator, with a probe": {halt: partner.Halt{Halted: true, By: partner.ByOperator, ProbeAtMs: at(0)}, probe: true},
	} {
		t.Run(name, func(t *testing.T) {
			b := partner.NewBreaker("me")
			if turned := b.Learn(c.halt, 7); turned != c.halt.Halted {
				t.Errorf("turned: %v", turned)
			}
			after, probe := b.Call(now)
			if after != c.after || (probe != nil) != c.probe {
				t.Errorf("after %v, probe %+v", after, probe)
			}
			if probe != nil {
				want := c.halt
				want.ProbeAtMs = at(time.Minute)
				if probe.Halt != want || probe.Seq != 7 {
					t.Errorf("probe writes %+v, want %+v over 7", probe, want)
				}
			}
			w := b.Note(now, partner.Run{Key: "a", Finding: partner.Good})
			if (w != nil) != c.resumed || w != nil && (w.Halt != partner.Halt{By: "me", SinceMs: now.UnixMilli()} || w.Seq != 7) {
				t.Errorf("a good answer writes %+v", w)
			}
			if w := b.Note(now, partner.Run{Key: "a"}); w != nil {
				t.Errorf("what says nothing writes %+v", w)
			}
		})
	}
}

// A known record changes nothing, nor does an older one that comes late. For a newer one, Learn
// reports whether the partner turned.
func TestBreakerLearns(t *testing.T) {
	b := partner.NewBreaker("me")
	for i, c := range []struct {
		halted bool
		seq    uint64
		turned bool
	}{{false, 1, false}, {true, 2, true}, {false, 2, false}, {true, 3, false}, {false, 2, false}, {false, 4, true}, {true, 0, false}} {
		if turned := b.Learn(partner.Halt{Halted: c.halted}, c.seq); turned != c.turned {
			t.Errorf("%s: turned %v", fmt.Sprint(i, c), turned)
		}
	}
}

// A record that was read holds unless a newer one was learned meanwhile. An older record holds if
// it is read twice in a row: the records were made anew.
func TestBreakerReads(t *testing.T) {
	type read struct {
		before, seq uint64
		halted      bool
		turned      bool
	}
	for name, c := range map[string][]read{
		"newer":                    {{5, 6, false, true}},
		"the same":                 {{5, 5, false, false}},
		"learned meanwhile":        {{4, 6, false, false}},
		"older, once":              {{5, 4, false, false}, {5, 5, true, false}},
		"older, twice":             {{5, 2, false, false}, {5, 3, false, true}},
		"gone":                     {{5, 0, false, false}, {5, 0, false, true}},
		"older, and newer between": {{5, 2, false, false}, {5, 6, true, false}, {6, 2, false, false}, {6, 2, false, true}},
	} {
		t.Run(name, func(t *testing.T) {
			b := partner.NewBreaker("me")
			b.Learn(partner.Halt{Halted: true}, 5)
			for i, r := range c {
				if turned := b.LearnSince(r.before, partner.Halt{Halted: r.halted}, r.seq); turned != r.turned {
					t.Errorf("read %d: turned %v", i+1, turned)
				}
			}
		})
	}
}

// A probe without a finding makes five calls, and no more once it has one, or another process has
// written.
func TestProbeAgain(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	halted := partner.Halt{Halted: true, By: "a"}
	for name, c := range map[string]struct {
		then  func(b *partner.Breaker)
		calls int // that it may still make
	}{
		"nothing is found out": {func(b *partner.Breaker) { b.Note(now, partner.Run{}) }, 4},
		"a fault":              {func(b *partner.Breaker) { b.Note(now, partner.Run{Finding: partner.Fault}) }, 0},
		"a good answer":        {func(b *partner.Breaker) { b.Note(now, partner.Run{Finding: partner.Good}) }, 0},
		"another probes":       {func(b *partner.Breaker) { b.Learn(halted, 8) }, 0},
		"what is known":        {func(b *partner.Breaker) { b.Learn(halted, 7) }, 4},
		"resumed":              {func(b *partner.Breaker) { b.Learn(partner.Halt{}, 8) }, 0},
	} {
		b := partner.NewBreaker("me")
		b.Learn(halted, 7)
		if b.ProbeAgain() {
			t.Errorf("%s: a probe that was not begun goes on", name)
		}
		b.Probes()
		c.then(b)
		n := 0
		for ; n < 10 && b.ProbeAgain(); n++ {
		}
		if n != c.calls {
			t.Errorf("%s: %d further calls, want %d", name, n, c.calls)
		}
	}
}

// Only a halt by a worker, without a probe that is due anyway, is probed at once.
func TestRepaired(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	in := func(d time.Duration) int64 { return now.Add(d).UnixMilli() }
	for name, c := range map[string]struct {
		halt partner.Halt
		ok   bool
	}{
		"open":              {halt: partner.Halt{}},
		"by a worker":       {halt: partner.Halt{Halted: true, By: "a", Code: "C", SinceMs: 7, ProbeAtMs: in(time.Minute)}, ok: true},
		"to be probed now":  {halt: partner.Halt{Halted: true, By: "a", ProbeAtMs: in(0)}},
		"without a probe":   {halt: partner.Halt{Halted: true, By: "a"}, ok: true},
		"by an operator":    {halt: partner.Halt{Halted: true, By: partner.ByOperator}},
		"resumed meanwhile": {halt: partner.Halt{By: "a", ProbeAtMs: in(time.Minute)}},
	} {
		want := c.halt
		if c.ok {
			want.ProbeAtMs = in(0)
		}
		if next, ok := partner.Repaired(now, c.halt); next != want || ok != c.ok {
			t.Errorf("%s: %+v, %v", name, next, ok)
		}
	}
}
