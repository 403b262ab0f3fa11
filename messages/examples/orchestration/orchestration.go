// Asking until the answer is known, and the effects of events.

package main

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"protocolq/messages"
	"protocolq/messages/ask"
)

type orchestration struct {
	client *ask.Client
	store  *store
	log    *slog.Logger
}

// effect is what follows from a run: the next step for an order.
type effect string

const (
	none        effect = ""
	release     effect = "release"       // the account may be debited, and refunds may go to it
	askToSign   effect = "ask_to_sign"   // its holder is asked for the missing agreement
	lookCloser  effect = "look_closer"   // by a person
	longestTime        = 5 * time.Second // for one answer
)

// next is the rule: only what the gateway said has effects. Unknown says nothing.
func next(e *messages.Event) effect {
	is := func(flag *bool) bool { return flag != nil && *flag }
	switch e.Outcome {
	case messages.Signed:
		if is(e.ChargeAgent) && is(e.RefundCharge) {
			return release
		}
		return askToSign
	case messages.NotSigned:
		return askToSign
	case messages.Abnormal, messages.Refused:
		return lookCloser
	}
	return none
}

// follow handles one event: of an order, by its key, or of a question by another program.
func (o *orchestration) follow(ctx context.Context, e ask.Event) error {
	what := next(&e.Event)
	made, err := o.store.settle(ctx, e.Run, e.Key, what)
	if err == nil {
		o.log.Info("event", "run", e.Run, "order", e.Key, "outcome", e.Outcome, "effect", what, "made", made)
	}
	return err
}

// askAll asks for each order whose time has come, until ctx ends.
func (o *orchestration) askAll(ctx context.Context) error {
	for ctx.Err() == nil {
		due, err := o.store.due(ctx, time.Now())
		if err != nil && ctx.Err() == nil {
			return err
		}
		var asking sync.WaitGroup
		for _, order := range due {
			asking.Go(func() { o.ask(ctx, order) })
		}
		asking.Wait()
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
	return nil
}

// ask asks for one order. The answer only says whether and when to ask again; its effect is made
// from the event. Only what is refused before it is a run has no event: a mistyped address, say.
func (o *orchestration) ask(ctx context.Context, order order) {
	asking, cancel := context.WithTimeout(ctx, longestTime)
	defer cancel()
	r, err := o.client.Ask(asking, messages.Query{ID: order.id, Key: order.id, UserEmail: order.email})
	state, wait := after(&r, err)
	var failed error
	if err == nil && r.Outcome == messages.Refused && r.Run == "" {
		o.log.Warn("refused", "order", order.id, "code", r.Code, "message", r.Message)
		_, failed = o.store.settle(ctx, "refused "+order.id, order.id, lookCloser)
	}
	if failed == nil {
		failed = o.store.asked(ctx, order.id, state, time.Now().Add(wait))
	}
	if failed != nil && ctx.Err() == nil {
		o.log.Error("store", "err", failed) // the order is asked for again
	}
}

// after is the state of an order after its answer, and how long until it is asked for again.
func after(r *messages.Result, err error) (state string, wait time.Duration) {
	switch {
	case err != nil:
		return "unknown", time.Second
	case r.Outcome == messages.Unknown && r.Retryable:
		return "unknown", max(time.Duration(r.RetryAfterMs)*time.Millisecond, 100*time.Millisecond)
	}
	return "answered", 0
}
