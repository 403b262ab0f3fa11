// Messages on the fleet's own subjects that no worker, or none of this version, wrote: on a real
// server.

package worker_test

import (
	"encoding/json"
	"log/slog"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"protocolq/gateway/simulator"
	"protocolq/messages"
	"protocolq/worker"
	limits "protocolq/worker/partner"
)

// Unreadable records keep no query from the gateway, and are overwritten, once each.
func TestForeignRecords(t *testing.T) {
	t.Parallel()
	f := newFleet(t, simulator.Options{})
	var said lines
	records := []string{"rate", "calls", "halt"}
	for _, name := range records {
		if _, err := f.js.Publish(t.Context(), f.names.Partner(partner, name), []byte("zhang@example.com")); err != nil {
			t.Fatal(err)
		}
	}
	w := f.start(func(o *worker.Options) {
		o.Limits = map[string]limits.Limits{partner: {Rate: 100, Concurrency: 10}}
		o.Logger = slog.New(slog.NewTextHandler(&said, nil))
	})
	if r := f.ask(messages.Query{UserEmail: email("signed", "limited")}); r.Outcome != messages.Signed {
		t.Errorf("%s", refusal(r))
	}
	s, err := f.js.Stream(t.Context(), f.names.Stream(messages.Fleet))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range records[:2] {
		within(t, "it is written over: "+name, func() bool {
			m, err := s.GetLastMsgForSubject(t.Context(), f.names.Partner(partner, name))
			return err == nil && json.Valid(m.Data)
		})
		if n := strings.Count(said.String(), "record="+partner+"."+name); n != 1 {
			t.Errorf("%s: said %d times", name, n)
		}
	}
	if w.Stats().Foreign < 3 || strings.Contains(said.String(), "zhang") || !strings.Contains(said.String(), "level=ERROR") {
		t.Errorf("%d counted\n%s", w.Stats().Foreign, said.String())
	}
}

// An asker may have its own replies delivered among its own submitted queries, where the server
// stores them under their old subject. They are not queries, and do not stay there.
func TestOwnRepliesSubmitted(t *testing.T) {
	t.Parallel()
	f := newFleet(t, simulator.Options{})
	f.start()
	f.submitted(f.names.SubmitOf(partner, "shop"), messages.Query{UserEmail: email("signed", "own")})
	within(t, "a reply", func() bool { return f.stream(messages.Replies).Msgs == 1 })
	replies := f.names.Stream(messages.Replies)
	if _, err := f.js.CreateConsumer(t.Context(), replies, jetstream.ConsumerConfig{
		Durable: "shop", AckPolicy: jetstream.AckExplicitPolicy, FilterSubject: f.names.ReplyOf("shop")}); err != nil {
		t.Fatal(err)
	}
	err := f.nc.PublishRequest("$JS.API.CONSUMER.MSG.NEXT."+replies+".shop", f.names.SubmitOf(partner, "shop"), []byte(`{"batch":1,"no_wait":true}`))
	if err != nil {
		t.Fatal(err)
	}
	within(t, "a dead letter", func() bool { return f.storedOn(messages.Dead, f.names.Dead(messages.DeadUnreadable)) == 1 })
	s, err := f.js.Stream(t.Context(), f.names.Stream(messages.Dead))
	if err != nil {
		t.Fatal(err)
	}
	m, err := s.GetLastMsgForSubject(t.Context(), f.names.Dead(messages.DeadUnreadable))
	if err != nil {
		t.Fatal(err)
	}
	if got := m.Header.Get(messages.HeaderSubject); got != f.names.ReplyOf("shop") {
		t.Errorf("the dead letter says %q", got)
	}
	f.wantRest()
	f.wantCalls(1)
}
