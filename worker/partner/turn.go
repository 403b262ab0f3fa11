// Turn: one call's way past halt, concurrency and rate.

package partner

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"protocolq/worker/record"
)

// Turn is permission for one call, or the reason why there is none.
type Turn struct {
	// Leave must be called when the call has ended; nil: the call may not be made.
	Leave func()
	// Lasts says that the turn is for no particular instant, as one within a rate is.
	Lasts bool
	// After is how long to wait before the next try. Halted says that the partner is halted; otherwise
	// its rate would delay the call for too long.
	After  time.Duration
	Halted bool
}

// Try returns a turn at once, if the partner has no limit and no halt.
func (g *Gate) Try(partner string) (leave func(), ok bool) {
	if g.rates[partner] != nil || g.shares[partner] != nil || g.halted(partner) {
		return nil, false
	}
	return func() {}, true
}

// Turn waits for a call's turn until ctx ends. While this process probes a halted partner, Turn
// waits for the result of the probe. An error means that a limit could not be checked: no call may
// be made.
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
	if h := g.halt(partner); h.Halted && (!probe || h.ProbeAtMs == 0) { // while it waited
		leave()
		release()
		return Turn{After: max(g.After(partner), retryWrite), Halted: true}, nil
	}
	return Turn{Leave: func() { leave(); release() }, Lasts: g.rates[partner] == nil && !probe}, nil
}

// admit returns for how long the partner may not be asked (0: it may be asked now), and whether the
// call is the probe of a halted partner. One probe a minute is let through, from the process that
// writes it first, and one from a process whose calls were accepted lately.
func (g *Gate) admit(ctx context.Context, partner string) (after time.Duration, probe bool) {
	b := g.breakers[partner]
	if b == nil {
		return 0, false
	}
	g.mu.Lock()
	after, w := b.Call(g.o.Clock())
	if w != nil && w.Own {
		b.ProbeOwn(w.Halt)
	}
	g.mu.Unlock()
	if w == nil {
		return after, false
	}
	if w.Own {
		return 0, true
	}
	if err := g.write(ctx, partner, w); err != nil {
		return retryWrite, false // another process makes the probe, or the record cannot be written
	}
	g.o.Logger.Info("partner probed", "partner", partner)
	return 0, true
}

// enter waits for a call's turn within the partner's concurrency and rate. If the rate would delay
// the call for too long, enter takes no turn and returns that time. Otherwise, unless there is an
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

// After is how long a halted partner must still be left alone; 0 if it is not halted, or may be
// probed.
func (g *Gate) After(partner string) time.Duration {
	b := g.breakers[partner]
	if b == nil {
		return 0
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	after, _ := b.Call(g.o.Clock()) // the caller that makes the call writes the probe
	return after
}

// Open reports whether a partner is not halted.
func (g *Gate) Open(partner string) bool { return !g.halted(partner) }

// Halted lists the present halts, by partner.
func (g *Gate) Halted() map[string]Halt {
	g.mu.Lock()
	defer g.mu.Unlock()
	list := map[string]Halt{}
	for partner, b := range g.breakers {
		if h := b.Halt(); h.Halted {
			list[partner] = h
		}
	}
	return list
}

func (g *Gate) halted(partner string) bool { return g.halt(partner).Halted }

func (g *Gate) halt(partner string) Halt {
	b := g.breakers[partner]
	if b == nil {
		return Halt{}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return b.Halt()
}

// probes reports whether a call belongs to this process's probe: begun says that it begins one;
// otherwise the probe has no finding yet.
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

// alone lets only one caller at a time check a halted partner. It makes the probe, and the others
// wait for its result instead of the halt that it writes.
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

// Repaired says that the partner's key was replaced here. If a worker has written the halt, a probe
// may go at once, from the first process that tries, and all asks that wait for the partner are
// tried again. An operator's halt does not change. Repaired is for one process: call it in each.
func (g *Gate) Repaired(ctx context.Context, partner string) {
	b := g.breakers[partner]
	if b == nil {
		return
	}
	g.mu.Lock()
	b.Corrected()
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
