//go:build unix

// Harm to parts other than workers: a gateway in trouble, lost streams.

package scenario

import (
	"context"
	"errors"
	"time"

	"protocolq/cmd/chaos/testbed"
	"protocolq/cmd/chaos/verdict"
	"protocolq/messages"
	"protocolq/messages/ask"
)

// gatewayTrouble stops the gateway, replaces it by one that only fails, then by one that lies.
func gatewayTrouble(ctx context.Context, h *testbed.Bed, long time.Duration) error {
	failing, err := h.Practice(ctx, "--fault", "system-error:1")
	if err != nil {
		return err
	}
	lying, err := h.Practice(ctx, "--fault", "second-root:0.2", "--fault", "duplicate:0.2", "--fault",
		"other-account:0.2", "--fault", "half-body:0.2",
		"--fault", "bad-sign:0.2", "--fault", "502:0.2", "--fault", "garbage:0.2", "--fault", "truncated:0.2",
		"--fault", "redirect-307:0.2", "--fault", "reset:0.2")
	if err != nil {
		return err
	}
	each := (long - 2*time.Second) / 4
	for _, trouble := range []func() int{
		func() int {
			defer h.ToGateway.Sever()
			return h.Inject(verdict.Outage, "gateway")
		},
		func() int { return h.Reroute(verdict.Storm, failing.Address) },
		func() int { return h.Reroute(verdict.Lies, lying.Address) },
	} {
		if err := testbed.Pause(ctx, each/4); err != nil {
			return err
		}
		at := trouble()
		if err := testbed.Pause(ctx, each); err != nil {
			return err
		}
		h.ToGateway.Lead(h.Gateways[0].Address)
		h.Recover(at)
	}
	return nil
}

// wipe deletes streams and provisions them again: submitted queries, then the journal.
func wipe(ctx context.Context, h *testbed.Bed, long time.Duration) error {
	for _, kind := range []messages.Kind{messages.Submitted, messages.Journal, messages.Submitted} {
		if err := testbed.Pause(ctx, long/5); err != nil {
			return err
		}
		at := h.Inject(verdict.Wiped, string(kind))
		if err := h.Observer.JS.DeleteStream(ctx, h.Observer.Names.Stream(kind)); err != nil {
			return err
		}
		if err := testbed.Pause(ctx, 300*time.Millisecond); err != nil {
			return err
		}
		if kind == messages.Journal {
			h.Observer.Journal.Renew()
		}
		if err := h.MakeStreams(ctx); err != nil {
			return err
		}
		h.Recover(at)
	}
	return nil
}

// askAgain submits again what was accepted and lost with its stream, with the same id, as its
// askers would.
func askAgain(ctx context.Context, h *testbed.Bed) error {
	ctx, cancel := context.WithTimeout(ctx, testbed.Settle)
	defer cancel()
	for {
		t, err := h.Gather(ctx)
		if err != nil {
			return err
		}
		again := 0
		for _, a := range t.Asks {
			if a.Acked == 0 || len(a.Replies) > 0 {
				continue
			}
			q := a.Query()
			q.Partner, q.ID, q.ReplyTo = "", a.ID, "protocol.reply.chaos."+a.ID
			if _, err := ask.Submit(ctx, h.Observer.Conn, q); err != nil {
				return err
			}
			again++
		}
		if again == 0 {
			return nil
		}
		if err := testbed.Pause(ctx, 3*time.Second); err != nil {
			return errors.Join(err, errUnanswered)
		}
	}
}

var errUnanswered = errors.New("asked again with the same id, and still unanswered")
