// protocolq query: asks one question over NATS and waits for the answer.
package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"

	"protocolq/messages"
)

type queryFlags struct {
	question
	timeout time.Duration
	out     *output
}

func newQuery() *cobra.Command {
	cfg, f := &Config{}, &queryFlags{}
	set := newSettings(cfg.table(), "nats", "nats-creds", "prefix")
	c := &cobra.Command{
		Use:   "query (--email E | --account A)",
		Short: "Ask a worker whether an account has signed",
		Long: `Asks a worker over NATS and waits for the answer. An equal question that was just answered costs
no call of the gateway. Asking again is always safe.

Exit codes: 0 signed · 3 not signed or abnormal · 4 refused · 5 unknown · 6 no answer in time`,
		Example: `  protocolq query --email signed@example.com
  protocolq query --account 20880000000000010156 --max-age 10s -o json`,
		Args: cobra.NoArgs,
	}
	set.addFlags(c.Flags())
	f.addAccount(c.Flags())
	f.addMessage(c.Flags())
	c.Flags().StringVar(&f.replyTo, "reply-to", "", "send the answer to this subject instead; prints accepted")
	c.Flags().DurationVar(&f.timeout, "timeout", 30*time.Second, "how long to wait")
	f.out = addOutput(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := set.load(c.Flags()); err != nil {
			return err
		}
		return runQuery(c, cfg, f)
	}
	return c
}

func runQuery(c *cobra.Command, cfg *Config, f *queryFlags) error {
	q, err := f.message(c)
	if err != nil {
		return err
	}
	if f.timeout <= 0 {
		return usageError("--timeout must be longer than 0")
	}
	ctx, cancel := context.WithTimeout(c.Context(), f.timeout)
	defer cancel()
	if c.Flags().Changed("timeout") {
		// Whoever asks for a time of their own has left when it ends: then nobody needs to call for
		// them.
		q.DeadlineMs = time.Now().Add(f.timeout).UnixMilli()
	}
	names, err := messages.NewNames(cfg.Prefix)
	must(err) // load has checked it
	subject := names.Query()
	if q.Partner != "" {
		subject = names.QueryOf(q.Partner)
	}
	nc, err := connectNATS(natsOptions{Servers: cfg.NATS, Creds: cfg.login(cfg.NATSCreds), Name: "protocolq query"})
	if err != nil {
		return noServer(err)
	}
	defer nc.Close()
	r, err := askOver(ctx, nc, subject, q)
	if err != nil {
		return noAnswer(err, subject, f.timeout)
	}
	return tellResult(c.OutOrStdout(), *f.out, r)
}

// askOver sends one query and reads its one answer.
func askOver(ctx context.Context, nc *nats.Conn, subject string, q messages.Query) (messages.Result, error) {
	msg, err := queryMessage(subject, q)
	if err != nil {
		return messages.Result{}, err
	}
	reply, err := nc.RequestMsgWithContext(ctx, msg)
	if err != nil {
		if word := forbade(nc); word != nil {
			err = fmt.Errorf("%w: %w", err, word)
		}
		return messages.Result{}, err
	}
	r, _, err := messages.DecodeResult(reply.Data, reply.Header.Get(messages.HeaderContentType))
	if err != nil {
		return messages.Result{}, fmt.Errorf("read answer: %w", err)
	}
	return r, nil
}

func queryMessage(subject string, q messages.Query) (*nats.Msg, error) {
	data, err := q.Encode(messages.MsgPack)
	if err != nil {
		return nil, fmt.Errorf("write query: %w", err)
	}
	msg := nats.NewMsg(subject)
	msg.Data = data
	msg.Header.Set(messages.HeaderContentType, string(messages.MsgPack))
	return msg, nil
}

// noServer gives a NATS server that could not be reached, or that does not know this user, its exit
// code and what to do.
func noServer(err error) error {
	switch {
	case isNoServer(err):
		return &exitError{Code: exitNoAnswer, Err: err, Hint: "is a NATS server running there? --nats or PROTOCOLQ_NATS says where"}
	case errors.Is(err, nats.ErrAuthorization):
		return &exitError{Code: exitOther, Err: err, Hint: "the server does not know this user: --nats-creds or PROTOCOLQ_NATS_CREDS says who you are"}
	}
	return err
}

// noAnswer gives each way of not being answered its exit code and what to do.
func noAnswer(err error, subject string, timeout time.Duration) error {
	switch {
	case errors.Is(err, context.Canceled):
		return errors.New("stopped by a signal")
	case errors.Is(err, nats.ErrPermissionViolation):
		return &exitError{Code: exitNoAnswer, Err: fmt.Errorf("no answer within %s: the server forbids this user %s, or an inbox for its answer", short(timeout), subject),
			Hint: "--nats-creds says who you are; a user may be allowed only the subjects of his own partner: --partner"}
	case errors.Is(err, nats.ErrNoResponders):
		return &exitError{Code: exitNoAnswer, Err: fmt.Errorf("nobody listens on %s", subject),
			Hint: "no worker is running there: start one, or check --nats and --prefix"}
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, nats.ErrTimeout):
		return &exitError{Code: exitNoAnswer, Err: fmt.Errorf("no answer within %s", short(timeout)),
			Hint: "asking again is safe: a call that was made is not made twice"}
	}
	return err
}
