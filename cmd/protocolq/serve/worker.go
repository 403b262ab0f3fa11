// Runs one worker, from its settings to its end.

package serve

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"protocolq/cmd/protocolq/cli"
	"protocolq/cmd/protocolq/natsconn"
	"protocolq/cmd/protocolq/probes"
	"protocolq/cmd/protocolq/settings"
	"protocolq/gateway"
	"protocolq/messages"
	"protocolq/worker"
	"protocolq/worker/ops"
	"protocolq/worker/pause"
	"protocolq/worker/provision"
	"protocolq/worker/querylog"
	"protocolq/worker/retry"
)

// streamsOfAWorker are those whose fill it shows.
var streamsOfAWorker = []messages.Kind{
	messages.Journal, messages.Submitted, messages.Replies, messages.Log, messages.Dead}

// hanging is how long after its grace a worker that has not ended is ended.
const hanging = 10 * time.Second

// Worker runs one worker until ctx ends. ready, which may be nil, is called when its doors are
// open.
func Worker(ctx context.Context, cfg *settings.Config, partners []gateway.Partner, hasher *querylog.Hasher,
	log *slog.Logger, ready func()) error {
	names, err := messages.NewNames(cfg.Prefix)
	if err != nil {
		return &cli.Error{Code: cli.ExitUsage, Err: err}
	}
	// It is set before the client's Run begins, which calls it.
	var keyChanged func(partner string)
	g := gatewayOptions(cfg, partners, log)
	g.KeyChanged = func(partner string) { keyChanged(partner) }
	client, err := gateway.New(g)
	if err != nil {
		return &cli.Error{Code: cli.ExitUsage, Err: err}
	}
	defer client.Close()
	settings.WarnTestAccounts(log, partners)
	settings.WarnNoProxy(log, client.Proxy())
	traces, exporter, err := newTraces(cfg, names, log)
	if err != nil {
		return &cli.Error{Code: cli.ExitUsage, Err: err}
	}
	logStart(log, cfg, client, partners)
	side, err := probes.Open(ctx, cfg, log)
	if err != nil {
		return err
	}
	main, replies, err := connect(cfg, log)
	if err != nil {
		return err
	}
	defer main.Close()
	defer replies.Close()
	o, served := workerOptions(cfg, names, partners), false
	o.NATS, o.Reply, o.Gateway, o.LogHasher, o.Traces = main, replies, client, hasher, traces
	o.Logger = natsconn.Connected(log).With("pid", os.Getpid())
	o.Ready = func() { served = true; call(ready) }
	var w *worker.Worker
	figures := ops.NewWorker(o.Partners, func() worker.Stats { return w.Stats() })
	if side.Listens() {
		o.Called = figures.Called
	}
	if w, err = worker.New(o); err != nil {
		return &cli.Error{Code: cli.ExitUsage, Err: err}
	}
	// The client's background work ends with the worker, after its last call.
	chores, done := context.WithCancel(context.WithoutCancel(ctx))
	keyChanged = func(partner string) { w.Repaired(chores, partner) }
	var beside sync.WaitGroup
	beside.Go(func() { _ = client.Run(chores) })
	beside.Go(func() { sendTraces(chores, exporter) })
	beside.Go(func() {
		side.Run(chores, probes.Shown{NATS: main, Names: names, Figures: figures, Kinds: streamsOfAWorker,
			Health: func() ops.Health { return ops.OfWorker(w.Condition()) }})
	})
	defer cli.EndWithin(ctx, cfg.Grace+hanging, log)()
	if err = checkServer(ctx, main, log); err == nil {
		err = w.Run(ctx)
	}
	done()
	beside.Wait()
	if err != nil && ctx.Err() != nil {
		if served {
			log.Warn("stopped before all was done: the rest of the fleet takes over", "err", err)
		}
		return nil // or nothing was begun
	}
	return err
}

// call calls f if it is not nil.
func call(f func()) {
	if f != nil {
		f()
	}
}

// checkServer waits for the connection, and gives an error if the server is too old for the log. A
// server that allows only short messages is logged; it works for most messages.
func checkServer(ctx context.Context, nc *nats.Conn, log *slog.Logger) error {
	for !nc.IsConnected() {
		if err := pause.For(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
	switch err := provision.CheckServer(nc); {
	case errors.Is(err, provision.ErrOldServer):
		return &cli.Error{Code: cli.ExitOther, Err: err,
			Hint: "update nats-server on all servers, then start the worker again"}
	case err != nil:
		log.Error("the NATS server does not do", "err", err, "hint",
			"set max_payload of the servers and of this user's account to 1MB")
	}
	return nil
}

// connect makes a worker's two connections: its own, and that of its doors.
func connect(cfg *settings.Config, log *slog.Logger) (main, replies *nats.Conn, err error) {
	away := natsconn.NewAwayLog(log)
	c := natsconn.For(cfg, "worker", "")
	c.Inbox, c.Wait, c.Logger, c.Away = messages.WorkerInbox, true, log, away
	if main, err = natsconn.Connect(c); err != nil {
		return nil, nil, err
	}
	c = natsconn.For(cfg, "replies", cfg.NATSReplyCreds)
	c.Inbox, c.Wait, c.Logger, c.Away = messages.WorkerReplyInbox, true, log, away
	if replies, err = natsconn.Connect(c); err != nil {
		main.Close()
		return nil, nil, err
	}
	return main, replies, nil
}

func gatewayOptions(c *settings.Config, partners []gateway.Partner, log *slog.Logger) gateway.Options {
	return gateway.Options{URL: c.GatewayURL, UnsafeHost: c.UnsafeGateway, ProxyEnv: c.ProxyEnv(),
		ReuseAfter: c.GatewayReuseAfter, AccountParam: c.AccountParam, Timeout: c.CallTimeout,
		RetryAfterMax: c.RetryAfterMax, Partners: partners, Logger: log}
}

// workerOptions are the settings of a worker that asks for these partners.
func workerOptions(c *settings.Config, names messages.Names, partners []gateway.Partner) worker.Options {
	o := worker.Options{Names: names, API: c.JetStreamAPI(), DefaultPartner: c.Partner, ReplyAllow: c.AllowedReplies(),
		OwnInboxes: messages.OwnInboxes(), Slots: c.Slots, Parked: c.Parked, Window: c.Window, Freshness: c.Freshness,
		Cooldown: c.Cooldown, MinAge: c.MinAge, AskPatience: c.AskPatience, Patience: c.Patience, Lease: c.Lease,
		CallTime: c.CallTimeout, Grace: c.Grace,
		AfterCrash: worker.AfterCrash(c.AfterCrash), Retry: retry.Policy{Attempts: c.Attempts, Initial: c.RetryInitial,
			Max: c.RetryMax},
		RetryBudget: c.RetryBudget, Limits: c.Limits(partners), CloudEvents: c.CloudEvents, Version: cli.Version()}
	for _, partner := range partners {
		o.Partners = append(o.Partners, partner.ID)
	}
	return o
}
