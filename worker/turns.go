// Turns: at what pace calls begin, and why none may.

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

// gate is the partner's rate, concurrency and halt over the whole fleet: a partner.Gate.
type gate interface {
	Try(partner string) (leave func(), ok bool)
	Turn(ctx context.Context, partner string) (partner.Turn, error)
}

// turnOptions are what turns need, all of it.
type turnOptions struct {
	Gate gate
	// Full says that no call may begin, as what one comes to might find no room: in the journal, in
	// the outbox, in the query log. It is called by many goroutines.
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
	lookAgain = time.Second      // at what is full
	warnEvery = 30 * time.Second // of a limit that cannot be kept
)

// Try implements [flight.Turns].
func (t *turns) Try(partner string) (leave func(), ok bool) {
	if t.o.Full() {
		return nil, false
	}
	return t.o.Gate.Try(partner)
}

// Enter implements [flight.Turns].
func (t *turns) Enter(ctx context.Context, name string) (flight.Admission, error) {
	if t.o.Full() { // looked at first: a probe of a halted partner would be lost
		return flight.Admission{After: lookAgain, Why: messages.Overloaded}, nil
	}
	turn, err := t.o.Gate.Turn(ctx, name)
	if err != nil {
		t.warn(ctx, name, err)
		return flight.Admission{}, err
	}
	a := flight.Admission{Leave: turn.Leave, After: turn.After}
	switch {
	case turn.Leave != nil:
	case turn.Halted:
		a.Why = messages.PartnerHalted
	default:
		a.Why = messages.Overloaded
	}
	return a, nil
}

// warn says now and then that a limit cannot be kept.
func (t *turns) warn(ctx context.Context, name string, err error) {
	now, last := time.Now().UnixMilli(), t.warned.Load()
	if ctx.Err() == nil && now-last >= warnEvery.Milliseconds() && t.warned.CompareAndSwap(last, now) {
		t.o.Logger.Warn("limit not kept: no call is made", "partner", name, "err", err)
	}
}
