// protocolq query: asks over NATS and waits for the answer.

package ask

import (
	"context"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"

	"protocolq/cmd/protocolq/batch"
	"protocolq/cmd/protocolq/cli"
	"protocolq/cmd/protocolq/natsconn"
	"protocolq/messages"
	"protocolq/messages/ask"
)

// query is the door for askers that wait.
type query struct{ asking }

// Query asks a worker and waits for the answer.
func Query() *cobra.Command {
	q := &query{}
	c := &cobra.Command{
		Use:   "query (--email E | --account A | --file F)",
		Short: "Ask a worker whether an account has signed; with --file, many accounts",
		Long: `Asks a worker over NATS and waits for the answer. An equal question that was just answered needs
no call of the gateway. Asking again is always safe.

With --timeout the worker answers "unknown" a little before the time ends (a tenth of it, at least
300 ms), so that no call is made for an asker that has left. The clocks of both machines must agree.

Exit codes: 0 signed · 3 not signed or abnormal · 4 refused · 5 unknown · 6 no answer in time
` + fileHelp,
		Example: `  protocolq query --email signed@example.com
  protocolq query --account 20880000000000010156 --max-age 10s -o json
  protocolq query --file accounts.csv --resume accounts.state -o jsonl > answers.jsonl`,
		Args: cli.NoArgs,
	}
	q.addTo(c, "send the answer to this subject instead; prints accepted", "how long to wait for an answer")
	c.RunE = func(c *cobra.Command, _ []string) error { return q.run(c, q) }
	return c
}

func (*query) check(*cobra.Command) error   { return nil }
func (*query) refusal(messages.Query) error { return nil } // a worker's refusal says more

func (f *query) ask(c *cobra.Command, nc *nats.Conn, q messages.Query) error {
	if c.Flags().Changed("timeout") {
		// An asker with a time limit has left when it ends. No call is needed for it then, and just
		// before that it gets the reason.
		now := time.Now()
		q.DeadlineMs = ask.Deadline(now, now.Add(f.timeout)).UnixMilli()
	}
	names := f.allNames()
	subject := names.Query()
	if q.Partner != "" {
		subject = names.QueryOf(q.Partner)
	}
	ctx, stop := f.within(c, nc)
	defer stop()
	r, err := natsconn.Ask(ctx, nc, subject, q)
	if err != nil {
		return natsconn.NoAnswer(err, subject, f.timeout)
	}
	return tellResult(c.OutOrStdout(), f.plain(), r, [2]string{"page", f.cfg.PageOf(r.ID)})
}

func (f *query) fill(ctx context.Context, nc *nats.Conn, _ string, o *batch.Options) (context.Context, func(), error) {
	client, err := ask.New(nc, ask.Options{Prefix: f.cfg.Prefix})
	cli.Must(err) // of the settings' own prefix
	o.Ask = batch.Patient(client.Ask, f.timeout)
	return ctx, func() {}, nil
}
