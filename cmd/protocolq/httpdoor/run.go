// Runs one door, from its settings to its end.

package httpdoor

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"sync"

	"protocolq/cmd/protocolq/cli"
	"protocolq/cmd/protocolq/natsconn"
	"protocolq/cmd/protocolq/probes"
	"protocolq/cmd/protocolq/settings"
	"protocolq/cmd/protocolq/webhook"
	"protocolq/messages"
	"protocolq/worker/ops"
)

// run runs a door until ctx ends. ready, which may be nil, gets its address once it listens.
func run(ctx context.Context, cfg *settings.Config, askers []Asker, log *slog.Logger, ready func(net.Addr)) error {
	names, err := messages.NewNames(cfg.Prefix)
	if err != nil {
		return &cli.Error{Code: cli.ExitUsage, Err: err}
	}
	side, err := probes.Open(ctx, cfg, log)
	if err != nil {
		return err
	}
	listener, err := ops.Listen(ctx, cfg.APIListen)
	if err != nil {
		return &cli.Error{Code: cli.ExitOther, Err: err, Hint: "does another process listen there? --api-listen"}
	}
	defer listener.Close()
	c := natsconn.For(cfg, "http", "")
	c.Inbox, c.Wait, c.Logger = cfg.Inbox(messages.HTTPInbox), true, log
	nc, err := natsconn.Connect(c)
	if err != nil {
		return err
	}
	defer nc.Close()
	health := func() ops.Health { return ops.OfAsker(nc.IsConnected(), ctx.Err() != nil) }
	w, err := newWorkers(nc, cfg.Prefix, askers)
	cli.Must(err) // load has checked prefix and names
	memory, err := newStore(nc, cfg.JetStreamAPI(), names)
	cli.Must(err) // of a connection that is there
	shown := ops.NewDoor()
	d, err := newDoor(options{Askers: askers, Fleet: w, Memory: memory,
		Probes: ops.New(ops.Options{Health: health}).Handler(), Seen: shown.Seen, Logger: log})
	cli.Must(err)
	beside, stop := context.WithCancel(context.WithoutCancel(ctx))
	var running sync.WaitGroup
	defer func() { stop(); running.Wait() }()
	running.Go(func() { side.Run(beside, probes.Shown{NATS: nc, Names: names, Figures: shown, Health: health}) })
	client := webhook.NewClient(webhooksAtOnce)
	following := &follower{path: cfg.APIAskersFile, askers: askers, door: d, workers: w, log: log,
		readers: func(askers []Asker) []*reader { return readers(client, askers, memory, shown, log) }}
	running.Go(func() { following.run(beside) })
	if ready != nil {
		ready(listener.Addr())
	}
	return d.serve(ctx, listening{Listener: listener, TLS: certificateOf(cfg), Grace: cfg.Grace, Logger: log})
}

// readers are the readers of the askers' replies, and of the answers that go to webhooks.
func readers(client *http.Client, askers []Asker, memory *store, shown *ops.Door, log *slog.Logger) (all []*reader) {
	for _, a := range askers {
		keep := &replies{asker: a.Name, memory: memory, log: log}
		all = append(all,
			&reader{js: memory.js, stream: memory.names.Stream(messages.Replies), consumer: a.Name, asker: a.Name,
				purpose: "replies of " + a.Name, atOnce: repliesAtOnce, take: keep.take, log: log})
		if a.Webhook == nil {
			continue
		}
		secrets := (&settings.Config{}).SecretFile(a.Webhook.SecretFile) // of its own, as it keeps what it has read
		send := &deliverer{asker: a.Name, url: a.Webhook.URL, secrets: secrets.Now, memory: memory, client: client,
			seen: shown.Delivered, log: log}
		all = append(all, &reader{js: memory.js, stream: memory.names.StreamHTTP(a.Name),
			consumer: messages.ConsumerWebhook, asker: a.Name,
			purpose: "webhook of " + a.Name + " by " + a.Webhook.SecretFile + " at " + a.Webhook.URL,
			atOnce:  webhooksAtOnce, take: send.take, log: log})
	}
	return all
}

// certificateOf is the certificate of the settings, nil if there is none.
func certificateOf(cfg *settings.Config) *certificate {
	if cfg.APICertFile == "" {
		return nil
	}
	return &certificate{cert: cfg.PublicFile(cfg.APICertFile), key: cfg.SecretFile(cfg.APIKeyFile)}
}
