// How a message is stored.

package publish_test

import (
	"context"
	"fmt"
	"os"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"protocolq/worker/publish"
)

// Publish returns when the stream has stored the message, with its sequence there. The stream
// recognises a second message with the same id.
func Example() {
	nc, done, err := exampleStream()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer done()
	p := publish.New(nc)
	for _, id := range []string{"run-1", "run-2", "run-2"} {
		sequence, err := p.Publish(context.Background(), &nats.Msg{Subject: "events.signed", Header: nats.Header{jetstream.MsgIDHeader: {id}}})
		fmt.Println(id, sequence, err)
	}
	// Output:
	// run-1 1 <nil>
	// run-2 2 <nil>
	// run-2 2 <nil>
}

// exampleStream is a server in this process with a stream on events.>.
func exampleStream() (*nats.Conn, func(), error) {
	dir, err := os.MkdirTemp("", "publish-")
	if err != nil {
		return nil, nil, err
	}
	srv, err := server.NewServer(&server.Options{DontListen: true, JetStream: true, StoreDir: dir, NoSigs: true, NoLog: true})
	if err != nil {
		return nil, nil, err
	}
	srv.Start()
	nc, err := nats.Connect("", nats.InProcessServer(srv))
	if err != nil {
		return nil, nil, err
	}
	done := func() { nc.Close(); srv.Shutdown(); srv.WaitForShutdown(); _ = os.RemoveAll(dir) }
	js, err := jetstream.New(nc)
	if err == nil {
		_, err = js.CreateStream(context.Background(), jetstream.StreamConfig{Name: "EVENTS", Subjects: []string{"events.>"}})
	}
	return nc, done, err
}
