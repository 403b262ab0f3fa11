// protocolq submit: stores questions; their answers go to a subject.

package ask

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"

	"protocolq/cmd/protocolq/batch"
	"protocolq/cmd/protocolq/cli"
	"protocolq/cmd/protocolq/natsconn"
	"protocolq/messages"
	"protocolq/messages/ask"
	"protocolq/worker/publish"
)

// submit is the door for askers that do not wait.
type submit struct {
	asking
	deadline time.Duration
	name     string // of the asker; "": none
	await    bool   // wait for the answers to a file
}

// stored is what submit prints: the stream's acknowledgement.
type stored struct {
	ID        string `json:"id"`
	Stream    string `json:"stream"`
	Sequence  uint64 `json:"seq"`
	Duplicate bool   `json:"duplicate"` // an earlier try had stored it
	page      string // address of the console's page about it
}

// Submit stores a question.
func Submit() *cobra.Command {
	s := &submit{}
	c := &cobra.Command{
		Use:   "submit (--email E | --account A | --file F) [--reply-to S]",
		Short: "Store a question, or a file of them; the answers go to a subject",
		Long: `Stores a question and prints the stream's acknowledgement: from then on it will be answered, even
if no worker is running now. The answer goes to --reply-to, or to the durable replies of --asker;
without either no answer is sent: a run of the gateway has its event, an answer from memory has none.
A question that is submitted again, even with the same --id, is answered again, from memory if possible.
` + fileHelp + `
A line that is stored is printed as accepted. With --await and --asker the command waits up to --timeout
for its answer among the durable replies of that asker, and acknowledges it once it is in --resume. Run no
other program of that asker meanwhile, because it would take the answers, and give lines no id that was
used before. With --resume a later run goes on waiting for stored lines, also those of a run without --await.
A run that is killed may leave replies whose answers are in --resume to the next reader. No answer comes
while 1,000 replies or more that this run does not wait for are unread there: let their program run first.`,
		Example: `  protocolq submit --email signed@example.com --reply-to protocol.reply.booking
  protocolq submit --email signed@example.com --asker refunds
  protocolq submit --file accounts.csv --resume accounts.state --reply-to protocol.reply.booking -o csv
  protocolq submit --file accounts.csv --resume accounts.state --asker refunds --await --timeout 10m`,
		Args: cli.NoArgs,
	}
	s.addTo(c, "subject the answer goes to", "how long to wait for the acknowledgement")
	c.Flags().DurationVar(&s.deadline, "deadline", 0,
		"from now, until when an answer is useful (default: the worker's patience)")
	c.Flags().StringVar(&s.name, "asker", "",
		"ask in this asker's name: the answer goes to protocol.reply.<asker>")
	c.Flags().BoolVar(&s.await, "await", false, "with --file and --asker, wait for the answers")
	c.RunE = func(c *cobra.Command, _ []string) error { return s.run(c, s) }
	return c
}

func (s *submit) check(c *cobra.Command) error {
	if s.deadline < 0 || s.deadline == 0 && c.Flags().Changed("deadline") {
		return cli.Usage("--timeout and --deadline must be longer than 0")
	}
	switch {
	case s.await && (s.file.path == "" || s.name == ""):
		return cli.Usage("--await goes with --file and --asker, whose durable replies are read; 'protocolq query' " +
			"waits for one answer")
	case !c.Flags().Changed("asker"):
	case !messages.IsToken(s.name):
		return cli.Usage("--asker %q: use letters, digits, - and _", s.name)
	case messages.IsFleets(s.name):
		return cli.Usage("--asker %s: that name is the fleet's own, and its replies are read by it; give that of an "+
			"asker", s.name)
	case c.Flags().Changed("reply-to"):
		return cli.Usage("--asker or --reply-to: the answers to an asker go to %s", s.allNames().ReplyOf(s.name))
	}
	return nil
}

// refusal is what Submit would also say, but only once a server is there.
func (s *submit) refusal(q messages.Query) error {
	if err := s.allNames().CheckSubmitted(q); err != nil {
		return &cli.Error{Code: cli.ExitRefused, Err: err}
	}
	return nil
}

// until gives q its deadline, if it has none.
func (s *submit) until(q messages.Query) messages.Query {
	if s.deadline > 0 && q.DeadlineMs == 0 {
		q.DeadlineMs = time.Now().Add(s.deadline).UnixMilli()
	}
	return q
}

