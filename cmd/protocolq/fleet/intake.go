// protocolq intake: whether the fleet takes queries, and how an operator pauses that.

package fleet

import (
	"context"
	"io"
	"os"
	"os/user"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"

	"protocolq/cmd/protocolq/cli"
	"protocolq/cmd/protocolq/settings"
	"protocolq/messages"
	"protocolq/worker"
	"protocolq/worker/intake"
	"protocolq/worker/publish"
	sharedrecord "protocolq/worker/record"
)

// Intake shows whether the fleet takes queries, and pauses and resumes that.
func Intake() *cobra.Command {
	c := &cobra.Command{
		Use:   "intake",
		Short: "Show, pause and resume the intake of all workers",
		Long: `While the intake is paused, askers that wait are answered PAUSED, with when to ask again, unless the
answer is remembered. Submitted queries, redrives and requests to forget wait in their stream; queries
that were taken in before go on. Each worker reads the record once a second; pause and resume return
when they have taken effect, after 2 seconds.`,
		Example: `  protocolq intake pause --reason 'the gateway moves'
  protocolq intake
  protocolq intake resume`,
		Args: cobra.NoArgs,
	}
	out := cli.AddOutput(c)
	c.AddCommand(newIntakePause(), newIntakeResume())
	return intakeCommand(c, func(ctx context.Context, records *sharedrecord.Stream) error {
		p, err := intake.ReadPause(ctx, records)
		if err != nil {
			return err
		}
		return printPause(c.OutOrStdout(), p, *out)
	})
}

func newIntakePause() *cobra.Command {
	var reason string
	var yes bool
	c := &cobra.Command{Use: "pause", Short: "Stop taking queries until resume", Args: cobra.NoArgs}
	c.Flags().StringVar(&reason, "reason", "", "why, for other operators")
	cli.AddYes(c, &yes)
	out := cli.AddOutput(c)
	return intakeCommand(c, func(_ context.Context, records *sharedrecord.Stream) error {
		if err := cli.Confirm(c, yes, "Let no worker take queries in?"); err != nil {
			return err
		}
		return writePause(c, records, intake.Pause{Paused: true, Reason: reason}, *out)
	})
}

func newIntakeResume() *cobra.Command {
	c := &cobra.Command{Use: "resume", Short: "Take queries again", Args: cobra.NoArgs}
	out := cli.AddOutput(c)
	return intakeCommand(c, func(_ context.Context, records *sharedrecord.Stream) error {
		return writePause(c, records, intake.Pause{}, *out)
	})
}

// intakeCommand is one of the three commands. Its ctx has a time limit.
func intakeCommand(c *cobra.Command, run func(ctx context.Context, records *sharedrecord.Stream) error) *cobra.Command {
	return recordCommand(c, "intake",
		func(nc *nats.Conn, cfg *settings.Config, names messages.Names, _ []string) error {
			ctx, cancel := context.WithTimeout(c.Context(), recordPatience)
			defer cancel()
			return run(ctx, worker.IntakeRecords(nc, publish.New(nc), names).At(cfg.JetStreamAPI()))
		})
}

// writePause writes the record and waits until all workers follow it.
func writePause(c *cobra.Command, records *sharedrecord.Stream, p intake.Pause, out cli.Output) error {
	p.SinceMs, p.By = time.Now().UnixMilli(), operator()
	ctx, cancel := context.WithTimeout(c.Context(), recordPatience) // the confirmation took time from the first one
	defer cancel()
	if err := intake.WritePause(ctx, records, p); err != nil {
		return err
	}
	select {
	case <-time.After(intake.TakesEffect):
	case <-c.Context().Done():
		return c.Context().Err()
	}
	return printPause(c.OutOrStdout(), p, out)
}

// operator is who runs this program, and where.
func operator() string {
	name, host := "operator", ""
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if h, err := os.Hostname(); err == nil {
		host = "@" + h
	}
	return name + host
}

func printPause(w io.Writer, p intake.Pause, out cli.Output) error {
	if out == cli.JSON {
		return cli.PrintJSON(w, p)
	}
	state := "open"
	if p.Paused {
		state = "paused"
	}
	t := cli.NewTable(w, "INTAKE", "SINCE", "BY", "REASON")
	t.Row(state, cli.Moment(p.SinceMs, time.Local), p.By, p.Reason)
	return t.Flush()
}
