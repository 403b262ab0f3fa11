// Reading events: each run once.

package ask_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"protocolq/messages"
	"protocolq/messages/ask"
	"protocolq/worker/provision"
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

// One Client may read for several names: what one of them has had is not had by the others.
func TestOneClientForSeveralNames(t *testing.T) {
	k := keep(t)
	names, err := messages.NewNames("protocol")
	if err == nil {
		_, err = provision.Apply(t.Context(), k.js, provision.Options{Names: names, AckWait: time.Second,
			Readers: provision.Readers{Askers: []string{"refunds", "shop"}, Listeners: []string{"ledger", "mailer"}}})
	}
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(messages.Event{V: 1, Run: "run-1", Partner: partner, Outcome: messages.Signed})
	if err == nil {
		_, err = k.js.Publish(t.Context(), "protocol.event."+partner+".signed", data)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, asker := range []string{"refunds", "shop"} { // both number their asks, and asked about one account
		k.reply("protocol.reply."+asker, answer("1", "run-1"), asker)
	}
	client, ctx := newClient(t, k.nc, quick), t.Context()
	given := make(chan string, 4)
	var reading sync.WaitGroup
	ctx, stop := context.WithCancel(ctx)
	defer reading.Wait()
	defer stop()
	for asker, listener := range map[string]string{"refunds": "ledger", "shop": "mailer"} {
		reading.Go(func() {
			_ = client.Events(ctx, ask.ReadOptions{Name: listener}, func(context.Context, ask.Event) error { given <- listener; return nil })
		})
		reading.Go(func() {
			_ = client.Replies(ctx, ask.ReadOptions{Name: asker}, func(context.Context, ask.Reply) error { given <- asker; return nil })
		})
	}
	k.wantLeft(0)
	for _, listener := range []string{"ledger", "mailer"} {
		eventually(t, "acknowledged by "+listener, func() bool {
			c, err := k.js.Consumer(t.Context(), "PROTOCOL_EVENTS", listener)
			return err == nil && c.CachedInfo().AckFloor.Stream == 1
		})
	}
	got := map[string]bool{}
	for len(given) > 0 {
		got[<-given] = true
	}
	if len(got) != 4 {
		t.Errorf("given to %v", got)
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
