// protocolq partner: which partners are halted, and how an operator changes that.

package fleet

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"

	"protocolq/cmd/protocolq/cli"
	"protocolq/cmd/protocolq/natsconn"
	"protocolq/cmd/protocolq/settings"
	"protocolq/messages"
	"protocolq/worker"
	"protocolq/worker/partner"
	"protocolq/worker/publish"
	"protocolq/worker/record"
)

// Partner shows which partners are halted, and halts and resumes them.
func Partner() *cobra.Command {
	c := &cobra.Command{
		Use:   "partner",
		Short: "Show and change which partners are halted",
		Long: `If the gateway rejects a partner's own settings, whichever account is asked about, the workers halt the partner: askers
that wait are answered PARTNER_HALTED, submitted queries wait, and one query a minute tests whether the settings work
again. An operator may halt a partner by hand; only an operator can end such a halt.`,
	}
	c.AddCommand(newPartnerList(), newPartnerHalt(), newPartnerResume())
	return c
}

// partnerCommand is one of the three commands.
func partnerCommand(c *cobra.Command,
	run func(ctx context.Context, w io.Writer, p *partnerDesk, args []string) error) *cobra.Command {
	return recordCommand(c, "partner",
		func(nc *nats.Conn, cfg *settings.Config, names messages.Names, args []string) error {
			js, err := natsconn.JetStream(nc, cfg)
			if err != nil {
				return fmt.Errorf("partner: %w", err)
			}
			ctx, cancel := context.WithTimeout(c.Context(), recordPatience)
			defer cancel()
			return run(ctx, c.OutOrStdout(), &partnerDesk{names: names, js: js,
				records: worker.PartnerRecords(nc, publish.New(nc), names).At(cfg.JetStreamAPI())}, args)
		})
}

// recordPatience is how long a record may take to be read or written.
const recordPatience = 10 * time.Second

// recordCommand is a command about a record of the fleet: they share their settings and their
// connection.
func recordCommand(c *cobra.Command, name string,
	run func(nc *nats.Conn, cfg *settings.Config, names messages.Names, args []string) error) *cobra.Command {
	cfg := &settings.Config{}
	set := settings.New(cfg, "nats", "nats-creds", "inbox-prefix", "prefix")
	set.AddFlags(c.Flags())
	set.FindDev(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := set.Load(c.Flags()); err != nil {
			return err
		}
		names, err := messages.NewNames(cfg.Prefix)
		cli.Must(err) // load has checked it
		nc, err := natsconn.DialAs(cfg, name, messages.OpsInbox)
		if err != nil {
			return err
		}
		defer nc.Close()
		ctx, stop := natsconn.WhileAllowed(c.Context(), nc)
		defer stop()
		c.SetContext(ctx)
		err = run(nc, cfg, names, args)
		if errors.Is(err, record.ErrAway) || errors.Is(err, nats.ErrNoResponders) {
			return &cli.Error{Code: cli.ExitOther, Err: fmt.Errorf("%s: %w", name, err),
				Hint: "servers that have just started need a moment: try again; else run protocolq provision, with " +
					"--update where its stream is from an earlier version"}
		}
		return cmp.Or(natsconn.Forbidden(nc, err), err)
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
	out := cli.AddOutput(c)
	return partnerCommand(c, func(ctx context.Context, w io.Writer, p *partnerDesk, _ []string) error {
		lines, err := p.list(ctx)
		if err != nil {
			return err
		}
		if *out == cli.JSON {
			return cli.PrintJSON(w, lines)
		}
		if len(lines) == 0 {
			fmt.Fprintln(c.ErrOrStderr(), "no partner is halted, or was")
			return nil
		}
		t := cli.NewTable(w, "PARTNER", "STATE", "SINCE", "BY", "CODE", "NEXT PROBE", "REASON").Whole("PARTNER")
		for _, l := range lines {
			if !l.Halted {
				l.Halt = partner.Halt{} // who resumed it would read as who halted it
			}
			t.Row(l.Partner, haltState(l.Halt), cli.Moment(l.SinceMs, time.Local), strings.TrimSpace(l.By+" "+l.Who),
				l.Code, cli.Moment(l.ProbeAtMs, time.Local), l.Reason)
		}
		return t.Flush()
	})
}

func haltState(h partner.Halt) string {
	if h.Halted {
		return "halted"
	}
	return "serving" // "open" reads as a breaker that has tripped
}

// list reads the record of every partner that has one.
func (p *partnerDesk) list(ctx context.Context) ([]partnerLine, error) {
	lines := []partnerLine{}
	s, err := p.js.Stream(ctx, p.names.Stream(messages.Fleet))
	if err != nil {
		return nil, &cli.Error{Code: cli.ExitOther, Err: fmt.Errorf("partners: %w", err),
			Hint: "run protocolq provision"}
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
	c := &cobra.Command{Use: "halt PARTNER", Short: "Stop all calls for a partner until resume",
		Args: onePartner, ValidArgsFunction: settings.CompletePartner}
	c.Flags().StringVar(&reason, "reason", "", "why, for other operators")
	return partnerCommand(c, func(ctx context.Context, w io.Writer, p *partnerDesk, args []string) error {
		h := partner.Halt{Halted: true, SinceMs: time.Now().UnixMilli(), By: partner.ByOperator, Who: operator(),
			Reason: reason}
		if err := partner.WriteHalt(ctx, p.records, args[0], h); err != nil {
			return fmt.Errorf("halt: %w", err)
		}
		_, err := fmt.Fprintf(w, "partner %s is halted\n", args[0])
		return err
	})
}

func newPartnerResume() *cobra.Command {
	c := &cobra.Command{Use: "resume PARTNER", Short: "Allow calls for a partner again", Args: onePartner,
		ValidArgsFunction: settings.CompletePartner}
	return partnerCommand(c, func(ctx context.Context, w io.Writer, p *partnerDesk, args []string) error {
		if err := partner.WriteHalt(ctx, p.records, args[0], partner.Halt{}); err != nil {
			return fmt.Errorf("resume: %w", err)
		}
		_, err := fmt.Fprintf(w, "partner %s is asked for again\n", args[0])
		return err
	})
}

// onePartner is the argument of a command about one partner. It is checked before any connection is
// made.
func onePartner(c *cobra.Command, args []string) error {
	if err := cobra.ExactArgs(1)(c, args); err != nil {
		return err
	}
	if err := settings.CheckPartnerID(args[0]); err != nil {
		return cli.Usage("PARTNER %w", err)
	}
	return nil
}
