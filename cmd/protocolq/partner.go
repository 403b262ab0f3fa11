// protocolq partner: which partners are halted, and an operator's word on it.
package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"

	"protocolq/messages"
	"protocolq/worker"
	"protocolq/worker/partner"
	"protocolq/worker/publish"
)

func newPartner() *cobra.Command {
	c := &cobra.Command{
		Use:   "partner",
		Short: "See and change which partners are halted",
		Long: `A partner whose own settings the gateway finds fault with, whoever is asked about, is halted by the workers: awaiting
askers are told PARTNER_HALTED, submitted queries wait, and one query a minute finds out whether it is mended. An operator
may halt one by hand, which only an operator ends.`,
	}
	c.AddCommand(newPartnerList(), newPartnerHalt(), newPartnerResume())
	return c
}

// partnerCommand is one of the three: they share their settings and their connection.
func partnerCommand(c *cobra.Command, run func(ctx context.Context, w io.Writer, p *partnerDesk, args []string) error) *cobra.Command {
	cfg := &Config{}
	set := newSettings(cfg.table(), "nats", "nats-creds", "prefix")
	set.addFlags(c.Flags())
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := set.load(c.Flags()); err != nil {
			return err
		}
		names, err := messages.NewNames(cfg.Prefix)
		must(err) // load has checked it
		nc, err := connectNATS(natsOptions{Servers: cfg.NATS, Creds: cfg.login(cfg.NATSCreds), Name: "protocolq partner"})
		if err != nil {
			return noServer(err)
		}
		defer nc.Close()
		js, err := jetstream.New(nc)
		if err != nil {
			return fmt.Errorf("partner: %w", err)
		}
		ctx, cancel := context.WithTimeout(c.Context(), 10*time.Second)
		defer cancel()
		err = run(ctx, c.OutOrStdout(), &partnerDesk{names: names, js: js, records: worker.PartnerRecords(nc, publish.New(nc), names)}, args)
		return cmp.Or(notAllowed(nc, err), err)
	}
	return c
}

// partnerDesk is where an operator looks a partner up.
type partnerDesk struct {
	names   messages.Names
	js      jetstream.JetStream
	records partner.Records
}

// partnerLine is one line of the list.
type partnerLine struct {
	Partner string `json:"partner"`
	partner.Halt
}

func newPartnerList() *cobra.Command {
	c := &cobra.Command{Use: "list", Short: "List the partners that are or were halted", Args: cobra.NoArgs}
	out := addOutput(c)
	return partnerCommand(c, func(ctx context.Context, w io.Writer, p *partnerDesk, _ []string) error {
		lines, err := p.list(ctx)
		if err != nil {
			return err
		}
		if *out == asJSON {
			return printJSON(w, lines)
		}
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		fmt.Fprintln(t, "PARTNER\tSTATE\tSINCE\tBY\tCODE\tNEXT PROBE\tREASON")
		for _, l := range lines {
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", l.Partner, haltState(l.Halt), clockTime(l.SinceMs), printable(l.By), printable(l.Code), clockTime(l.ProbeAtMs), printable(l.Reason))
		}
		return t.Flush()
	})
}

func haltState(h partner.Halt) string {
	if h.Halted {
		return "halted"
	}
	return "open"
}

func clockTime(ms int64) string {
	if ms == 0 {
		return ""
	}
	return time.UnixMilli(ms).Format(time.DateTime)
}

// list reads the record of every partner that has one.
func (p *partnerDesk) list(ctx context.Context) ([]partnerLine, error) {
	lines := []partnerLine{}
	s, err := p.js.Stream(ctx, p.names.Stream(messages.Partners))
	if err != nil {
		return nil, &exitError{Code: exitOther, Err: fmt.Errorf("partners: %w", err), Hint: "run protocolq provision"}
	}
	info, err := s.Info(ctx, jetstream.WithSubjectFilter(p.names.Partner("*", partner.HaltRecord)))
	if err != nil {
		return nil, fmt.Errorf("partners: %w", err)
	}
	head := p.names.Partner("", "")
	for subject := range info.State.Subjects {
		id := subject[len(head)-1 : len(subject)-len(partner.HaltRecord)-1]
		h, err := partner.ReadHalt(ctx, p.records, id)
		if err != nil {
			return nil, err
		}
		lines = append(lines, partnerLine{Partner: id, Halt: h})
	}
	return lines, nil
}

func newPartnerHalt() *cobra.Command {
	var reason string
	c := &cobra.Command{Use: "halt PARTNER", Short: "Let nobody ask for a partner until it is resumed", Args: onePartner}
	c.Flags().StringVar(&reason, "reason", "", "why, for whoever looks next")
	return partnerCommand(c, func(ctx context.Context, w io.Writer, p *partnerDesk, args []string) error {
		h := partner.Halt{Halted: true, SinceMs: time.Now().UnixMilli(), By: partner.ByOperator, Reason: reason}
		if err := partner.WriteHalt(ctx, p.records, args[0], h); err != nil {
			return fmt.Errorf("halt: %w", err)
		}
		_, err := fmt.Fprintf(w, "partner %s is halted\n", args[0])
		return err
	})
}

func newPartnerResume() *cobra.Command {
	c := &cobra.Command{Use: "resume PARTNER", Short: "Let a partner be asked for again", Args: onePartner}
	return partnerCommand(c, func(ctx context.Context, w io.Writer, p *partnerDesk, args []string) error {
		if err := partner.WriteHalt(ctx, p.records, args[0], partner.Halt{}); err != nil {
			return fmt.Errorf("resume: %w", err)
		}
		_, err := fmt.Fprintf(w, "partner %s is asked for again\n", args[0])
		return err
	})
}
