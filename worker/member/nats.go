// Signs of life on NATS: core messages, which no stream stores.

package member

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"

	"protocolq/messages"
	"protocolq/worker/journal"
)

// NATS is [Signs] on a connection.
type NATS struct {
	Conn  *nats.Conn
	Names messages.Names
}

// Beat implements [Signs].
func (n NATS) Beat(m journal.Member) error {
	return n.Conn.Publish(n.Names.Member(string(m)), nil)
}

// Follow implements [Signs].
func (n NATS) Follow(each func(journal.Member)) (func(), error) {
	head := n.Names.Member("")
	sub, err := n.Conn.Subscribe(n.Names.Members(), func(m *nats.Msg) {
		if id, ok := strings.CutPrefix(m.Subject, head); ok {
			each(journal.Member(id))
		}
	})
	if err != nil {
		return nil, fmt.Errorf("follow signs of life: %w", err)
	}
	return func() { _ = sub.Unsubscribe() }, nil
}

// Serve implements [Signs].
func (n NATS) Serve(of journal.Member, well func() bool) (func(), error) {
	sub, err := n.Conn.Subscribe(n.Names.Ping(string(of)), func(m *nats.Msg) {
		if well() {
			_ = m.Respond(nil)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("answer pings: %w", err)
	}
	return func() { _ = sub.Unsubscribe() }, nil
}

// Ping implements [Signs].
func (n NATS) Ping(ctx context.Context, of journal.Member) (answered, mute bool) {
	_, err := n.Conn.RequestWithContext(ctx, n.Names.Ping(string(of)), nil)
	return err == nil, errors.Is(err, nats.ErrNoResponders)
}