func (s *submit) ask(c *cobra.Command, nc *nats.Conn, q messages.Query) error {
	names := s.allNames()
	subject := names.Submit()
	if q.Partner != "" {
		subject = names.SubmitOf(q.Partner, s.name)
	}
	ctx, stop := s.within(c, nc)
	defer stop()
	client, err := ask.New(nc, ask.Options{Prefix: s.cfg.Prefix, Asker: s.name, FailFast: true})
	cli.Must(err) // of the settings' own prefix
	ack, err := client.Submit(ctx, s.until(q))
	if err != nil {
		return notStored(err, subject, s.timeout)
	}
	if q.ReplyTo != "" && names.CheckReply(q.ReplyTo, names.DefaultReplies(), nil) != nil {
		fmt.Fprintf(c.ErrOrStderr(),
			"note: it is answered only if the workers' setting reply-allow has %s; otherwise it becomes a dead "+
				"letter\n", cli.Printable(q.ReplyTo))
	}
	return stored{ID: q.ID, Stream: ack.Stream, Sequence: ack.Sequence, Duplicate: ack.Duplicate,
		page: s.cfg.PageOf(q.ID)}.print(c, s.plain())
}

// fill stores the lines of a file, and with --await waits for the answers.
func (s *submit) fill(ctx context.Context, nc *nats.Conn, id string, o *batch.Options) (context.Context, func(),
	error) {
	client, err := ask.New(nc, ask.Options{Prefix: s.cfg.Prefix, Asker: s.name, API: s.cfg.JetStreamAPI()})
	cli.Must(err) // of the settings' own prefix
	if s.await {
		return s.awaitAll(ctx, nc, &awaiting{client: client, store: s.store(client), batch: id + "-",
			timeout: s.timeout}, o)
	}
	o.Ask = batch.Patient(s.store(client), s.timeout)
	return ctx, func() {}, nil
}

// store stores a line. It waits for a stream that is full or unavailable.
func (s *submit) store(client *ask.Client) batch.Asker {
	return func(ctx context.Context, q messages.Query) (messages.Result, error) {
		var err error
		if s.await && q.ReplyTo != "" { // elsewhere nobody here would read it
			err = s.allNames().CheckReplyOf(s.name, q.ReplyTo)
		}
		if err == nil {
			_, err = client.Submit(ctx, s.until(q))
		}
		if refused, ok := errors.AsType[*messages.Error](err); ok {
			r := refused.Result()
			r.ID = q.ID
			return r, nil
		}
		return messages.Result{V: messages.Version, ID: q.ID, Key: q.Key, Partner: q.Partner,
			Outcome: messages.Accepted}, err
	}
}

// notStored gives the exit code and what to do for each reason why a question was not stored.
func notStored(err error, subject string, timeout time.Duration) error {
	refused, ok := errors.AsType[*jetstream.APIError](err)
	switch {
	case errors.Is(err, context.Canceled):
	case errors.Is(err, nats.ErrNoResponders):
		return &cli.Error{Code: cli.ExitNoAnswer, Err: fmt.Errorf("no stream takes %s", subject),
			Hint: "'protocolq provision' makes the streams; check --nats and --prefix too"}
	case errors.Is(err, ask.ErrCaptured):
		return &cli.Error{Code: cli.ExitOther, Err: err,
			Hint: "take " + subject + " from its subjects: 'nats stream edit'; what it has stored is not asked"}
	case ok && !errors.Is(err, context.DeadlineExceeded):
		hint := ""
		if publish.Full(refused) {
			hint = "are workers running? a query leaves the stream once a worker has it in its log"
		}
		return &cli.Error{Code: cli.ExitOther,
			Err: fmt.Errorf("the stream of %s refused it: %s", subject, refused.Description), Hint: hint}
	}
	return natsconn.NoAnswer(err, subject, timeout)
}

func (s stored) print(c *cobra.Command, out cli.Output) error {
	if out == cli.JSON {
		return cli.PrintJSON(c.OutOrStdout(), s)
	}
	note := ""
	if s.Duplicate {
		note = " (was there already)"
	}
	if s.page != "" {
		note += "\npage    " + s.page
	}
	_, err := fmt.Fprintf(c.OutOrStdout(), "stored  %s %d, id %s%s\n", s.Stream, s.Sequence, cli.Printable(s.ID), note)
	return err
}
