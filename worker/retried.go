// What surrounds a call: trying again under a renewed lease, counting, and the line in the log.

package worker

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"protocolq/gateway"
	"protocolq/gateway/mapi"
	"protocolq/messages"
	"protocolq/worker/dedupe"
	"protocolq/worker/limit"
	"protocolq/worker/retry"
)

// errUnwanted: everybody who waited has left, so the gateway is left alone.
var errUnwanted = errors.New("nobody waits for the answer any more")

// Why a run ends although another attempt might help; each comes joined to the last attempt's
// error.
var (
	errTooLong  = errors.New("the gateway wants to be left alone for longer than this run may wait")
	errNoBudget = errors.New("the budget of retries is spent")
)

// retried tries next again while its error is temporary and the budget lasts, and no sooner than
// the gateway wants. Each further attempt is written down in the key's record before it is made;
// the renewal is also what finds out that somebody else holds the key by now.
func retried(p retry.Policy, budget *limit.Budget, next Handler) Handler {
	return func(ctx context.Context, t *Turn) (messages.Result, error) {
		var r messages.Result
		var last error
		_, err := p.Do(ctx, func(ctx context.Context, n int) (bool, time.Duration, error) {
			if n > 1 {
				if err := t.renew(ctx, n); err != nil {
					return false, 0, err
				}
			}
			var err error
			r, err = next(ctx, t)
			if n == 1 {
				budget.Called()
			}
			if errors.Is(err, errNoTurn) {
				return false, 0, last
			}
			last = err
			gerr, ok := errors.AsType[*gateway.Error](err)
			return ok && gerr.Class.Retryable(), t.rest(), err
		}, func(wait time.Duration, failed int) error {
			if !t.mayWait(wait) {
				return errTooLong
			}
			if !budget.Retry() {
				return errNoBudget
			}
			if time.Until(t.Lease.Deadline()) > wait {
				return nil
			}
			return t.renew(ctx, failed) // the lease must outlast the wait
		})
		r.Attempts = len(t.Attempts)
		if err == nil {
			return r, nil
		}
		if !t.settledBy(ctx, err) {
			return messages.Result{}, err
		}
		r = ResultOf(gateway.Answer{}, err)
		r.Attempts = len(t.Attempts)
		if n := len(t.Attempts); n > 0 {
			r.AskedAtMs = t.Attempts[n-1].AtUs / 1000
		}
		return r, nil
	}
}

// mayWait reports whether the run may wait for so long itself, its slot and key held. A wait that
// the gateway asks for must end within the lease and while somebody still waits; else the run ends
// now and the key cools down for as long. So a holder that dies while it waits is not followed
// before the time is over either.
func (t *Turn) mayWait(wait time.Duration) bool {
	return t.rest() == 0 || wait < t.Lease.Reach() && t.Lease.WantedIn(wait)
}

// settledBy reports whether what ended the attempts makes an answer, if only "unknown". Otherwise
// the key is given back and free at once, which it must not be while the gateway wants to be left
// alone.
func (t *Turn) settledBy(ctx context.Context, err error) bool {
	switch {
	case !isGateway(err) || errors.Is(err, dedupe.ErrFenced):
		return false
	case t.rest() > 0:
		return true
	}
	return ctx.Err() == nil && !errors.Is(err, dedupe.ErrLapsed) && !errors.Is(err, errUnwanted)
}

// rest is how long the gateway still wants to be left alone by this key.
func (t *Turn) rest() time.Duration { return max(time.Until(t.notBefore), 0) }

// renew writes the attempts so far into the key's record and starts its lease
// anew, unless nobody waits any more.
func (t *Turn) renew(ctx context.Context, attempt int) error {
	if !t.Lease.Wanted() {
		return errUnwanted
	}
	return t.Lease.Renew(ctx, attempt, t.journal())
}

// journal is the calls so far, as the key's record keeps them.
func (t *Turn) journal() []byte { return journalOf(append(slices.Clip(t.Before), t.Attempts...)) }

// counted counts runs, attempts and how long they took.
func counted(m *metrics, next Handler) Handler {
	return func(ctx context.Context, t *Turn) (messages.Result, error) {
		r, err := next(ctx, t)
		m.run(t.Attempts, err)
		return r, err
	}
}

// logged writes one line about each run: quiet when all is well, loud when
// somebody must act. It names the run, never the asker's data.
func logged(log *slog.Logger, next Handler) Handler {
	return func(ctx context.Context, t *Turn) (messages.Result, error) {
		begun := time.Now()
		r, err := next(ctx, t)
		level := levelOf(r, err)
		if !log.Enabled(ctx, level) {
			return r, err
		}
		attrs := []slog.Attr{slog.String("run", t.Lease.Run()), slog.String("partner", t.Query.Partner),
			slog.String("email", messages.MaskEmail(t.Query.UserEmail)), slog.String("account", messages.MaskAccount(t.Query.AccountNo)),
			slog.String("outcome", string(r.Outcome)), slog.String("code", r.Code),
			slog.Int("attempts", len(t.Attempts)), slog.Int64("dur_ms", time.Since(begun).Milliseconds())}
		if u := t.unread; u != nil {
			attrs = append(attrs, slog.Int("http_status", u.HTTPStatus), slog.String("content_type", messages.MaskText(u.ContentType)), slog.Int("bytes", u.Bytes))
		}
		if err != nil {
			attrs = append(attrs, slog.Any("err", err))
		}
		log.LogAttrs(ctx, level, "run ended", attrs...)
		return r, err
	}
}

func levelOf(r messages.Result, err error) slog.Level {
	code, known := Lookup(r.Code)
	switch {
	case errors.Is(err, errUnwanted):
		return slog.LevelInfo
	case err != nil:
		return slog.LevelWarn
	case known && (code.Class == mapi.Conf || code.Class == mapi.Bug), r.Code == gateway.CodeBadSign, r.Code == gateway.CodeTLS:
		return slog.LevelError
	case r.Outcome == messages.Unknown:
		return slog.LevelWarn
	case r.Outcome == messages.Refused, r.Attempts > 1:
		return slog.LevelInfo
	}
	return slog.LevelDebug
}
