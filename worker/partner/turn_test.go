// Turns of calls, the one probe of a halted partner, and which waiters are woken when.

package partner_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"protocolq/worker/partner"
	"protocolq/worker/record"
)

// wakes collects when waiting for a gate's partners ends.
type wakes struct {
	begun time.Time
	mu    sync.Mutex // guards at
	at    []time.Duration
}

func (w *wakes) want(t *testing.T, want ...time.Duration) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if !slices.Equal(w.at, want) {
		t.Errorf("woken at %v, want %v", w.at, want)
	}
}

// newWaking makes a watching gate, and what it wakes.
func newWaking(t *testing.T, m *record.Memory, owner string) (*partner.Gate, *wakes) {
	t.Helper()
	w := &wakes{begun: time.Now()}
	g := partner.New(partner.Options{Partners: []string{one, two}, Records: m, Owner: owner, Logger: slog.New(slog.DiscardHandler), Resumed: func(id string) {
		w.mu.Lock()
		defer w.mu.Unlock()
		if id != one {
			t.Errorf("woken for %s", id)
		}
		w.at = append(w.at, time.Since(w.begun))
	}})
	stop, err := g.Watch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return g, w
}

func TestTry(t *testing.T) {
	var m record.Memory
	var j journal
	g := newGate(t, &m, "a", &j, map[string]partner.Limits{two: {Rate: 5}})
	if leave, ok := g.Try(one); !ok || leave == nil {
		t.Error("a partner without limit and halt has no turn at once")
	}
	if _, ok := g.Try(two); ok {
		t.Error("a partner with a rate has a turn at once")
	}
	fail(t, g, one)
	if _, ok := g.Try(one); ok {
		t.Error("a halted partner has a turn at once")
	}
}

// Of many calls that wait when a halted partner is probed, one makes the probe, and the others get
// its result, not earlier. A probe without a finding is followed by the next, five in total.
func TestOthersWaitForTheProbe(t *testing.T) {
	for name, c := range map[string]struct {
		found []partner.Finding
		calls int
		turns int // in addition to the probe's
	}{
		"good":             {[]partner.Finding{partner.Good}, 1, 19},
		"fault":            {[]partner.Finding{partner.Fault}, 1, 0},
		"nothing and good": {[]partner.Finding{partner.Nothing, partner.Nothing, partner.Good}, 3, 17},
		"nothing":          {make([]partner.Finding, 5), 5, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var m record.Memory
				g, w := newWaking(t, &m, "a")
				fail(t, g, one)
				time.Sleep(time.Minute)
				turns := make(chan partner.Turn, 20)
				for range cap(turns) {
					go func() {
						turn, err := g.Turn(t.Context(), one)
						if err != nil {
							t.Error(err)
						}
						turns <- turn
					}()
				}
				for i, found := range c.found {
					synctest.Wait()
					if len(turns) != 1 {
						t.Fatalf("%d have their answer at call %d, want the probe", len(turns), i+1)
					}
					probe := <-turns
					time.Sleep(3 * time.Second)
					g.Note(t.Context(), one, partner.Run{Key: "k", Finding: found})
					probe.Leave()
				}
				synctest.Wait()
				took := time.Duration(c.calls) * 3 * time.Second
				if len(turns) != cap(turns)-c.calls {
					t.Errorf("%d have their answer, want all", len(turns))
				}
				for range len(turns) {
					turn := <-turns
					if (turn.Leave != nil) != (c.turns > 0) || turn.Halted == (c.turns > 0) || turn.Halted && turn.After != time.Minute-took {
						t.Errorf("after %v: %+v", took, turn)
					}
				}
				if c.turns > 0 {
					w.want(t, time.Minute+took)
				} else {
					w.want(t)
				}
			})
		})
	}
}

// A caller that ends while another probes waits no longer.
func TestTurnEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m record.Memory
		g, _ := newWaking(t, &m, "a")
		fail(t, g, one)
		time.Sleep(time.Minute)
		if probe, err := g.Turn(t.Context(), one); probe.Leave == nil || err != nil {
			t.Fatal(probe, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if turn, err := g.Turn(ctx, one); turn.Leave != nil || err == nil {
			t.Errorf("got %+v, %v", turn, err)
		}
	})
}

// Each process is notified, whatever resumes the partner: its own call, another's, an operator.
func TestResumed(t *testing.T) {
	for name, resume := range map[string]func(t *testing.T, g *partner.Gate, m *record.Memory){
		"by a good answer": func(t *testing.T, g *partner.Gate, _ *record.Memory) {
			g.Note(t.Context(), one, partner.Run{Key: "k", Finding: partner.Good})
		},
		"by an operator": func(t *testing.T, _ *partner.Gate, m *record.Memory) {
			if err := partner.WriteHalt(t.Context(), m, one, partner.Halt{}); err != nil {
				t.Error(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var m record.Memory
				a, woken := newWaking(t, &m, "a")
				_, other := newWaking(t, &m, "b")
				fail(t, a, one)
				time.Sleep(5 * time.Second)
				resume(t, a, &m)
				synctest.Wait()
				woken.want(t, 5*time.Second)
				other.want(t, 5*time.Second)
			})
		})
	}
}

// The key of a halted partner is replaced: one probe goes at once, from whichever process tries
// first. An operator's halt stays as it is.
func TestRepairedKeyIsProbedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m record.Memory
		a, woken := newWaking(t, &m, "a")
		b, other := newWaking(t, &m, "b")
		fail(t, a, one)
		time.Sleep(5 * time.Second)
		wantHalted(t, b, one, 55*time.Second)
		a.Repaired(t.Context(), one)
		synctest.Wait()
		woken.want(t, 5*time.Second, 5*time.Second) // by the record, and for the keys that cool down
		other.want(t, 5*time.Second)
		probe(t, b, one)
		wantHalted(t, a, one, time.Minute)
		wantHalted(t, b, one, time.Minute)

		if err := partner.WriteHalt(t.Context(), &m, one, partner.Halt{Halted: true, By: partner.ByOperator}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		a.Repaired(t.Context(), one)
		a.Repaired(t.Context(), "of another fleet")
		wantHalted(t, a, one, time.Minute)
		woken.want(t, 5*time.Second, 5*time.Second)
	})
}

// The key of a partner that is not halted yet is replaced: faults of the former key no longer
// count, and keys in their cool-down are tried again.
func TestRepairedBeforeTheHalt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m record.Memory
		g, woken := newWaking(t, &m, "a")
		faults := func() {
			for i := range 4 {
				g.Note(t.Context(), one, partner.Run{Key: fmt.Sprint(i), Code: "ILLEGAL_SIGN", Finding: partner.Fault})
			}
		}
		faults()
		g.Repaired(t.Context(), one)
		woken.want(t, 0)
		faults()
		wantHalted(t, g, one, 0)
	})
}
