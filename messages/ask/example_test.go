// How a program asks.

package ask_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"protocolq/messages"
	"protocolq/messages/ask"
)

// Whether a refund may go to the agent's account: asked once, by whatever worker lives.
func Example() {
	nc, done := connectExample("signed")
	defer done()

	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	r, err := ask.Ask(ctx, nc, messages.Query{UserEmail: "zhang@example.com"})
	switch {
	case errors.Is(err, nats.ErrNoResponders):
		fmt.Println("no worker is running")
	case err != nil:
		fmt.Println(err)
	case r.Outcome == messages.Signed:
		fmt.Println("debit:", *r.ChargeAgent, "refund:", *r.RefundCharge)
	default:
		fmt.Println(r.Outcome, r.Code)
	}
	// Output: debit: true refund: false
}

// Ask and go: the answer goes to a durable subject, whenever the workers are back.
func ExampleSubmit() {
	nc, done := connectExample("stored")
	defer done()

	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for range 2 { // a program that is not sure whether it did may do it again
		ack, err := ask.Submit(ctx, nc, messages.Query{ID: "refund-R-1001", UserEmail: "zhang@example.com", ReplyTo: "protocol.reply.refunds"})
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(ack.Stream, ack.Sequence, "was there:", ack.Duplicate)
	}
	// Output:
	// PROTOCOL_REQUESTS 1 was there: false
	// PROTOCOL_REQUESTS 1 was there: true
}

// A client with settings of its own: another prefix, JSON, the deadline told to the workers.
func ExampleNew() {
	nc, done := connectExample("signed")
	defer done()

	client, err := ask.New(nc, ask.Options{Prefix: "test.booking", Encoding: messages.JSON, Deadline: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	_, err = client.Ask(ctx, messages.Query{UserEmail: "zhang@example.com"})
	fmt.Println(errors.Is(err, nats.ErrNoResponders), errors.Is(err, context.DeadlineExceeded))
	// Output: true true
}

// connectExample is a connection to a server where a worker or a stream stands in.
func connectExample(what string) (*nats.Conn, func()) {
	must := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	srv, err := server.NewServer(&server.Options{DontListen: true, NoLog: true, NoSigs: true, JetStream: what == "stored", StoreDir: exampleDir})
	must(err)
	srv.Start()
	nc, err := nats.Connect("", nats.InProcessServer(srv))
	must(err)
	if what == "stored" {
		js, err := jetstream.New(nc)
		must(err)
		_, err = js.CreateStream(context.Background(), jetstream.StreamConfig{Name: "PROTOCOL_REQUESTS", Subjects: []string{"protocol.submit"}, Storage: jetstream.MemoryStorage})
		must(err)
	}
	if what == "signed" {
		_, err = nc.Subscribe("protocol.query", func(m *nats.Msg) {
			q, encoding, err := messages.DecodeQuery(m.Data, m.Header.Get(messages.HeaderContentType))
			must(err)
			r := signed
			r.ID = q.ID
			data, err := r.Encode(encoding)
			must(err)
			must(m.Respond(data))
		})
		must(err)
	}
	return nc, func() { nc.Close(); srv.Shutdown(); srv.WaitForShutdown() }
}
