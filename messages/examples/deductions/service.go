// One request: ask while there is time, then debit, decline, or say that it is not known.

package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"protocolq/messages"
)

type service struct {
	ask    func(context.Context, messages.Query) (messages.Result, error)
	store  *store
	within time.Duration
	room   chan struct{} // one for each request in progress
	log    *slog.Logger
}

// step is what is done for an order.
type step string

const (
	debit   step = "debited"
	decline step = "declined"
	wrong   step = "refused" // nothing is done: the request or a setting must be corrected
	later   step = "unknown" // nothing is done
)

var statuses = map[step]int{debit: http.StatusOK, decline: http.StatusConflict, wrong: http.StatusUnprocessableEntity,
	later: http.StatusServiceUnavailable}

// next is the rule: money follows only from a "yes" of the gateway, and only the gateway says "no".
// An error, or unknown, says nothing about the account. wait is how long to wait before asking
// again; 0: asking again does not help by itself.
func next(r *messages.Result, err error) (what step, wait time.Duration) {
	switch {
	case err != nil: // no answer in time
		return later, time.Second
	case r.Outcome == messages.Unknown && !r.Retryable:
		return later, 0
	case r.Outcome == messages.Unknown:
		return later, max(time.Duration(r.RetryAfterMs)*time.Millisecond, 100*time.Millisecond)
	case r.Outcome == messages.Signed && r.ChargeAgent != nil && *r.ChargeAgent:
		return debit, 0
	case r.Outcome.Conclusive():
		return decline, 0
	case r.Outcome == messages.Refused: // by the workers, say: that is no word about the account
		return wrong, 0
	}
	return later, 0
}

func (s *service) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /debits/{order}", func(w http.ResponseWriter, r *http.Request) {
		select {
		case s.room <- struct{}{}:
			defer func() { <-s.room }()
		default: // full: say so at once, and not only when everybody's time is over
			write(w, later, time.Second)
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), s.within)
		defer cancel()
		what, wait := s.debit(ctx, r.PathValue("order"), r.FormValue("email"))
		write(w, what, wait)
	})
	return mux
}

// debit debits an order, unless it has been debited before.
func (s *service) debit(ctx context.Context, order, email string) (step, time.Duration) {
	if done, err := s.store.debited(ctx, order); err != nil || done {
		return s.kept(debit, err)
	}
	what, wait, run := s.check(ctx, messages.Query{ID: order, UserEmail: email})
	s.log.Info("debit", "order", order, "step", what)
	if what != debit {
		return what, wait
	}
	return s.kept(debit, s.store.debit(context.WithoutCancel(ctx), order, run))
}

// check asks. If the answer is unknown it asks again when the workers say so, while there is time.
func (s *service) check(ctx context.Context, q messages.Query) (step, time.Duration, string) {
	end, _ := ctx.Deadline()
	for {
		r, err := s.ask(ctx, q)
		what, wait := next(&r, err)
		if what != later || wait == 0 || time.Until(end) < wait+s.within/4 {
			return what, wait, r.Run
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}

// kept is a stored step, or unknown if it is not known whether the order was debited.
func (s *service) kept(what step, err error) (step, time.Duration) {
	if err != nil {
		s.log.Error("store", "err", err)
		return later, time.Second
	}
	return what, 0
}

func write(w http.ResponseWriter, what step, wait time.Duration) {
	if wait > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int((wait+time.Second-1)/time.Second)))
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(statuses[what])
	// the caller has left
	_ = json.NewEncoder(w).Encode(map[string]any{"step": what, "retry_after_ms": wait.Milliseconds()})
}
