// How long a stream is left alone that could not be asked for.

package ops

import (
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"protocolq/messages"
)

// A stream that has answered is asked for again soon: it is silent while its leader changes, which
// is when its figures matter. One that never answers may not be asked for.
func TestStreamThatIsSilent(t *testing.T) {
	srv, err := server.NewServer(&server.Options{DontListen: true, NoSigs: true, NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	srv.Start()
	t.Cleanup(func() { srv.Shutdown(); srv.WaitForShutdown() })
	nc, err := nats.Connect("", nats.InProcessServer(srv))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	answers := make(chan bool, 2)
	if _, err := nc.Subscribe("api.STREAM.INFO.*", func(m *nats.Msg) {
		if <-answers {
			_ = m.Respond([]byte(`{"type":"io.nats.jetstream.api.v1.stream_info_response","config":{"max_bytes":8},"state":{"messages":1,"bytes":4}}`))
		}
	}); err != nil {
		t.Fatal(err)
	}
	js, err := jetstream.NewWithAPIPrefix(nc, "api")
	if err != nil {
		t.Fatal(err)
	}
	names, err := messages.NewNames("protocol")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name    string
		answers []bool
		want    time.Duration
	}{
		{"has answered before", []bool{true, false}, sampleEvery},
		{"never answers", []bool{false}, sampleLate},
	} {
		s := NewStreams(StreamsOptions{JetStream: js, Names: names})
		var wait time.Duration
		for _, ok := range c.answers {
			ctx, stop := t.Context(), func() {}
			if !ok {
				ctx, stop = context.WithTimeout(ctx, 50*time.Millisecond)
			}
			answers <- ok
			wait = s.sample(ctx, messages.Submitted)
			stop()
		}
		if wait != c.want || len(s.seen) != 0 {
			t.Errorf("%s: again after %v, want %v; %d are shown", c.name, wait, c.want, len(s.seen))
		}
	}
}
