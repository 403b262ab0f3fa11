// What follows from an answer, and asking again if there is none.

package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"protocolq/messages"
	"protocolq/messages/ask"
)

type pipeline struct {
	client   *ask.Client
	store    *store
	patience time.Duration
	log      *slog.Logger
}

// step is what is done with a refund.
type step string

const (
	pay      step = "paid"
	stopHere step = "stopped" // a person must look at it
	again    step = "unknown" // nothing is done, and the question is asked again
)

// next is the rule: money follows only from a "yes" of the gateway. Unknown is never a "no".
func next(r *messages.Result) step {
	switch {
	case r.Outcome == messages.Signed && r.RefundCharge != nil && *r.RefundCharge:
		return pay
	case r.Outcome == messages.Unknown && r.Retryable:
		return again
	}
	return stopHere
}

// check submits each refund whose time has come, until ctx ends. A refund that is submitted twice,
// because the program ended before it stored the submission, costs no second call.
func (p *pipeline) check(ctx context.Context) error {
	for ctx.Err() == nil {
		due, err := p.store.due(ctx, time.Now())
		if err != nil && ctx.Err() == nil {
			return err
		}
		for _, r := range due {
			q := r.query()
			q.DeadlineMs = time.Now().Add(p.patience).UnixMilli()
			_, err := p.client.Submit(ctx, q)
			var refusal *messages.Error
			switch {
			case errors.As(err, &refusal): // also next time: it must not hold up the others
				p.log.Error("refund cannot be asked for", "id", r.id, "err", err)
				err = p.store.settle(ctx, r.id, stopHere, "", time.Now())
			case err == nil:
				err = p.store.asked(ctx, r)
			}
			if err != nil && ctx.Err() == nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
	return nil
}

// answered handles one reply. The reply is acknowledged when this returns nil, so its effect is
// stored by then.
func (p *pipeline) answered(ctx context.Context, r ask.Reply) error {
	refund, known, err := p.store.find(ctx, r.ID)
	if err != nil {
		return err
	}
	if !known || r.Question != "" && !r.Answers(refund.query()) {
		p.log.Warn("a reply to what was not asked", "id", r.ID, "run", r.Run)
		return nil
	}
	what, wait := next(&r.Result), max(time.Duration(r.RetryAfterMs)*time.Millisecond, 100*time.Millisecond)
	p.log.Info("refund", "id", r.ID, "step", what, "outcome", r.Outcome, "code", r.Code)
	return p.store.settle(ctx, r.ID, what, r.Run, time.Now().Add(wait))
}
