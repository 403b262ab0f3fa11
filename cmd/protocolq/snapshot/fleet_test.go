// What is computed from two snapshots, and what one holds.

package snapshot_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"

	"protocolq/cmd/protocolq/snapshot"
	"protocolq/messages"
	"protocolq/worker"
	"protocolq/worker/natstest"
	"protocolq/worker/partner"
)

func stats(member string, calls uint64, buckets ...uint64) worker.Stats {
	return worker.Stats{Member: member, UptimeMs: 10_000, Outcomes: map[string]uint64{"signed": calls}, Sources: map[string]uint64{"asked": calls},
		Gateway: worker.Histogram{Count: calls, UpTo: []int64{10, 100}, Buckets: buckets}, Partners: map[string]worker.Partner{"1": {Calls: calls, Rate: 5}}}
}

func TestSince(t *testing.T) {
	at := time.Unix(0, 0)
	before := snapshot.Fleet{At: at, Workers: []worker.Stats{stats("a", 10, 10, 0, 0), stats("b", 100, 100, 0, 0), stats("gone", 50, 50, 0, 0)}}
	again := stats("b", 6, 0, 6, 0)
	again.UptimeMs = 1 // it has restarted
	halted := stats("new", 4, 0, 0, 4)
	halted.Halts = map[string]partner.Halt{"2": {Halted: true, By: "x"}}
	now := snapshot.Fleet{At: at.Add(2 * time.Second), Workers: []worker.Stats{stats("a", 20, 12, 8, 0), again, halted}}
	want := snapshot.Rates{Outcomes: map[string]float64{"signed": 10}, Sources: map[string]float64{"asked": 10}, Calls: map[string]float64{"a": 5, "b": 3, "new": 2},
		Partners: []snapshot.Partner{{ID: "1", PerS: 10, Limits: worker.Partner{Calls: 20, Rate: 5}}, {ID: "2", Halt: partner.Halt{Halted: true, By: "x"}, Workers: 1}},
		P50:      100 * time.Millisecond, P95: 100 * time.Millisecond}
	if d := cmp.Diff(want, now.Since(&before)); d != "" {
		t.Error(d)
	}
	if r := now.Since(&now); r.P95 != 0 || r.Calls["a"] != 0 {
		t.Errorf("nothing has happened: %+v", r)
	}
}

func TestLag(t *testing.T) {
	f := snapshot.Fleet{Workers: []worker.Stats{{Position: 90}, {Position: 100}}}
	if f.Lag(&f.Workers[0]) != 10 || f.Lag(&f.Workers[1]) != 0 {
		t.Errorf("%d, %d", f.Lag(&f.Workers[0]), f.Lag(&f.Workers[1]))
	}
}

// Workers and streams that exist are shown, and each missing stream is a fault.
func TestAsk(t *testing.T) {
	srv := natstest.Serve(t, server.Options{JetStream: true})
	nc := natstest.Connect(t, srv)
	play(t, srv, 2, 2)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	names, err := messages.NewNames("protocol")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: names.Stream(messages.Log), Subjects: names.Captures(messages.Log), MaxBytes: 10_000}); err != nil {
		t.Fatal(err)
	}
	if _, err := js.Publish(t.Context(), names.LogRun(), make([]byte, 4900)); err != nil {
		t.Fatal(err)
	}
	f := snapshot.Ask(t.Context(), snapshot.Options{NATS: nc, JetStream: js, Names: names})
	if len(f.Workers) != 2 || len(f.Streams) != 1 || f.Streams[0].Messages != 1 || f.Streams[0].Fill < 0.4 || f.Streams[0].Fill > 0.6 {
		t.Errorf("%+v", f)
	}
	if len(f.Faults) != len(messages.Kinds())-1 {
		t.Errorf("faults %q", f.Faults)
	}
}
