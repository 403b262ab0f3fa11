// Package probes shows the state of a process of the fleet: probes and figures over HTTP if the
// setting http-listen says so, and notifications to systemd if systemd started it.
package probes

import (
	"context"
	"log/slog"
	"net"
	"sync"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"

	"protocolq/cmd/protocolq/cli"
	"protocolq/cmd/protocolq/natsconn"
	"protocolq/cmd/protocolq/settings"
	"protocolq/messages"
	"protocolq/worker/ops"
)

// Side shows the state of a process.
type Side struct {
	cfg      *settings.Config
	listener net.Listener // nil: only the log says that the process is not ready
	systemd  notifier
	log      *slog.Logger
}

// Open opens the socket of the setting http-listen, so that a process that cannot open it does not
// start; without the setting it opens none.
func Open(ctx context.Context, cfg *settings.Config, log *slog.Logger) (*Side, error) {
	s := &Side{cfg: cfg, systemd: newNotifier(), log: log}
	if cfg.HTTPListen == "" {
		return s, nil
	}
	l, err := ops.Listen(ctx, cfg.HTTPListen)
	if err != nil {
		return nil, &cli.Error{Code: cli.ExitOther, Err: err, Hint: "does another process listen there? --http-listen"}
	}
	s.listener = l
	return s, nil
}

// Listens reports whether the figures can be read.
func (s *Side) Listens() bool { return s.listener != nil }

// Shown is what one kind of process shows.
type Shown struct {
	NATS    *nats.Conn
	Names   messages.Names
	Health  func() ops.Health
	Figures prometheus.Collector
	// Kinds are the streams that the process's user may ask for.
	Kinds []messages.Kind
}

// Run shows it until ctx ends.
func (s *Side) Run(ctx context.Context, o Shown) {
	side := ops.Options{Listener: s.listener, Health: o.Health, Logger: s.log}
	var beside sync.WaitGroup
	beside.Go(func() { s.systemd.run(ctx, o.Health, s.log) })
	if s.Listens() {
		js, err := natsconn.JetStream(o.NATS, s.cfg)
		cli.Must(err)
		b := cli.ThisBuild()
		registry := ops.NewRegistry(ops.Build{Version: b.Version, Commit: b.Commit, Go: b.Go})
		streams := ops.NewStreams(ops.StreamsOptions{JetStream: js, Names: o.Names, Kinds: o.Kinds})
		registry.MustRegister(o.Figures, streams, ops.NewReady(o.Health))
		beside.Go(func() { streams.Run(ctx) })
		side.Metrics = registry
	}
	if err := ops.New(side).Run(ctx); err != nil {
		s.log.Error("probes and metrics ended", "err", err)
	}
	beside.Wait()
}
