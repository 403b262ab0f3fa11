// Package watch is protocolq top: it shows the present state of a fleet on a terminal: the workers,
// what waits, which partners are halted.
package watch

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"

	"protocolq/cmd/protocolq/cli"
	"protocolq/cmd/protocolq/natsconn"
	"protocolq/cmd/protocolq/settings"
	"protocolq/cmd/protocolq/snapshot"
	"protocolq/messages"
)

// Command shows the fleet until q, or once.
func Command() *cobra.Command {
	cfg := &settings.Config{}
	set := settings.New(cfg, "nats", "nats-creds", "inbox-prefix", "prefix")
	once, every := false, 2*time.Second
	c := &cobra.Command{
		Use:   "top",
		Short: "Watch a fleet: workers, queues, partners, slow calls",
		Long: `Shows a fleet and refreshes the display: the rates of replies and calls; for each worker the keys that it
decides about, how long its lease lets calls begin (- if it has made no call for a while), how far it is
behind the log, its calls under way and its slots, and the asks that wait; partners and who halted them;
the slowest calls under way, with masked accounts; streams. It only reads from NATS and changes nothing:
the rights of the user MONITOR of nats-config are enough.

On a terminal, q ends it. Without a terminal, or with --once, it prints once, with the rates of one
interval; -o json prints the snapshot.`,
		Example: `  protocolq top
  protocolq top --once
  ssh ops@host protocolq top --once --every 10s`,
		Args: cobra.NoArgs,
	}
	set.AddFlags(c.Flags())
	set.FindDev(c)
	c.Flags().BoolVar(&once, "once", false, "print once, as plain text")
	c.Flags().DurationVar(&every, "every", every, "how often to refresh, and the interval of the rates")
	out := cli.AddOutput(c)
	check := func() error {
		if every < 200*time.Millisecond || every > time.Hour {
			return cli.Usage("--every must be between 200ms and 1h, not %s", cli.Short(every))
		}
		return nil
	}
	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := set.Load(c.Flags(), check); err != nil {
			return err
		}
		nc, err := natsconn.DialAs(cfg, "top", messages.MonitorInbox)
		if err != nil {
			return err
		}
		defer nc.Close()
		w, err := newWatch(nc, cfg, every)
		if err != nil {
			return err
		}
		if *out == cli.JSON {
			return cli.PrintJSON(c.OutOrStdout(), snapshot.Ask(c.Context(), w.from))
		}
		if once || !onTerminal(c.OutOrStdout()) {
			return w.once(c.Context(), c.OutOrStdout())
		}
		return w.live(c.Context(), os.Stdin, os.Stdout)
	}
	return c
}

// watch takes one snapshot after another.
type watch struct {
	from  snapshot.Options
	every time.Duration
	view  view
}

func newWatch(nc *nats.Conn, cfg *settings.Config, every time.Duration) (*watch, error) {
	names, err := messages.NewNames(cfg.Prefix)
	cli.Must(err) // load has checked it
	js, err := natsconn.JetStream(nc, cfg)
	if err != nil {
		return nil, fmt.Errorf("top: %w", err)
	}
	return &watch{from: snapshot.Options{NATS: nc, JetStream: js, Names: names}, every: every,
		view: view{prefix: cfg.Prefix, server: nc.ConnectedServerName()}}, nil
}

// look takes the next snapshot.
func (w *watch) look(ctx context.Context) {
	if next := snapshot.Ask(ctx, w.from); w.view.now.At.IsZero() {
		w.view.now, w.view.before = next, next
	} else {
		w.view.now, w.view.before = next, w.view.now
	}
}

// once prints the view of one interval.
func (w *watch) once(ctx context.Context, to io.Writer) error {
	w.look(ctx)
	select {
	case <-time.After(w.every):
	case <-ctx.Done():
		return ctx.Err()
	}
	w.look(ctx)
	_, err := io.WriteString(to, w.view.text())
	return err
}
