// Inboxes: replies to askers that await them, on a connection that may publish nothing else.

package outbox

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

// Inboxes sends replies to askers that await them.
type Inboxes interface {
	// Send publishes replies and returns when the server has them, with one result for each: nil,
	// [ErrNobody], or why it is not certain that the server has it. For an asker in another account,
	// the server cannot say that nobody awaits a reply.
	Send(ctx context.Context, replies []*nats.Msg) []error
}

var (
	// ErrNobody says that the server has no subscriber for a reply's subject.
	ErrNobody = errors.New("outbox: nobody awaits the reply")

	errReconnected = errors.New("outbox: the connection was lost meanwhile")
)

// mostReplies bounds what is sent in one round trip.
const mostReplies = 4096

// flushWait is how long the server may take to have them.
const flushWait = 5 * time.Second

// Connection is Inboxes on a NATS connection. It is used by one goroutine.
type Connection struct {
	nc *nats.Conn
	// inbox is where the server reports replies without a subscriber, on inbox.<batch>.<place in it>;
	// "" before the first batch.
	inbox   string
	silent  chan *nats.Msg // these reports
	batches uint64
}

// NewConnection makes Inboxes on a connection. It subscribes with the first batch.
func NewConnection(nc *nats.Conn) *Connection { return &Connection{nc: nc} }

// Send implements [Inboxes].
func (c *Connection) Send(ctx context.Context, replies []*nats.Msg) []error {
	results := make([]error, len(replies))
	if err := c.subscribe(); err != nil {
		for i := range results {
			results[i] = err
		}
		return results
	}
	c.batches++
	mark := c.inbox + "." + strconv.FormatUint(c.batches, 36) + "."
	before := c.nc.Stats().Reconnects
	for i, m := range replies {
		if !imported(m.Subject) {
			m.Reply = mark + strconv.Itoa(i)
		}
		results[i] = c.nc.PublishMsg(m)
	}
	err := c.flush(ctx)
	if err == nil && c.nc.Stats().Reconnects != before {
		// What was published before the connection came back is lost, although the flush succeeded.
		// Sending a reply twice is harmless.
		err = errReconnected
	}
	for i := range results {
		if results[i] == nil {
			results[i] = err
		}
	}
	c.nobody(mark, results)
	return results
}

// imported reports whether a reply goes to the account of its asker, by the subject that the server
// made for it. A reply that asks for a no-responders report would leave another such subject there,
// one for each reply, until this connection ends (nats-server 2.15.2).
func imported(subject string) bool { return strings.HasPrefix(subject, "_R_.") }

func (c *Connection) subscribe() error {
	if c.inbox != "" {
		return nil
	}
	inbox, silent := c.nc.NewInbox(), make(chan *nats.Msg, mostReplies)
	if _, err := c.nc.ChanSubscribe(inbox+".*.*", silent); err != nil {
		return err
	}
	c.inbox, c.silent = inbox, silent
	return nil
}

func (c *Connection) flush(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, flushWait)
	defer cancel()
	return c.nc.FlushWithContext(ctx)
}

// nobody marks the replies of a batch without a subscriber. The server reports them before it
// answers the flush.
func (c *Connection) nobody(mark string, results []error) {
	for {
		select {
		case m := <-c.silent:
			place, ours := strings.CutPrefix(m.Subject, mark)
			i, err := strconv.Atoi(place)
			if ours && err == nil && 0 <= i && i < len(results) && len(m.Data) == 0 && results[i] == nil {
				results[i] = ErrNobody
			}
		default:
			return
		}
	}
}

// sendInboxes sends batch after batch, until ctx ends.
func (b *Outbox) sendInboxes(ctx context.Context, batches <-chan []*ready) {
	for {
		select {
		case <-ctx.Done():
			return
		case batch := <-batches:
			replies := make([]*nats.Msg, len(batch))
			for i, r := range batch {
				replies[i] = r.m
			}
			for i, err := range b.o.Inboxes.Send(ctx, replies) {
				b.ended(batch[i].p, err)
			}
		}
	}
}
