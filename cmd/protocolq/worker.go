// protocolq worker: one member of the fleet, until a signal.
package main

import (
	"context"

	"log/slog"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"protocolq/gateway"
	"protocolq/messages"
	"protocolq/worker"
	"protocolq/worker/dedupe"
	"protocolq/worker/querylog"
	"protocolq/worker/retry"
)

func newWorker() *cobra.Command {
	cfg, rec := &Config{}, &recordConfig{}
	set := newSettings(append(cfg.table(), rec.settings()...), append(cfg.names(), "log-hmac-key-file")...)
	c := &cobra.Command{
		Use:   "worker",
		Short: "Answer queries, as one of a fleet",
		Long: `Answers queries until a signal. Start as many as are wanted: equal questions cost one call over
all of them. SIGTERM lets nothing new in, finishes what is in flight within --grace and gives the
rest back to the others; a second signal ends at once.

Every setting has a flag, a variable and a key in the settings file (--config); flag wins over
variable over file. Keys are only ever given by their file.`,
		Example: `  protocolq worker --nats nats://10.0.0.5:4222 --partner 2088… --key-file /etc/protocolq/key`,
		Args:    cobra.NoArgs,
	}
	set.addFlags(c.Flags())
	c.RunE = func(c *cobra.Command, _ []string) error {
		var partners []gateway.Partner
		readKeys := func() (err error) { partners, err = cfg.partners(); return err }
		if err := set.load(c.Flags(), cfg.conflicts, cfg.checkGateway, readKeys); err != nil {
			return err
		}
		level, err := cfg.level()
		must(err)
		log := newLogger(c.ErrOrStderr(), level, cfg.LogFormat)
		set.logWarnings(log)
		if cfg.NATSReplyCreds == "" && cfg.NATSCreds != "" {
			log.Warn("replies leave with the rights of the main connection: only our own check keeps them from its subjects",
				"hint", "set nats-reply-creds to a user that may publish replies only")
		}
		hasher, err := rec.hasher()
		must(err) // load has read it
		if hasher == nil {
			log.Warn("no query log is written", "hint", "set log-hmac-key-file, the same in the whole fleet, and run a recorder")
		}
		keepHeapFloor()
		go giveBack(c.Context())
		return serve(c.Context(), cfg, partners, hasher, log, nil)
	}
	return c
}

// serve runs one worker until ctx ends. ready, which may be nil, is called when its doors are open.
func serve(ctx context.Context, cfg *Config, partners []gateway.Partner, hasher *querylog.Hasher, log *slog.Logger, ready func()) error {
	names, err := messages.NewNames(cfg.Prefix)
	if err != nil {
		return &exitError{Code: exitUsage, Err: err}
	}
	client, err := gateway.New(cfg.gatewayOptions(partners, log))
	if err != nil {
		return &exitError{Code: exitUsage, Err: err}
	}
	defer client.Close()
	warnTestAccounts(log, partners)
	warnNoProxy(log, client.Proxy())
	main, err := connectNATS(natsOptions{Servers: cfg.NATS, Creds: cfg.login(cfg.NATSCreds), Name: "protocolq worker", Inbox: messages.WorkerInbox, Wait: true, Logger: log})
	if err != nil {
		return err
	}
	defer main.Close()
	replies, err := connectNATS(natsOptions{Servers: cfg.NATS, Creds: cfg.login(firstOf(cfg.NATSReplyCreds, cfg.NATSCreds)),
		Name: "protocolq replies", Inbox: messages.WorkerReplyInbox, Wait: true, Logger: log})
	if err != nil {
		return err
	}
	defer replies.Close()
	o := cfg.workerOptions(names, partners, log)
	served := false
	o.NATS, o.Reply, o.Gateway, o.LogHasher = main, replies, client, hasher
	o.Ready = func() {
		if served = true; ready != nil {
			ready()
		}
	}
	w, err := worker.New(o)
	if err != nil {
		return &exitError{Code: exitUsage, Err: err}
	}
	// The client's own chores end with the worker, after its last call.
	chores, done := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() { ended <- client.Run(chores) }()
	err = w.Run(ctx)
	done()
	<-ended
	if err != nil && ctx.Err() != nil {
		if !served {
			return nil // nothing was begun
		}
		log.Warn("stopped before all was done: the rest of the fleet takes over", "err", err)
		return nil
	}
	return err
}

func (c *Config) gatewayOptions(partners []gateway.Partner, log *slog.Logger) gateway.Options {
	return gateway.Options{URL: c.GatewayURL, UnsafeHost: c.UnsafeGateway, ProxyEnv: c.proxyEnv(),
		ReuseAfter: c.GatewayReuseAfter, AccountParam: c.AccountParam, Timeout: c.CallTimeout, RetryAfterMax: c.RetryAfterMax, Partners: partners, Logger: log}
}

func (c *Config) workerOptions(names messages.Names, partners []gateway.Partner, log *slog.Logger) worker.Options {
	o := worker.Options{Names: names, DefaultPartner: c.Partner, ReplyAllow: c.replyAllow(),
		OwnInboxes: []string{messages.WorkerInbox, messages.WorkerReplyInbox}, Slots: c.Slots, Parked: c.Parked, Window: c.Window, Freshness: c.Freshness,
		Cooldown: c.Cooldown, MinAge: c.MinAge, AskPatience: c.AskPatience, Patience: c.Patience, Lease: c.Lease, Grace: c.Grace,
		AfterCrash: dedupe.AfterCrash(c.AfterCrash), Retry: retry.Policy{Attempts: c.Attempts, Initial: c.RetryInitial, Max: c.RetryMax},
		RetryBudget: c.RetryBudget, Limits: c.limits(partners), CloudEvents: c.CloudEvents, Version: serviceVersion(), Logger: log.With("pid", os.Getpid())}
	for _, p := range partners {
		o.Partners = append(o.Partners, p.ID)
	}
	return o
}

// names are those of all settings of c.
func (c *Config) names() []string {
	var names []string
	for _, s := range c.table() {
		names = append(names, s.name)
	}
	return names
}

// replyAllow is the allow-list with the prefix filled in.
func (c *Config) replyAllow() []string {
	list := make([]string, 0, len(c.ReplyAllow))
	for _, p := range c.ReplyAllow {
		list = append(list, strings.ReplaceAll(p, "{prefix}", c.Prefix))
	}
	return list
}

func firstOf(s ...string) string {
	for _, v := range s {
		if v != "" {
			return v
		}
	}
	return ""
}
