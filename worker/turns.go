// Turns: when a call may begin, and why one may not.

package worker

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"protocolq/messages"
	"protocolq/worker/flight"
	"protocolq/worker/partner"
)

// gate is the partner's rate, concurrency and halt for the whole fleet: a partner.Gate.
type gate interface {
	Try(partner string) (leave func(), ok bool)
	Turn(ctx context.Context, partner string) (partner.Turn, error)
	Open(partner string) bool // it is not halted
}

// turnOptions are everything that turns need.
type turnOptions struct {
	Gate gate
	// Full says that no call may begin, because there might be no room for its result: in the journal
	// or in the outbox. Many goroutines call it.
	Full   func() bool
	Logger *slog.Logger
}

// turns are the [flight.Turns] of one process.
type turns struct {
	o      turnOptions
	warned atomic.Int64 // unix ms of the last warning
}

func newTurns(o turnOptions) *turns { return &turns{o: o} }

const (
	lookAgain = time.Second      // when something is full
	warnEvery = 30 * time.Second // that a limit cannot be kept
)

// Try implements [flight.Turns].
func (t *turns) Try(partner string) (leave func(), ok bool) {
	if t.o.Full() {
		return nil, false
	}
	return t.o.Gate.Try(partner)
}

// May implements [flight.Turns].
func (t *turns) May(partner string) bool { return !t.o.Full() && t.o.Gate.Open(partner) }

// Enter implements [flight.Turns].
func (t *turns) Enter(ctx context.Context, name string) (flight.Admission, error) {
	if t.o.Full() { // checked first: otherwise the probe of a halted partner would be lost
		return flight.Admission{After: lookAgain, Why: messages.Overloaded}, nil
	}
	turn, err := t.o.Gate.Turn(ctx, name)
	if err != nil {
		t.warn(ctx, name, err)
		return flight.Admission{}, err
	}
	a := flight.Admission{Leave: turn.Leave, Lasts: turn.Lasts, After: turn.After}
	switch {
	case turn.Leave != nil:
	case turn.Halted:
		a.Why, a.Halted = messages.PartnerHalted, true
	default:
		a.Why, a.Behind = messages.Overloaded, true
	}
	return a, nil
}

// warn logs now and then that a limit cannot be kept.
func (t *turns) warn(ctx context.Context, name string, err error) {
	now, last := time.Now().UnixMilli(), t.warned.Load()
	if ctx.Err() == nil && now-last >= warnEvery.Milliseconds() && t.warned.CompareAndSwap(last, now) {
		t.o.Logger.Warn("limit not kept: no call is made", "partner", name, "err", err)
	}
}
