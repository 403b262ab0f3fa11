// protocolq dead: what could not be answered, and what to do about it.

package dead

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"

	"protocolq/cmd/protocolq/cli"
	"protocolq/cmd/protocolq/natsconn"
	"protocolq/cmd/protocolq/settings"
	"protocolq/messages"
)

// Command is dead, with a command for each action on dead letters.
func Command() *cobra.Command {
	c := &cobra.Command{
		Use:   "dead",
		Short: "Show, ask again or discard what could not be answered",
		Long: `Dead letters are queries that could not be answered, kept for 90 days with the reason: unreadable or
refused without a reply subject, a reply subject that is not allowed, no room for durable replies,
no answer before the deadline (expired), three workers that died while they ran one key (poison).

The commands need a user that may read and change the stream of dead letters; workers and askers do
not need that right. E-mails and accounts are shown masked.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newDeadList(), newDeadShow(), newDeadRedrive(), newDeadDiscard())
	return c
}

// deadSettings are what every one of its commands needs.
var deadSettings = []string{"nats", "nats-creds", "inbox-prefix", "prefix"}

// deadStep bounds one request to the server.
const deadStep = 10 * time.Second

// deadBox is the stream of dead letters.
type deadBox struct {
	nc     *nats.Conn
	js     jetstream.JetStream
	stream jetstream.Stream
	names  messages.Names
	api    string // prefix of the JetStream API
}

// openDead connects and finds the stream. Close the connection afterwards.
func openDead(ctx context.Context, cfg *settings.Config) (*deadBox, error) {
	names, err := messages.NewNames(cfg.Prefix)
	cli.Must(err) // load has checked it
	nc, err := natsconn.DialAs(cfg, "dead", messages.OpsInbox)
	if err != nil {
		return nil, err
	}
	b := &deadBox{nc: nc, names: names, api: cmp.Or(cfg.JetStreamAPI(), "$JS.API")}
	if b.js, err = natsconn.JetStream(nc, cfg); err == nil {
		step, cancel := context.WithTimeout(ctx, deadStep)
		defer cancel()
		step, stop := natsconn.WhileAllowed(step, nc)
		defer stop()
		b.stream, err = b.js.Stream(step, names.Stream(messages.Dead))
	}
	if err != nil {
		defer nc.Close()
		err = fmt.Errorf("open stream %s: %w", names.Stream(messages.Dead), err)
		if known := natsconn.Forbidden(nc, err); known != nil {
			return nil, known
		}
		return nil, &cli.Error{Code: cli.ExitOther, Err: err,
			Hint: "'protocolq provision' makes the streams; --nats and --prefix may be others, too"}
	}
	return b, nil
}

// get reads one dead letter; errNoLetter if it is not there.
func (b *deadBox) get(ctx context.Context, seq uint64) (deadLetter, error) {
	step, cancel := context.WithTimeout(ctx, deadStep)
	defer cancel()
	m, err := b.stream.GetMsg(step, seq)
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound):
		return deadLetter{}, errNoLetter
	case err != nil:
		return deadLetter{}, fmt.Errorf("read dead letter %d: %w", seq, err)
	}
	return readLetter(b.names,
		storedLetter{Seq: m.Sequence, At: m.Time, Subject: m.Subject, Header: m.Header, Data: m.Data}), nil
}

// remove deletes one dead letter; it is fine if it is gone already.
func (b *deadBox) remove(ctx context.Context, seq uint64) error {
	step, cancel := context.WithTimeout(ctx, deadStep)
	defer cancel()
	for left := deadTries; ; left-- {
		err := b.stream.DeleteMsg(step, seq)
		refused := errors.Is(err, jetstream.ErrMsgDeleteUnsuccessful)
		switch {
		case err == nil, refused && b.isGone(step, seq):
			return nil
		case !refused, left == 1:
			return fmt.Errorf("delete dead letter %d: %w", seq, err)
		}
		select {
		case <-time.After(deadLag):
		case <-step.Done():
		}
	}
}

// isGone looks for a dead letter that the server did not delete: servers have several errors for
// one that is not there, and nats.go passes on no code of them.
func (b *deadBox) isGone(ctx context.Context, seq uint64) bool {
	_, err := b.stream.GetMsg(ctx, seq)
	return errors.Is(err, jetstream.ErrMsgNotFound)
}

// deadLag is how long a replica may still show a dead letter that is deleted, deadTries how often
// that is waited for.
const (
	deadLag   = 250 * time.Millisecond
	deadTries = 3
)

var errNoLetter = errors.New("no such dead letter")
