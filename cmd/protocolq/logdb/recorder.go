// Runs one recorder, from its settings to its end.

package logdb

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"

	"protocolq/cmd/protocolq/cli"
	"protocolq/cmd/protocolq/natsconn"
	"protocolq/cmd/protocolq/probes"
	"protocolq/cmd/protocolq/settings"
	"protocolq/messages"
	"protocolq/worker/ops"
	"protocolq/worker/querylog"
)

// Recorder runs one recorder until ctx ends. ready, which may be nil, is called
// when the database is open and the stream is being read.
func Recorder(ctx context.Context, cfg *settings.Config, log *slog.Logger, ready func()) error {
	names, err := messages.NewNames(cfg.Prefix)
	if err != nil {
		return &cli.Error{Code: cli.ExitUsage, Err: err}
	}
	logStart(log, cfg)
	side, err := probes.Open(ctx, cfg, log)
	if err != nil {
		return err
	}
	c := natsconn.For(cfg, "recorder", "")
	c.Inbox, c.Wait, c.Logger = cfg.Inbox(messages.RecorderInbox), true, log
	nc, err := natsconn.Connect(c)
	if err != nil {
		return err
	}
	defer nc.Close()
	working, stop := context.WithCancel(context.WithoutCancel(ctx))
	var beside sync.WaitGroup
	defer func() { stop(); beside.Wait() }()
	var recorder atomic.Pointer[querylog.Recorder]
	stats := func() querylog.Stats {
		if r := recorder.Load(); r != nil {
			return r.Stats()
		}
		return querylog.Stats{Down: true} // the database is not open yet
	}
	figures := ops.NewRecorder(stats)
	health := func() ops.Health { return ops.OfRecorder(stats(), nc.IsConnected(), ctx.Err() != nil) }
	beside.Go(func() { watchAlerts(working, cfg, nc, log, figures, ops.NewReady(health)) })
	beside.Go(func() {
		side.Run(working, probes.Shown{NATS: nc, Names: names, Figures: figures, Kinds: []messages.Kind{messages.Log},
			Health: health})
	})
	db, err := Await(ctx, cfg.Database, log)
	if err != nil {
		if ctx.Err() != nil {
			return nil // asked to end before there was anything to do
		}
		return err
	}
	defer db.Close()
	r, err := querylog.New(querylog.Options{NATS: nc, API: cfg.JetStreamAPI(), Names: names, Database: db, Logger: log,
		Ready: ready, Wrote: figures.Wrote})
	if err != nil {
		return err
	}
	recorder.Store(r)
	keeping, stopKeeping := context.WithCancel(ctx)
	var keeper sync.WaitGroup
	keeper.Go(func() { db.Keep(keeping, cfg.LogRetention, log) })
	err = r.Run(ctx)
	stopKeeping()
	keeper.Wait()
	return err
}

// logStart is the line that a recorder begins with.
func logStart(log *slog.Logger, c *settings.Config) {
	b := cli.ThisBuild()
	log.Info("recorder starting", "version", b.Version, "commit", b.Commit, "nats", c.NATS, "prefix", c.Prefix,
		"retention", cli.Short(c.LogRetention), "http_listen", c.HTTPListen)
}
