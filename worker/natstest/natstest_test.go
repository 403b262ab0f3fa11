// A server answers, and one with JetStream stores.

package natstest_test

import (
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"protocolq/worker/natstest"
)

func TestServe(t *testing.T) {
	nc := natstest.Connect(t, natstest.Serve(t, server.Options{}))
	if _, err := nc.Subscribe("ask", func(m *nats.Msg) { _ = m.Respond([]byte("answer")) }); err != nil {
		t.Fatal(err)
	}
	if m, err := nc.Request("ask", nil, time.Minute); err != nil || string(m.Data) != "answer" {
		t.Errorf("%v, %v", m, err)
	}
}

func TestJetStream(t *testing.T) {
	_, js := natstest.JetStream(t)
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "S", Subjects: []string{"s"}}); err != nil {
		t.Fatal(err)
	}
	if ack, err := js.Publish(t.Context(), "s", nil); err != nil || ack.Sequence != 1 {
		t.Errorf("%v, %v", ack, err)
	}
}
