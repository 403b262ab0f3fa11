//go:build unix

// Harm that is not done to workers: a gateway in trouble, streams that are lost.

package main

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"protocolq/messages"
	"protocolq/messages/ask"
)

// gatewayTrouble takes the gateway away, puts one in its place that only fails, then one that lies.
func gatewayTrouble(ctx context.Context, h *house, long time.Duration) error {
	failing, err := h.practice(ctx, "--fault", "system-error:1")
	if err != nil {
		return err
	}
	lying, err := h.practice(ctx, "--fault", "second-root:0.2", "--fault", "duplicate:0.2", "--fault", "other-account:0.2", "--fault", "half-body:0.2",
		"--fault", "bad-sign:0.2", "--fault", "502:0.2", "--fault", "garbage:0.2", "--fault", "truncated:0.2", "--fault", "redirect-307:0.2", "--fault", "reset:0.2")
	if err != nil {
		return err
	}
	each := (long - 2*time.Second) / 4
	for _, trouble := range []struct {
		kind string
		does func()
	}{
		{outage, h.way.sever},
		{storm, func() { h.way.lead(failing.address) }},
		{lies, func() { h.way.lead(lying.address) }},
	} {
		if err := pause(ctx, each/4); err != nil {
			return err
		}
		at := h.did(trouble.kind, "gateway")
		trouble.does()
		if err := pause(ctx, each); err != nil {
			return err
		}
		h.way.lead(h.gateways[0].address)
		h.mended(at)
	}
	return nil
}

// wipe deletes streams and provisions them again: the requests, then the records.
func wipe(ctx context.Context, h *house, long time.Duration) error {
	for _, kind := range []messages.Kind{messages.Requests, messages.State, messages.Requests} {
		if err := pause(ctx, long/5); err != nil {
			return err
		}
		at := h.did(wiped, string(kind))
		if err := h.seen.js.DeleteStream(ctx, h.seen.names.Stream(kind)); err != nil {
			return err
		}
		if err := pause(ctx, 300*time.Millisecond); err != nil {
			return err
		}
		if err := h.provision(ctx); err != nil {
			return err
		}
		h.mended(at)
	}
	return nil
}

// askAgain submits what was accepted and lost with its stream once more, with the same id, as its askers would.
func askAgain(ctx context.Context, h *house) error {
	ctx, cancel := context.WithTimeout(ctx, settle)
	defer cancel()
	for {
		t, err := h.gather(ctx)
		if err != nil {
			return err
		}
		again := 0
		for _, a := range t.Asks {
			if a.Acked == 0 || len(a.Told) > 0 {
				continue
			}
			q := a.query()
			q.Partner, q.ID, q.ReplyTo = "", a.ID, "protocol.reply.chaos."+a.ID
			if _, err := ask.Submit(ctx, h.seen.nc, q); err != nil {
				return err
			}
			again++
		}
		if again == 0 {
			return nil
		}
		if err := pause(ctx, 3*time.Second); err != nil {
			return errors.Join(err, errUnanswered)
		}
	}
}

var errUnanswered = errors.New("asked again with the same id, and still unanswered")

// connect is a connection of the chamber's own.
func (h *house) connect() (*nats.Conn, jetstream.JetStream, error) {
	nc, err := nats.Connect(h.cluster.urls(), nats.Name("chaos"), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {})) // what a server refuses is no harm
	if err != nil {
		return nil, nil, err
	}
	js, err := jetstream.New(nc)
	return nc, js, err
}
