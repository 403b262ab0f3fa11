// protocolq provision: makes the streams and consumers of a fleet, and reports what differs.
package main

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"

	"protocolq/messages"
	"protocolq/worker/provision"
)

type provisionFlags struct {
	replicas int
	ackWait  time.Duration
	room     int64
	update   bool
	out      *output
}

func newProvision() *cobra.Command {
	cfg, f := &Config{}, &provisionFlags{}
	set := newSettings(cfg.table(), "nats", "nats-creds", "prefix")
	c := &cobra.Command{
		Use:   "provision",
		Short: "Make the streams that a fleet needs",
		Long: `Makes the streams and consumers of a fleet, with a user that may. Running workers need none of its
rights. Doing it again changes nothing; what is there and differs from what is declared is reported and
left alone, unless --update.

Exit codes: 0 all is as declared · 1 something differs · 6 no NATS server`,
		Example: `  protocolq provision --nats nats://10.0.0.5:4222 --replicas 3`,
		Args:    cobra.NoArgs,
	}
	set.addFlags(c.Flags())
	fs := c.Flags()
	fs.IntVar(&f.replicas, "replicas", 1, "copies of each stream: 1 on a server alone, 3 in a cluster")
	fs.DurationVar(&f.ackWait, "ack-wait", 12*time.Second, "how long a worker may be silent about a query before another gets it")
	fs.Int64Var(&f.room, "state-bytes", 1<<30, "room for the records of keys, about 500 bytes each")
	fs.BoolVar(&f.update, "update", false, "change what differs, where the server allows it")
	f.out = addOutput(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := set.load(c.Flags(), f.check); err != nil {
			return err
		}
		return runProvision(c, cfg, f)
	}
	return c
}

func (f *provisionFlags) check() error {
	switch {
	case f.replicas < 1 || f.replicas > 5:
		return usageError("--replicas must be from 1 to 5, not %d", f.replicas)
	case f.ackWait < time.Second:
		return usageError("--ack-wait must be at least 1s, not %s", short(f.ackWait))
	case f.room < 1<<20:
		return usageError("--state-bytes must be at least 1048576, not %d", f.room)
	}
	return nil
}

func runProvision(c *cobra.Command, cfg *Config, f *provisionFlags) error {
	names, err := messages.NewNames(cfg.Prefix)
	must(err) // load has checked it
	nc, err := connectNATS(natsOptions{Servers: cfg.NATS, Creds: cfg.login(cfg.NATSCreds), Name: "protocolq provision"})
	if err != nil {
		return noServer(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return fmt.Errorf("provision: %w", err)
	}
	ctx, cancel := context.WithTimeout(c.Context(), 30*time.Second)
	defer cancel()
	report, err := provision.Apply(ctx, js, provision.Options{Names: names, Replicas: f.replicas, AckWait: f.ackWait, StateBytes: f.room, Update: f.update})
	if terr := tellProvisioned(c.OutOrStdout(), *f.out, report); terr != nil {
		return terr
	}
	if known := notAllowed(nc, err); known != nil {
		return known
	}
	if err != nil {
		return &exitError{Code: exitOther, Err: fmt.Errorf("provision: %w", err), Hint: "does the server run JetStream, and has it room?"}
	}
	if report.Differs() {
		return &exitError{Code: exitOther, Err: fmt.Errorf("some settings differ from what is declared"), Hint: "--update changes them where the server allows it"}
	}
	return nil
}

func tellProvisioned(w io.Writer, out output, r provision.Report) error {
	if out == asJSON {
		return printJSON(w, r.Items)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, i := range r.Items {
		fmt.Fprintf(t, "%s\t%s\n", i.Name, i.Action)
		for _, d := range i.Differences {
			fmt.Fprintf(t, "  %s\t%s, declared %s\n", d.Setting, d.Have, d.Declared)
		}
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("write output: %w", err)
	}
	return nil
}
