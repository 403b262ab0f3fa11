// Reading events: each run once.

package ask_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"testing"

	"github.com/nats-io/nats.go"

	"protocolq/messages"
	"protocolq/messages/ask"
)

func TestEventsAreGivenOnce(t *testing.T) {
	k := keep(t)
	for i, run := range []string{"a", "b", "a"} {
		data, err := json.Marshal(messages.Event{V: 1, Run: run, Partner: partner, Outcome: messages.Abnormal, Asks: i})
		if err != nil {
			t.Fatal(err)
		}
		// without a message id: the same run is stored twice
		if _, err := k.js.Publish(t.Context(), "protocol.event."+partner+".abnormal", data); err != nil {
			t.Fatal(err)
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	var given []ask.Event
	ended := make(chan error, 1)
	go func() {
		ended <- ask.Events(ctx, k.nc, "ledger", func(_ context.Context, e ask.Event) error { given = append(given, e); return nil })
	}()
	c, err := k.js.Consumer(t.Context(), "PROTOCOL_EVENTS", "ledger")
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "all acknowledged", func() bool {
		i, err := c.Info(t.Context())
		return err == nil && i.AckFloor.Stream == 3
	})
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	runs := []string{}
	for _, e := range given {
		runs = append(runs, e.Run)
	}
	if !slices.Equal(runs, []string{"a", "b"}) || given[0].Outcome != messages.Abnormal || given[0].Deliveries != 1 || given[0].Stored.IsZero() {
		t.Errorf("given %+v", given)
	}
}

func TestEventsThatCannotBeRead(t *testing.T) {
	none := func(context.Context, ask.Event) error { return nil }
	if err := ask.Events(t.Context(), nil, "ledger", none); !errors.Is(err, nats.ErrInvalidConnection) {
		t.Error(err)
	}
	if err := ask.Replies(t.Context(), nil, "refunds", nil); !errors.Is(err, nats.ErrInvalidConnection) {
		t.Error(err)
	}
	if err := ask.Events(t.Context(), keep(t).nc, "refunds", none); !errors.Is(err, ask.ErrNoConsumer) {
		t.Error(err)
	}
}
