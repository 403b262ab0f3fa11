// A hold: after a 429 with Retry-After this worker makes no call for the partner until then.

package worker

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"protocolq/gateway"
	"protocolq/messages"
)

// tooMany is the code of the one status that is about all of a partner's calls.
const tooMany = gateway.CodeHTTP + "429"

// hold knows which partners this worker leaves alone. Each worker learns it from the gateway
// itself, at the cost of one call: the fleet needs no shared record for it.
type hold struct {
	mu    sync.Mutex
	until map[string]time.Time // guarded by mu; by partner, of those that were asked for
}

// longestHoldWait is how long an ask waits for a hold's end; beyond it the asker is given how long
// it would be.
const longestHoldWait = 10 * time.Second

func newHold() *hold { return &hold{until: map[string]time.Time{}} }

// set begins a hold or makes it longer; anew says that there was none.
func (h *hold) set(partner string, until time.Time) (anew bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	was := h.until[partner]
	if until.After(was) {
		h.until[partner] = until
	}
	return !was.After(time.Now())
}

// rest is how long the partner is still left alone.
func (h *hold) rest(partner string) time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	return max(time.Until(h.until[partner]), 0)
}

// wait waits until the partner may be asked for, or gives how long that would have been. Those who
// waited are let go over a tenth of their wait, not all at once.
func (h *hold) wait(ctx context.Context, partner string) (after time.Duration) {
	rest := h.rest(partner)
	if rest == 0 || rest > longestHoldWait || sleep(ctx, jittered(rest)) != nil {
		return rest
	}
	return h.rest(partner)
}

// held reports whether the query's partner is left alone at present.
func (w *Worker) held(q messages.Query) bool { return w.hold.rest(q.Partner) > 0 }

// heeded begins a hold where the gateway asks for one, and makes no further attempt within one that
// another key's call has begun.
func heeded(h *hold, log *slog.Logger, next Handler) Handler {
	return func(ctx context.Context, t *Turn) (messages.Result, error) {
		// A call still under way may make a hold longer while it is waited for.
		for rest := h.rest(t.Query.Partner); rest > 0 && len(t.Attempts) > 0; rest = h.rest(t.Query.Partner) {
			if rest > time.Until(t.Lease.Deadline())/2 {
				return messages.Result{}, errNoTurn
			}
			if err := sleep(ctx, rest); err != nil {
				return messages.Result{}, errors.Join(errNoTurn, err)
			}
		}
		r, err := next(ctx, t)
		if gerr, ok := errors.AsType[*gateway.Error](err); ok && gerr.Code == tooMany && gerr.RetryAfter > 0 {
			if h.set(t.Query.Partner, t.notBefore) {
				log.Warn("too many calls for the gateway: partner left alone", "partner", t.Query.Partner, "wait", gerr.RetryAfter.String())
			}
		}
		return r, err
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
