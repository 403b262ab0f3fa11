// protocolq dead: what could not be answered, and what is done about it.
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
)

func newDead() *cobra.Command {
	c := &cobra.Command{
		Use:   "dead",
		Short: "See, ask again or discard what could not be answered",
		Long: `Dead letters are queries that could not be answered, kept for 90 days with the reason: unreadable or
refused without a place to reply to, a reply subject that is not allowed, no room for durable replies,
no answer before the deadline (expired), three deaths of workers over one key (poison).

It works with a user who may read and change the stream of dead letters, which no worker and no asker
needs. E-mails and accounts are shown masked.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newDeadList(), newDeadShow(), newDeadRedrive(), newDeadDiscard())
	return c
}

// deadSettings are what every one of its commands needs.
var deadSettings = []string{"nats", "nats-creds", "prefix"}

// deadStep bounds one question to the server.
const deadStep = 10 * time.Second

// deadBox is the stream of dead letters.
type deadBox struct {
	nc     *nats.Conn
	js     jetstream.JetStream
	stream jetstream.Stream
	names  messages.Names
}

// openDead connects and finds the stream. Close the connection afterwards.
func openDead(ctx context.Context, cfg *Config) (*deadBox, error) {
	names, err := messages.NewNames(cfg.Prefix)
	must(err) // load has checked it
	nc, err := connectNATS(natsOptions{Servers: cfg.NATS, Creds: cfg.login(cfg.NATSCreds), Name: "protocolq dead"})
	if err != nil {
		return nil, noServer(err)
	}
	b := &deadBox{nc: nc, names: names}
	if b.js, err = jetstream.New(nc); err == nil {
		step, cancel := context.WithTimeout(ctx, deadStep)
		defer cancel()
		b.stream, err = b.js.Stream(step, names.Stream(messages.Dead))
	}
	if err != nil {
		defer nc.Close()
		if known := notAllowed(nc, err); known != nil {
			return nil, known
		}
		return nil, &exitError{Code: exitOther, Err: fmt.Errorf("open stream %s: %w", names.Stream(messages.Dead), err),
			Hint: "'protocolq provision' makes the streams; --nats and --prefix may be others, too"}
	}
	return b, nil
}

// get reads one letter; errNoLetter when it is not there.
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
	return readLetter(b.names, storedLetter{Seq: m.Sequence, At: m.Time, Subject: m.Subject, Header: m.Header, Data: m.Data}), nil
}

// remove deletes one letter; one that is gone already is as good.
func (b *deadBox) remove(ctx context.Context, seq uint64) error {
	step, cancel := context.WithTimeout(ctx, deadStep)
	defer cancel()
	err := b.stream.DeleteMsg(step, seq)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil
	}
	if api, ok := errors.AsType[*jetstream.APIError](err); ok && api.ErrorCode == sequenceNotFound {
		return nil
	}
	if err != nil {
		return fmt.Errorf("delete dead letter %d: %w", seq, err)
	}
	return nil
}

// sequenceNotFound is the server's code for a sequence that is not in the stream.
const sequenceNotFound = 10043

var errNoLetter = errors.New("no such dead letter")

// walk gives each letter that f selects to each, in the order of their sequence, until that returns
// false.
func (b *deadBox) walk(ctx context.Context, f *deadFilter, each func(deadLetter) bool) error {
	step, cancel := context.WithTimeout(ctx, deadStep)
	defer cancel()
	c, err := b.stream.CreateConsumer(step, f.consumer(b.names))
	if err != nil {
		return fmt.Errorf("read dead letters: %w", err)
	}
	defer func() {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), deadStep)
		defer cancel()
		_ = b.stream.DeleteConsumer(last, c.CachedInfo().Name) // else the server does it, a minute later
	}()
	for left := c.CachedInfo().NumPending; left > 0; {
		came, more, err := b.page(ctx, c, f, min(left, walkPage), each)
		if err != nil {
			return fmt.Errorf("read dead letters: %w", err)
		}
		if !more {
			return nil
		}
		if left = came.left; came.letters == 0 { // deleted meanwhile, or the server is away
			info, err := c.Info(ctx)
			if err != nil {
				return fmt.Errorf("read dead letters: %w", err)
			}
			left = info.NumPending
		}
	}
	return nil
}

// came is what a page brought: how many letters, and how many were left behind it.
type came struct {
	letters int
	left    uint64
}

// page reads up to n letters. more is false when the walk is over.
func (b *deadBox) page(ctx context.Context, c jetstream.Consumer, f *deadFilter, n uint64, each func(deadLetter) bool) (got came, more bool, err error) {
	step, cancel := context.WithTimeout(ctx, deadStep)
	defer cancel()
	page, err := c.Fetch(int(n), jetstream.FetchContext(step))
	if err != nil {
		return got, false, err
	}
	for m := range page.Messages() {
		meta, err := m.Metadata()
		if err != nil {
			return got, false, err
		}
		got = came{letters: got.letters + 1, left: meta.NumPending}
		l := readLetter(b.names, storedLetter{Seq: meta.Sequence.Stream, At: meta.Timestamp, Subject: m.Subject(), Header: m.Headers(), Data: m.Data()})
		if f.ends(&l) || f.selects(&l) && !each(l) {
			return got, false, nil
		}
	}
	if err := ctx.Err(); err != nil {
		return got, false, err
	}
	if err := page.Error(); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return got, false, err
	}
	return got, true, nil
}

// walkPage is how many letters are read at once: at most 64 KiB each.
const walkPage = 100
