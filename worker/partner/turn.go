// Turn: one call's way past halt, concurrency and rate, for callers that ask for one at a time.

package partner

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"protocolq/worker/record"
)

// Turn is one call's turn, or why there is none.
type Turn struct {
	// Leave is to be called when the call has ended; nil: there is no turn.
	Leave func()
	// After is for how long there is none, and Halted says that the partner is halted; else its
	// rate would keep the call for too long.
	After  time.Duration
	Halted bool
}

// Try gives a turn at once, where the partner has no limit and no halt.
func (g *Gate) Try(partner string) (leave func(), ok bool) {
	if g.rates[partner] != nil || g.shares[partner] != nil || g.halted(partner) {
		return nil, false
	}
	return func() {}, true
}

// Turn waits for a call's turn until ctx ends. While this process probes a halted partner it waits
// for what comes of that. After an error a limit could not be kept, and no call may be made.
func (g *Gate) Turn(ctx context.Context, partner string) (Turn, error) {
	release, err := g.alone(ctx, partner)
	if err != nil {
		return Turn{}, err
	}
	after, probe := g.admit(ctx, partner)
	if probe = g.probes(partner, probe); !probe {
		release()
	} else {
		after = 0
	}
	if after > 0 {
		return Turn{After: after, Halted: true}, nil
	}
	leave, after, err := g.enter(ctx, partner)
	if leave == nil {
		release()
		return Turn{After: after}, err
	}
	return Turn{Leave: func() { leave(); release() }}, nil
}

// admit says for how long nobody may ask for a partner, 0: from now on, and whether the call that
// may be made is the probe of a halted one. One a minute is let through, by whichever process
// writes that down first.
func (g *Gate) admit(ctx context.Context, partner string) (after time.Duration, probe bool) {
	b := g.breakers[partner]
	if b == nil {
		return 0, false
	}
	g.mu.Lock()
	after, w := b.Call(g.o.Clock())
	g.mu.Unlock()
	if w == nil {
		return after, false
	}
	if err := g.write(ctx, partner, w); err != nil {
		return retryWrite, false // another process does it, or the record cannot be written
	}
	g.o.Logger.Info("partner probed", "partner", partner)
	return 0, true
}

// enter waits for a call's turn within the partner's concurrency and rate. Where the rate would
// keep it for too long it takes no turn and gives how long that would be; otherwise, and without an
// error, leave is not nil.
func (g *Gate) enter(ctx context.Context, partner string) (leave func(), after time.Duration, err error) {
	leave = func() {}
	if s := g.shares[partner]; s != nil {
		if leave, err = s.Enter(ctx); err != nil {
			return nil, 0, err
		}
	}
	if r := g.rates[partner]; r != nil {
		if after, err = r.Wait(ctx, longestRateWait); err != nil || after > 0 {
			leave()
			return nil, after, err
		}
	}
	return leave, 0, nil
}

// After is how long a halted partner is left alone from now on; 0 where it is not halted, or may be
// tried.
func (g *Gate) After(partner string) time.Duration {
	b := g.breakers[partner]
	if b == nil {
		return 0
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	after, _ := b.Call(g.o.Clock()) // a probe is for the one that makes the call
	return after
}

// Halted lists the halts that are in force, by partner.
func (g *Gate) Halted() map[string]Halt {
	g.mu.Lock()
	defer g.mu.Unlock()
	list := map[string]Halt{}
	for partner, b := range g.breakers {
		if b.halt.Halted {
			list[partner] = b.halt
		}
	}
	return list
}

func (g *Gate) halted(partner string) bool {
	b := g.breakers[partner]
	if b == nil {
		return false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return b.halt.Halted
}

// probes reports whether a call is of the probe of this process, begun by it or not found out yet.
func (g *Gate) probes(partner string, begun bool) bool {
	b := g.breakers[partner]
	if b == nil {
		return false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if begun {
		b.Probes()
		return true
	}
	return b.ProbeAgain()
}

// alone keeps those who come for a halted partner apart, so that one of them makes the probe and
// the others do not take the halt that it writes for an answer.
func (g *Gate) alone(ctx context.Context, partner string) (release func(), err error) {
	if !g.halted(partner) {
		return func() {}, nil
	}
	probe := g.alones[partner]
	select {
	case probe <- struct{}{}:
		return sync.OnceFunc(func() { <-probe }), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Repaired says that the partner's key was replaced here: if a worker has written the halt, a probe
// may go at once, from the first process that tries, and all that waits for the partner is looked
// at. An operator's halt does not change. This is for one process: call it in each.
func (g *Gate) Repaired(ctx context.Context, partner string) {
	b := g.breakers[partner]
	if b == nil {
		return
	}
	g.mu.Lock()
	b.faults = nil // they are the former key's
	byOperator := b.halt.Halted && b.halt.By == ByOperator
	g.mu.Unlock()
	if byOperator {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, longestRead)
	defer cancel()
	err := record.Change(ctx, g.o.Records, nameOf(partner), func(last []byte) ([]byte, error) {
		h, err := decodeHalt(last)
		if err != nil {
			return nil, err
		}
		next, ok := Repaired(g.o.Clock(), h)
		if !ok {
			return nil, nil
		}
		return json.Marshal(next)
	})
	if err != nil {
		g.o.Logger.Warn("repaired partner is probed a minute after the last probe", "partner", partner, "err", err)
	}
	g.o.Resumed(partner)
}
