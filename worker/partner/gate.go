// Gate: whether a call for a partner may go out now, over the whole fleet.

// Package partner keeps a fleet from harm at the gateway: a partner whose settings are at fault is
// not asked for, and the others are asked for at no more than their rate and concurrency. It knows
// no gateway and no messages.
//
//	Halted ──► Enter: concurrency, then rate ──► the call, each further one after Pace ──► Note ──► leave
//
// What is decided about halts is in [Breaker]; [Gate] shares it with the fleet by records.
package partner

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"time"

	"protocolq/worker/limit"
	"protocolq/worker/record"
)

// Records are what the fleet shares about its partners, each under "<partner>.<record>".
type Records interface {
	record.Store
	limit.Records
	// Watch calls changed with each record that is written and whose name matches pattern, in which
	// * stands for one token. It may miss some.
	Watch(pattern string, changed func(record.Record, error)) (stop func(), err error)
}

// Limits are those of one partner over the whole fleet; 0 is none.
type Limits struct {
	Rate        int // calls that begin in a second
	Concurrency int // calls under way at once
}

// Options are what a [Gate] needs.
type Options struct {
	Partners []string          // all that are asked for
	Limits   map[string]Limits // by partner; none where there is no entry
	Records  Records
	Owner    string           // this process, unique in the fleet
	Clock    func() time.Time // which the fleet shares; time.Now when nil
	Logger   *slog.Logger     // discarded when nil
}

// Gate holds the fleet to its limits and lets nobody ask for a halted partner. It is safe for
// concurrent use.
type Gate struct {
	o      Options
	rates  map[string]*limit.Rate
	shares map[string]*limit.Share

	mu       sync.Mutex // guards the Breakers, not the map; never held over I/O
	breakers map[string]*Breaker
}

// Bounds of waits.
const (
	longestRateWait = 10 * time.Second // what would take longer is refused at once
	retryWrite      = time.Second      // after a probe that was not written
)

// New makes a Gate. It starts nothing.
func New(o Options) *Gate {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	g := &Gate{o: o, rates: map[string]*limit.Rate{}, shares: map[string]*limit.Share{}, breakers: map[string]*Breaker{}}
	for _, p := range o.Partners {
		g.breakers[p] = &Breaker{}
	}
	for p, l := range o.Limits {
		if l.Rate > 0 {
			g.rates[p] = limit.NewRate(o.Records, p+".rate", float64(l.Rate), o.Clock)
		}
		if l.Concurrency > 0 {
			g.shares[p] = limit.NewShare(o.Records, p+".calls", o.Owner, l.Concurrency, o.Clock)
		}
	}
	return g
}

// Halted reports whether the partner is halted, and after how long it may be tried. While it is,
// one call a minute is let through, by whichever process writes that down first.
func (g *Gate) Halted(ctx context.Context, partner string) (after time.Duration, halted bool) {
	b := g.breakers[partner]
	if b == nil {
		return 0, false
	}
	g.mu.Lock()
	after, probe := b.Call(g.o.Clock())
	g.mu.Unlock()
	if probe == nil {
		return after, after > 0
	}
	if err := g.write(ctx, partner, probe); err != nil {
		return retryWrite, true // another process does it, or the record cannot be written
	}
	g.o.Logger.Info("partner probed", "partner", partner)
	return 0, false
}

// Enter waits for a call's turn within the partner's concurrency and rate, until ctx ends. Where
// the rate would keep it for too long it takes no turn and gives how long that would be. After an
// error a limit could not be kept, and no call may be made. Otherwise leave is not nil: call it
// when the call and those that follow it have ended.
func (g *Gate) Enter(ctx context.Context, partner string) (leave func(), after time.Duration, err error) {
	leave = func() {}
	if s := g.shares[partner]; s != nil {
		if leave, err = s.Enter(ctx); err != nil {
			return nil, 0, err
		}
	}
	if after, err = g.Pace(ctx, partner, longestRateWait); err != nil || after > 0 {
		leave()
		return nil, after, err
	}
	return leave, 0, nil
}

// Pace waits for the turn of a further call within the partner's rate. When that would be later
// than most from now, it takes no turn and gives how long it would have been.
func (g *Gate) Pace(ctx context.Context, partner string, most time.Duration) (after time.Duration, err error) {
	if r := g.rates[partner]; r != nil {
		return r.Wait(ctx, most)
	}
	return 0, nil
}

// Note takes in what a run came to, which may halt the partner or resume it.
func (g *Gate) Note(ctx context.Context, partner string, r Run) {
	b := g.breakers[partner]
	if b == nil {
		return
	}
	g.mu.Lock()
	w := b.Note(g.o.Clock(), g.o.Owner, r)
	g.mu.Unlock()
	if w == nil {
		return
	}
	switch err := g.write(ctx, partner, w); {
	case errors.Is(err, record.ErrConflict): // another process has seen to it
	case err != nil:
		g.o.Logger.Warn("halt not written", "partner", partner, "halted", w.Halt.Halted, "err", err)
	case w.Halt.Halted:
		g.o.Logger.Error("partner halted", "partner", partner, "code", r.Code,
			"hint", "correct its key, contract or permission; one query a minute finds out, or protocolq partner resume")
	default:
		g.o.Logger.Info("partner is asked for again", "partner", partner)
	}
}

// write writes a halt of a partner that has a Breaker, and takes it in.
func (g *Gate) write(ctx context.Context, partner string, w *Write) error {
	data, err := json.Marshal(w.Halt)
	if err != nil {
		return err
	}
	seq, err := g.o.Records.Put(ctx, nameOf(partner), data, record.Terms{Expect: w.Seq})
	if err != nil {
		return err
	}
	g.mu.Lock()
	turned := g.breakers[partner].LearnSince(w.Seq, w.Halt, seq)
	g.mu.Unlock()
	g.turned(turned, partner, w.Halt)
	return nil
}

func (g *Gate) turned(turned bool, partner string, h Halt) {
	if turned {
		g.o.Logger.Warn("partner halt changed", "partner", partner, "halted", h.Halted, "by", h.By, "code", h.Code)
	}
}
