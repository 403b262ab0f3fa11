// protocolq submit: stores one question; the answer goes to a subject, or becomes an event.
package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"

	"protocolq/messages"
	"protocolq/messages/ask"
	"protocolq/worker/publish"
)

type submitFlags struct {
	question
	timeout, deadline time.Duration
	out               *output
}

// stored is what submit prints: the stream's acknowledgement.
type stored struct {
	ID        string `json:"id"`
	Stream    string `json:"stream"`
	Sequence  uint64 `json:"seq"`
	Duplicate bool   `json:"duplicate"` // a message with this id was stored before
}

func newSubmit() *cobra.Command {
	cfg, f := &Config{}, &submitFlags{}
	set := newSettings(cfg.table(), "nats", "nats-creds", "prefix")
	c := &cobra.Command{
		Use:   "submit (--email E | --account A) [--reply-to S]",
		Short: "Store a question; its answer goes to a subject or becomes an event",
		Long: `Stores a question and prints the stream's acknowledgement: from then on it is answered even if
every worker is away now. The answer goes to --reply-to; without it, it only becomes an event.
The same question under the same --id within ten minutes is stored once.`,
		Example: `  protocolq submit --email signed@example.com --reply-to protocol.reply.booking`,
		Args:    cobra.NoArgs,
	}
	set.addFlags(c.Flags())
	f.addAccount(c.Flags())
	f.addMessage(c.Flags())
	c.Flags().StringVar(&f.replyTo, "reply-to", "", "subject the answer goes to")
	c.Flags().DurationVar(&f.deadline, "deadline", 0, "from now, until when an answer is of use (default: the worker's patience)")
	c.Flags().DurationVar(&f.timeout, "timeout", 30*time.Second, "how long to wait for the acknowledgement")
	f.out = addOutput(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := set.load(c.Flags()); err != nil {
			return err
		}
		return runSubmit(c, cfg, f)
	}
	return c
}

func runSubmit(c *cobra.Command, cfg *Config, f *submitFlags) error {
	q, err := f.message(c)
	if err != nil {
		return err
	}
	if f.timeout <= 0 || f.deadline < 0 || f.deadline == 0 && c.Flags().Changed("deadline") {
		return usageError("--timeout and --deadline must be longer than 0")
	}
	if f.deadline > 0 {
		q.DeadlineMs = time.Now().Add(f.deadline).UnixMilli()
	}
	names, err := messages.NewNames(cfg.Prefix)
	must(err) // load has checked it
	// Submit would say so, too, but only once a server is there.
	if err := names.CheckSubmitted(q); err != nil {
		return &exitError{Code: exitRefused, Err: err}
	}
	subject := names.Submit()
	if q.Partner != "" {
		subject = names.SubmitOf(q.Partner, "")
	}
	ctx, cancel := context.WithTimeout(c.Context(), f.timeout)
	defer cancel()
	nc, err := connectNATS(natsOptions{Servers: cfg.NATS, Creds: cfg.login(cfg.NATSCreds), Name: "protocolq submit"})
	if err != nil {
		return noServer(err)
	}
	defer nc.Close()
	client, err := ask.New(nc, ask.Options{Prefix: cfg.Prefix, FailFast: true})
	must(err) // of the same prefix
	ack, err := client.Submit(ctx, q)
	if err != nil {
		return notStored(err, subject, f.timeout)
	}
	if q.ReplyTo != "" && names.CheckReply(q.ReplyTo, names.DefaultReplies(), nil) != nil {
		fmt.Fprintf(c.ErrOrStderr(), "note: answered only where the workers' setting reply-allow has %s; else it becomes a dead letter\n", printable(q.ReplyTo))
	}
	s := stored{ID: q.ID, Stream: ack.Stream, Sequence: ack.Sequence, Duplicate: ack.Duplicate}
	return s.print(c, *f.out)
}

// notStored gives each way of not being stored its exit code and what to do.
func notStored(err error, subject string, timeout time.Duration) error {
	refused, ok := errors.AsType[*jetstream.APIError](err)
	switch {
	case errors.Is(err, context.Canceled):
	case errors.Is(err, nats.ErrNoResponders):
		return &exitError{Code: exitNoAnswer, Err: fmt.Errorf("no stream takes %s", subject),
			Hint: "'protocolq provision' makes the streams; check --nats and --prefix too"}
	case ok && !errors.Is(err, context.DeadlineExceeded):
		hint := ""
		if publish.Full(refused) {
			hint = "are workers running? a query leaves the stream when it is answered"
		}
		return &exitError{Code: exitOther, Err: fmt.Errorf("the stream of %s refused it: %s", subject, refused.Description), Hint: hint}
	}
	return noAnswer(err, subject, timeout)
}

func (s stored) print(c *cobra.Command, out output) error {
	if out == asJSON {
		return printJSON(c.OutOrStdout(), s)
	}
	note := ""
	if s.Duplicate {
		note = " (was there already)"
	}
	_, err := fmt.Fprintf(c.OutOrStdout(), "stored  %s %d, id %s%s\n", s.Stream, s.Sequence, printable(s.ID), note)
	return err
}
