// What query and submit have in common: their flags, and one question or a file of them.

package ask

import (
	"context"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"

	"protocolq/cmd/protocolq/batch"
	"protocolq/cmd/protocolq/cli"
	"protocolq/cmd/protocolq/natsconn"
	"protocolq/cmd/protocolq/settings"
	"protocolq/messages"
)

// asking is a command that asks over NATS.
type asking struct {
	question
	file    fileFlags
	cfg     *settings.Config
	set     *settings.Set
	timeout time.Duration
	out     *cli.Rows
}

// door is what differs between these commands.
type door interface {
	// check checks the flags that only this command has.
	check(c *cobra.Command) error
	// refusal says why a question cannot be asked, without asking it.
	refusal(q messages.Query) error
	// ask asks one question and prints its answer.
	ask(c *cobra.Command, nc *nats.Conn, q messages.Query) error
	// fill says how the lines of a file are asked, whose ids begin with batch. The batch is to end
	// with the context that comes back; the function is for its end.
	fill(ctx context.Context, nc *nats.Conn, batch string, o *batch.Options) (context.Context, func(), error)
}

// addTo gives c the flags; the two usages differ between the commands.
func (a *asking) addTo(c *cobra.Command, replyTo, timeout string) {
	a.cfg = &settings.Config{}
	a.set = settings.New(a.cfg, "nats", "nats-creds", "inbox-prefix", "prefix", "console-url")
	a.set.AddFlags(c.Flags())
	a.set.FindDev(c)
	a.addAccount(c.Flags())
	a.addMessage(c.Flags())
	c.Flags().StringVar(&a.replyTo, "reply-to", "", replyTo)
	c.Flags().DurationVar(&a.timeout, "timeout", 30*time.Second, timeout)
	a.file.add(c)
	a.out = cli.AddRows(c, cli.RowsText)
}

// run asks what the command line says, through d.
func (a *asking) run(c *cobra.Command, d door) error {
	if err := a.set.Load(c.Flags()); err != nil {
		return err
	}
	if a.timeout <= 0 {
		return cli.Usage("--timeout must be longer than 0")
	}
	if err := d.check(c); err != nil {
		return err
	}
	if err := a.file.check(c.Flags()); err != nil {
		return err
	}
	if a.file.path != "" {
		return a.askFile(c, d)
	}
	if *a.out == cli.RowsCSV {
		return cli.Usage("-o csv goes with --file: one answer has more to say than a row holds")
	}
	q, err := a.message(c)
	if err != nil {
		return err
	}
	if err := d.refusal(q); err != nil {
		return err
	}
	nc, err := natsconn.Dial(a.cfg, c.Name())
	if err != nil {
		return err
	}
	defer nc.Close()
	return d.ask(c, nc, q)
}

// within bounds the wait for an answer by time, and ends it early if the server forbids something.
func (a *asking) within(c *cobra.Command, nc *nats.Conn) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(c.Context(), a.timeout)
	ctx, stop := natsconn.WhileAllowed(ctx, nc)
	return ctx, func() { stop(); cancel() }
}

// plain prints one answer.
func (a *asking) plain() cli.Output {
	if *a.out == cli.RowsText {
		return cli.Text
	}
	return cli.JSON
}

// allNames are the subjects of the settings.
func (a *asking) allNames() messages.Names {
	names, err := messages.NewNames(a.cfg.Prefix)
	cli.Must(err) // Load has checked it
	return names
}
