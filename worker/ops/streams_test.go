// What is said of streams, on a real server in the test's own process.

package ops_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"protocolq/messages"
	"protocolq/worker/ops"
)

func TestStreams(t *testing.T) {
	js := start(t)
	names, err := messages.NewNames("protocol")
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []messages.Kind{messages.Submitted, messages.Log} {
		if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: names.Stream(kind), Subjects: names.Captures(kind), MaxBytes: 1 << 20,
			Retention: jetstream.WorkQueuePolicy}); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		if _, err := js.Publish(t.Context(), "protocol.submit", make([]byte, 1000)); err != nil {
			t.Fatal(err)
		}
	}
	s := ops.NewStreams(ops.StreamsOptions{JetStream: js, Names: names, Kinds: []messages.Kind{messages.Submitted, messages.Log, messages.Dead}})
	r := ops.NewRegistry(ops.Build{Version: "v1"})
	r.MustRegister(s)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { s.Run(ctx); close(ended) }()
	defer func() { stop(); <-ended }()
	within := time.After(10 * time.Second)
	for text := ""; !strings.Contains(text, `stream_messages{stream="LOG"}`); text = scrape(t, r) {
		select {
		case <-within:
			t.Fatal("no stream was asked for")
		case <-time.After(10 * time.Millisecond):
		}
	}
	text := scrape(t, r)
	for _, want := range []string{`protocolq_stream_messages{stream="SUBMITTED"} 3`, `protocolq_stream_fill_ratio{stream="SUBMITTED"} 0.002`, "protocolq_queue_lag_messages 3",
		"protocolq_oldest_pending_seconds 0.", `protocolq_stream_oldest_seconds{stream="LOG"} 0`, "protocolq_querylog_lag_messages 0", "protocolq_querylog_lag_seconds 0"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s", want)
		}
	}
	if strings.Contains(text, "DEAD") {
		t.Error("a stream that is not there has figures")
	}
	if problems, err := testutil.GatherAndLint(r); err != nil || len(problems) > 0 {
		t.Errorf("lint: %v, %v", problems, err)
	}
}

func start(t *testing.T) jetstream.JetStream {
	t.Helper()
	srv, err := server.NewServer(&server.Options{DontListen: true, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	srv.Start()
	t.Cleanup(func() { srv.Shutdown(); srv.WaitForShutdown() })
	if !srv.ReadyForConnections(10 * time.Second) {
		t.Fatal("server not ready")
	}
	nc, err := nats.Connect("", nats.InProcessServer(srv))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return js
}
