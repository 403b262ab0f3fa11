// Replies on a real server: an asker that waits gets one, and it is known which asker has left.

package outbox_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"protocolq/worker/natstest"
	"protocolq/worker/outbox"
)

// connect gives a connection to a server in this process.
func connect(t testing.TB) (*server.Server, *nats.Conn) {
	t.Helper()
	srv := natstest.Serve(t, server.Options{MaxPayload: 1000})
	nc := natstest.Connect(t, srv, nats.ReconnectWait(10*time.Millisecond))
	return srv, nc
}

func TestConnectionSaysWhatBecameOfEachReply(t *testing.T) {
	srv, nc := connect(t)
	asker := natstest.Connect(t, srv)
	awaits := must(asker.SubscribeSync("_INBOX.a.*"))(t)
	if err := asker.Flush(); err != nil {
		t.Fatal(err)
	}
	c := outbox.NewConnection(nc)
	for range 3 {
		got := c.Send(t.Context(), []*nats.Msg{
			{Subject: "_INBOX.a.1", Data: []byte("x")}, {Subject: "_INBOX.b.1", Data: []byte("x")}, {Subject: "_INBOX.a.2", Data: []byte("y")},
			{Subject: "_INBOX.a.3", Data: make([]byte, 2000)}, {Subject: "bad subject"}})
		want := []error{nil, outbox.ErrNobody, nil, nats.ErrMaxPayload, nats.ErrBadSubject}
		for i := range want {
			if !errors.Is(got[i], want[i]) || want[i] == nil && got[i] != nil {
				t.Errorf("reply %d: %v, want %v", i, got[i], want[i])
			}
		}
		for _, want := range []string{"x", "y"} {
			if m, err := awaits.NextMsg(5 * time.Second); err != nil || string(m.Data) != want {
				t.Fatalf("%v, %v; want %s", m, err, want)
			}
		}
	}
}

// What is published while the connection is away is not taken to be there.
func TestConnectionAway(t *testing.T) {
	srv, nc := connect(t)
	c := outbox.NewConnection(nc)
	if got := c.Send(t.Context(), []*nats.Msg{{Subject: "_INBOX.a.1"}}); !errors.Is(got[0], outbox.ErrNobody) {
		t.Fatal(got)
	}
	srv.Shutdown()
	srv.WaitForShutdown()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if got := c.Send(ctx, []*nats.Msg{{Subject: "_INBOX.a.1"}}); got[0] == nil || errors.Is(got[0], outbox.ErrNobody) {
		t.Errorf("%v: the reply is nowhere", got)
	}
	nc.Close()
	if got := c.Send(t.Context(), []*nats.Msg{{Subject: "_INBOX.a.1"}}); !errors.Is(got[0], nats.ErrConnectionClosed) {
		t.Errorf("%v", got)
	}
}
