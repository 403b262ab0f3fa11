// How a program asks.

package ask_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"protocolq/messages"
	"protocolq/messages/ask"
	"protocolq/worker/provision"
)

// May a refund go to the agent's account? It is asked once, and any worker answers.
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

// Ask without waiting: the answer goes to a durable subject when the workers are back.
func ExampleSubmit() {
	nc, done := connectExample("stored")
	defer done()

	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for range 2 { // a program that is not sure whether it did may do it again: there are two replies, and one call
		ack, err := ask.Submit(ctx, nc, messages.Query{ID: "refund-R-1001", UserEmail: "zhang@example.com", ReplyTo: "protocol.reply.refunds"})
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(ack.ID, "is in", ack.Stream, ack.Sequence)
	}
	// Output:
	// refund-R-1001 is in PROTOCOL_SUBMITTED 1
	// refund-R-1001 is in PROTOCOL_SUBMITTED 2
}

// A submitted query is answered once, even if the program ended meanwhile: the reply is kept until
// the function has returned nil.
func ExampleReplies() {
	nc, done := connectExample("answered")
	defer done()

	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	again := map[string]time.Time{} // when to submit a query again; in earnest a table of yours
	err := ask.Replies(ctx, nc, "refunds", func(_ context.Context, r ask.Reply) error {
		if r.Outcome == messages.Unknown { // never a "no": nothing follows from it
			again[r.ID] = time.Now().Add(time.Duration(r.RetryAfterMs) * time.Millisecond)
			return nil
		}
		fmt.Println(r.ID, r.Outcome, "refund:", *r.RefundCharge)
		cancel() // an example ends
		return nil
	})
	fmt.Println("error:", err)
	// Output:
	// refund-R-1001 signed refund: true
	// error: <nil>
}

// The result of each run of the gateway, for all askers: each once.
func ExampleEvents() {
	nc, done := connectExample("answered")
	defer done()

	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	err := ask.Events(ctx, nc, "ledger", func(_ context.Context, e ask.Event) error {
		fmt.Println("run", e.Run, "of", e.UserEmail, "came to", e.Outcome)
		cancel()
		return nil
	})
	fmt.Println("error:", err)
	// Output:
	// run 3Vm6Z1W5ylmWn8ZhGVE4vM of z***@e***.com came to signed
	// error: <nil>
}

// A client with its own settings: another prefix, JSON.
func ExampleNew() {
	nc, done := connectExample("signed")
	defer done()

	client, err := ask.New(nc, ask.Options{Prefix: "test.booking", Encoding: messages.JSON})
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

// connectExample is a connection to a server with a stand-in for a worker or streams.
func connectExample(what string) (*nats.Conn, func()) {
	dir, err := os.MkdirTemp("", "protocolq-ask-")
	must(err)
	srv, err := server.NewServer(&server.Options{DontListen: true, NoLog: true, NoSigs: true, JetStream: what != "signed", StoreDir: dir})
	must(err)
	srv.Start()
	nc, err := nats.Connect("", nats.InProcessServer(srv))
	must(err)
	switch what {
	case "signed":
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
	case "stored":
		js, err := jetstream.New(nc)
		must(err)
		_, err = js.CreateStream(context.Background(), jetstream.StreamConfig{Name: "PROTOCOL_SUBMITTED", Subjects: []string{"protocol.submit"}, Storage: jetstream.MemoryStorage})
		must(err)
	case "answered":
		storeAnswer(nc)
	}
	return nc, func() { nc.Close(); srv.Shutdown(); srv.WaitForShutdown(); must(os.RemoveAll(dir)) }
}

// storeAnswer makes the streams of a fleet, with a reply and an event in them.
func storeAnswer(nc *nats.Conn) {
	js, err := jetstream.New(nc)
	must(err)
	names, err := messages.NewNames(messages.DefaultPrefix)
	must(err)
	_, err = provision.Apply(context.Background(), js, provision.Options{Names: names,
		Readers: provision.Readers{Askers: []string{"refunds"}, Listeners: []string{"ledger"}}})
	must(err)
	r := messages.Result{ID: "refund-R-1001", Run: "3Vm6Z1W5ylmWn8ZhGVE4vM", Outcome: messages.Signed, ChargeAgent: new(true), RefundCharge: new(true)}
	data, err := r.Encode(messages.JSON)
	must(err)
	_, err = js.Publish(context.Background(), names.ReplyOf("refunds"), data)
	must(err)
	event, err := json.Marshal(messages.Event{V: 1, Run: r.Run, Partner: "2088000000000001", UserEmail: "z***@e***.com", Outcome: r.Outcome})
	must(err)
	_, err = js.Publish(context.Background(), names.Event("2088000000000001", r.Outcome), event)
	must(err)
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
