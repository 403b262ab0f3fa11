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

// Two processes keep to a partner's concurrency together, and the other partner has none.
func TestGatesShareTheirConcurrency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m record.Memory
		var j journal
		limits := map[string]partner.Limits{one: {Concurrency: 2}}
		a, b := newGate(t, &m, "a", &j, limits), newGate(t, &m, "b", &j, limits)
		var leaves []func()
		for _, g := range []*partner.Gate{a, b} {
			leave, after, err := g.Enter(t.Context(), one)
			if err != nil || after != 0 {
				t.Fatal(after, err)
			}
			leaves = append(leaves, leave)
		}
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, _, err := b.Enter(short, one); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a third call: %v", err)
		}
		if leave, after, err := b.Enter(t.Context(), two); err != nil || after != 0 || leave == nil {
			t.Errorf("the other partner: %v, %v", after, err)
		}
		leaves[1]()
		leave, after, err := b.Enter(t.Context(), one)
		if err != nil || after != 0 {
			t.Errorf("after one has left: %v, %v", after, err)
		}
		leave()
		leaves[0]()
	})
}

// A call that would wait for the rate too long is refused with how long, and takes no place among
// the calls that are under way.
func TestGateKeepsTheRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m record.Memory
		var j journal
		g := newGate(t, &m, "a", &j, map[string]partner.Limits{one: {Rate: 2, Concurrency: 30}})
		begun := time.Now()
		var leaves []func()
		for range 3 {
			leave, after, err := g.Enter(t.Context(), one)
			if err != nil || after != 0 {
				t.Fatal(after, err)
			}
			leaves = append(leaves, leave)
		}
		if took := time.Since(begun); took != time.Second {
			t.Errorf("three calls began within %v, want 1 s", took)
		}
		if after, err := g.Pace(t.Context(), one, 400*time.Millisecond); err != nil || after <= 400*time.Millisecond || after > 500*time.Millisecond {
			t.Errorf("a further call within 400 ms: not for %v, %v", after, err)
		}
		if after, err := g.Pace(t.Context(), one, time.Second); err != nil || after != 0 {
			t.Errorf("a further call within a second: not for %v, %v", after, err)
		}
		if after, err := g.Pace(t.Context(), two, 0); err != nil || after != 0 {
			t.Errorf("without a rate: not for %v, %v", after, err)
		}
		var all sync.WaitGroup
		var mu sync.Mutex
		refused := 0
		for range 27 { // the places that are left: 20 turns in 10 s, then they are refused
			all.Go(func() {
				_, after, err := g.Enter(t.Context(), one)
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					t.Error(err)
				}
				if after > 0 {
					refused++
				}
			})
		}
		all.Wait()
		if refused < 6 || refused > 8 {
			t.Errorf("%d of 27 were refused, want about 7", refused)
		}
		for range refused { // those who were refused have given their places back
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			if _, after, err := g.Enter(ctx, one); err != nil || after != 0 {
				t.Errorf("not for %v, %v", after, err)
			}
			cancel()
		}
		for _, leave := range leaves {
			leave()
		}
	})
}
