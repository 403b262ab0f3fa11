// Gates keep to a partner's rate and concurrency together.

package partner_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"protocolq/worker/partner"
	"protocolq/worker/record"
)

// enter takes a turn, which must be given.
func enter(t *testing.T, g *partner.Gate, id string) (leave func()) {
	t.Helper()
	turn, err := g.Turn(t.Context(), id)
	if err != nil || turn.Leave == nil {
		t.Fatalf("%+v, %v", turn, err)
	}
	return turn.Leave
}

// Two processes keep to a partner's concurrency together, and the other partner has none.
func TestGatesShareTheirConcurrency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m record.Memory
		var j journal
		limits := map[string]partner.Limits{one: {Concurrency: 2}}
		a, b := newGate(t, &m, "a", &j, limits), newGate(t, &m, "b", &j, limits)
		var leaves []func()
		for _, g := range []*partner.Gate{a, b} {
			leaves = append(leaves, enter(t, g, one))
		}
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := b.Turn(short, one); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a third call: %v", err)
		}
		enter(t, b, two) // the other partner
		leaves[1]()
		enter(t, b, one)() // after one has left
		leaves[0]()
	})
}

// A call that would wait too long for the rate is refused with that time, and takes no place among
// the calls in progress.
func TestGateKeepsTheRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m record.Memory
		var j journal
		g := newGate(t, &m, "a", &j, map[string]partner.Limits{one: {Rate: 2, Concurrency: 30}})
		begun := time.Now()
		var leaves []func()
		for range 3 {
			leaves = append(leaves, enter(t, g, one))
		}
		if took := time.Since(begun); took != time.Second {
			t.Errorf("three calls began within %v, want 1 s", took)
		}
		var all sync.WaitGroup
		var mu sync.Mutex
		refused := 0
		for range 27 { // the places left: 20 turns in 10 s, then refusals
			all.Go(func() {
				turn, err := g.Turn(t.Context(), one)
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					t.Error(err)
				}
				if turn.After > 0 {
					refused++
				}
			})
		}
		all.Wait()
		if refused < 6 || refused > 8 {
			t.Errorf("%d of 27 were refused, want about 7", refused)
		}
		for range refused { // the refused calls have given their places back
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			if turn, err := g.Turn(ctx, one); err != nil || turn.Leave == nil {
				t.Errorf("%+v, %v", turn, err)
			}
			cancel()
		}
		for _, leave := range leaves {
			leave()
		}
	})
}

// A process whose calls end right before it does gives its places back: the next process makes its
// first call at once, and not when the old share ends.
func TestGateThatLeavesGivesItsSharesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m record.Memory
		var j journal
		limits := map[string]partner.Limits{one: {Concurrency: 8}}
		old := newGate(t, &m, "old", &j, limits)
		ctx, stop := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { _ = old.Run(ctx) })
		var leaves []func()
		for range 8 {
			leaves = append(leaves, enter(t, old, one))
		}
		time.Sleep(10*time.Second + 50*time.Millisecond)
		for _, leave := range leaves {
			leave()
		}
		old.Leave(t.Context())
		stop()
		running.Wait()
		next, begun := newGate(t, &m, "next", &j, limits), time.Now()
		for range 8 {
			enter(t, next, one)
		}
		if took := time.Since(begun); took > time.Second {
			t.Errorf("the next process has all places after %v", took)
		}
	})
}
