// Alerts that a recorder sends if alert-webhook-file names targets.

package logdb

import (
	"context"
	"log/slog"
	"maps"
	"sync"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nuid"
	"github.com/prometheus/client_golang/prometheus"

	"protocolq/cmd/protocolq/alert"
	"protocolq/cmd/protocolq/cli"
	"protocolq/cmd/protocolq/natsconn"
	"protocolq/cmd/protocolq/settings"
	"protocolq/cmd/protocolq/snapshot"
	"protocolq/messages"
	"protocolq/worker"
	"protocolq/worker/ops"
	"protocolq/worker/publish"
)

// Targets are the targets of the setting alert-webhook-file; none without it.
func Targets(cfg *settings.Config) ([]alert.Target, error) {
	if cfg.AlertWebhookFile == "" {
		return nil, nil
	}
	source := cfg.SecretFile(cfg.AlertWebhookFile)
	if source.Err != nil {
		return nil, source.Err
	}
	all, err := alert.ParseTargets(source.Material)
	if err != nil {
		return nil, &settings.Fault{Setting: "alert-webhook-file", Err: err}
	}
	return all, nil
}

// watched are the streams that have alerts about their room; workers report how full the journal
// is.
var watched = []messages.Kind{messages.Submitted, messages.Replies, messages.Log, messages.Dead}

// watchAlerts checks the rules over the figures of the workers, of streams, and this process's own,
// until ctx ends.
func watchAlerts(ctx context.Context, cfg *settings.Config, nc *nats.Conn, log *slog.Logger,
	own ...prometheus.Collector) {
	targets, err := Targets(cfg)
	if err != nil || len(targets) == 0 { // the command has read it
		return
	}
	names, err := messages.NewNames(cfg.Prefix)
	cli.Must(err)
	js, err := natsconn.JetStream(nc, cfg)
	cli.Must(err)
	streams := ops.NewStreams(ops.StreamsOptions{JetStream: js, Names: names, Kinds: watched})
	self := nuid.Next()
	var beside sync.WaitGroup
	defer beside.Wait()
	beside.Go(func() { streams.Run(ctx) })
	alert.New(alert.Options{Targets: targets, Prefix: cfg.Prefix, Page: cfg.PageAt, Self: self,
		Logger:  log,
		Records: worker.AlertRecords(nc, publish.New(nc), names).At(cfg.JetStreamAPI()),
		Look: func(ctx context.Context) (ops.Series, error) {
			all, err := ops.SeriesOf("recorder", append(own, streams)...)
			if err != nil {
				return nil, err
			}
			workers, err := snapshot.Workers(ctx, nc)
			for _, w := range workers {
				of, err := ops.SeriesOfWorker(w)
				if err != nil {
					return nil, err
				}
				maps.Copy(all, of)
			}
			return all, err
		}}).Run(ctx)
}
