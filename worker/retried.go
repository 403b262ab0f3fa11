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

// retried tries next again while its error is temporary and the budget lasts. Each further attempt
// is written down in the key's record before it is made; the renewal is also
// what finds out that somebody else holds the key by now.
func retried(p retry.Policy, budget *limit.Budget, next Handler) Handler {
	return func(ctx context.Context, t *Turn) (messages.Result, error) {
		var r messages.Result
		var last error
		_, err := p.Do(ctx, func(ctx context.Context, n int) (bool, error) {
			if n > 1 {
				if err := t.renew(ctx, n); err != nil {
					return false, err
				}
			}
			var err error
			r, err = next(ctx, t)
			if n == 1 {
				budget.Called()
			}
			if errors.Is(err, errNoTurn) {
				return false, last
			}
			last = err
			gerr, ok := errors.AsType[*gateway.Error](err)
			return ok && gerr.Class.Retryable() && (n >= p.Most() || budget.Retry()), err
		}, func(wait time.Duration, failed int) error {
			if time.Until(t.Lease.Deadline()) > wait {
				return nil
			}
			return t.renew(ctx, failed) // the lease must outlast the wait
		})
		r.Attempts = len(t.Attempts)
		switch {
		case err == nil:
			return r, nil
		case ctx.Err() != nil || !isGateway(err):
			return messages.Result{}, err
		case errors.Is(err, dedupe.ErrFenced) || errors.Is(err, dedupe.ErrLapsed) || errors.Is(err, errUnwanted):
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
