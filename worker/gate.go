// The partner's gate around a call: whether a key may be asked for now, and at what pace.

package worker

import (
	"context"
	"errors"
	"time"

	"protocolq/gateway/mapi"
	"protocolq/messages"
	"protocolq/worker/partner"
)

// awaitTurn waits for the query's turn. reason is why it is not admitted at present; an asker whose
// time has ended is answered elsewhere.
func (w *Worker) awaitTurn(ctx context.Context, q messages.Query) (leave func(), reason string, after time.Duration) {
	if after, halted := w.gate.Halted(ctx, q.Partner); halted {
		return nil, messages.PartnerHalted, after
	}
	if w.lines.Full() {
		return nil, messages.Overloaded, storeCheck
	}
	if after := w.hold.wait(ctx, q.Partner); after > 0 {
		return nil, messages.CoolingDown, after
	}
	leave, after, err := w.gate.Enter(ctx, q.Partner)
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, "", 0
	case err != nil:
		w.log.Warn("limit not kept: no call is made", "err", err)
		return nil, messages.Overloaded, time.Second
	case after > 0:
		return nil, messages.Overloaded, after
	}
	return leave, "", 0
}

// paced holds every attempt after the first to the partner's rate; the first one's turn was taken
// before the claim.
func paced(g *partner.Gate, next Handler) Handler {
	return func(ctx context.Context, t *Turn) (messages.Result, error) {
		if len(t.Attempts) == 0 {
			return next(ctx, t)
		}
		if wait, err := g.Pace(ctx, t.Query.Partner, time.Until(t.Lease.Deadline())/2); err != nil || wait > 0 {
			return messages.Result{}, errors.Join(errNoTurn, err)
		}
		return next(ctx, t)
	}
}

// errNoTurn: the rate leaves no room for another attempt within the lease.
var errNoTurn = errors.New("no turn for another attempt")

// noted says to the gate what each run came to.
func noted(g *partner.Gate, next Handler) Handler {
	return func(ctx context.Context, t *Turn) (messages.Result, error) {
		r, err := next(ctx, t)
		if err == nil {
			g.Note(ctx, t.Query.Partner, partner.Run{Key: t.Query.KeyToken(), Code: r.Code, Finding: finding(&r)})
		}
		return r, err
	}
}

// finding is what a result says about its partner's settings.
func finding(r *messages.Result) partner.Finding {
	code, known := mapi.Lookup(r.Code)
	switch {
	case r.Outcome.Conclusive() || known && code.Class == mapi.Input:
		return partner.Good
	case known && code.Class == mapi.Conf:
		return partner.Fault
	}
	return partner.Nothing
}
