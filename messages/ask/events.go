// Events: the result of each run of the gateway, for programs that only react.

package ask

import (
	"context"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"protocolq/messages"
)

// Event is one event of a run.
type Event struct {
	messages.Event
	Stored     time.Time // since when it waits to be read
	Deliveries int       // 1 the first time; an unacknowledged event comes again
}

// Events reads events with the default Options: see [Client.Events].
func Events(ctx context.Context, nc *nats.Conn, listener string, each func(context.Context, Event) error) error {
	c, err := New(nc, Options{})
	if err != nil {
		return err
	}
	return c.Events(ctx, ReadOptions{Name: listener}, each)
}

// Events passes each event to each, as [Client.Replies] does with replies: an event is acknowledged
// once each has returned nil, and no run is passed twice to one listener. The consumer is a
// listener's (protocolq provision --listener NAME). It begins with the oldest event that is kept, a
// week old at most.
func (c *Client) Events(ctx context.Context, o ReadOptions, each func(context.Context, Event) error) error {
	r := &reading[Event]{c: c, kind: messages.Events, flag: "--listener", known: &c.events, read: readEvent, each: each}
	return r.run(ctx, o)
}

func readEvent(m jetstream.Msg, meta *jetstream.MsgMetadata) (Event, identity, error) {
	e, err := messages.DecodeEvent(m.Data())
	if err != nil {
		return Event{}, identity{}, err
	}
	return Event{Event: e, Stored: meta.Timestamp, Deliveries: int(meta.NumDelivered)}, identityOf("run", e.Run), nil
}
