// Workers are asked together: all that answer are listed, and none is waited for without need.

package snapshot_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"protocolq/cmd/protocolq/snapshot"
	"protocolq/worker"
	"protocolq/worker/natstest"
)

// play answers as that many workers would, each of which counts that many members.
func play(t *testing.T, srv *server.Server, workers, members int) {
	for i := range workers {
		nc := natstest.Connect(t, srv)
		figures, err := json.Marshal(worker.Stats{Member: fmt.Sprintf("m%03d", i), Members: members, Slots: 256})
		if err != nil {
			t.Fatal(err)
		}
		body, err := json.Marshal(micro.Stats{Endpoints: []*micro.EndpointStats{{Name: "query", Data: figures}, {Name: "query-partner"}}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := nc.Subscribe("$SRV.STATS.protocol-query", func(m *nats.Msg) { _ = m.Respond(body) }); err != nil {
			t.Fatal(err)
		}
		if err := nc.Flush(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestWorkers(t *testing.T) {
	for _, c := range []struct {
		name             string
		workers, members int
		most             time.Duration
	}{{"nobody", 0, 0, time.Second}, {"one", 1, 1, 250 * time.Millisecond}, {"fifty", 50, 50, time.Second}, {"one is silent", 2, 3, 1500 * time.Millisecond}} {
		t.Run(c.name, func(t *testing.T) {
			srv := natstest.Serve(t, server.Options{})
			play(t, srv, c.workers, c.members)
			nc := natstest.Connect(t, srv)
			if _, err := nc.Subscribe("$SRV.STATS.protocol-query", func(m *nats.Msg) { _ = m.Respond([]byte(`{"endpoints":[{}]}`)) }); c.workers > 0 && err != nil {
				t.Fatal(err)
			}
			if c.workers == 0 {
				nc = natstest.Connect(t, natstest.Serve(t, server.Options{}))
			}
			begun := time.Now()
			all, err := snapshot.Workers(t.Context(), nc)
			if err != nil || len(all) != c.workers {
				t.Fatalf("%d workers, %v", len(all), err)
			}
			for i, w := range all {
				if w.Member != fmt.Sprintf("m%03d", i) || w.Slots != 256 {
					t.Errorf("worker %d is %+v", i, w)
				}
			}
			if took := time.Since(begun); took > 4*c.most { // allows for a busy machine
				t.Errorf("took %v", took)
			}
		})
	}
}
