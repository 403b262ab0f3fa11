package worker

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"protocolq/worker/natstest"
)

// A server that is reloaded with less room for a message closes the connection of who sends a
// longer one. What it said is in the error.
func TestWhyAConnectionIsClosed(t *testing.T) {
	o := func(most int32) *server.Options {
		return &server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoLog: true, NoSigs: true, MaxPayload: most}
	}
	ns := natstest.Serve(t, *o(1 << 20))
	nc, err := nats.Connect(ns.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	ended := nc.StatusChanged(nats.CLOSED)
	if err := ns.ReloadOptions(o(1000)); err != nil {
		t.Fatal(err)
	}
	if err := nc.Publish("s", make([]byte, 2000)); err != nil {
		t.Fatal(err)
	}
	select {
	case <-ended:
	case <-time.After(time.Minute):
		t.Fatal("not closed within a minute")
	}
	if err := closed(errMainClosed, nc); !errors.Is(err, errMainClosed) || !strings.Contains(strings.ToLower(err.Error()), "maximum payload") {
		t.Errorf("says %v", err)
	}
}
