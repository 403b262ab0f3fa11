// Messages on the fleet's own subjects that no worker wrote, or none of this version: on a real
// server.

package worker_test

import (
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"time"

	"protocolq/gateway/simulator"
	"protocolq/messages"
	"protocolq/worker"
	limits "protocolq/worker/partner"
)

// Records that nobody can read keep nobody from the gateway, and are written over, once each.
func TestForeignRecords(t *testing.T) {
	t.Parallel()
	f := newFleet(t, simulator.Options{})
	var said lines
	records := []string{"rate", "calls", "halt"}
	for _, name := range records {
		if _, err := f.js.Publish(t.Context(), f.names.Partner(partner, name), []byte("zhang@example.com")); err != nil {
			t.Fatal(err)
		}
	}
	w := f.start(func(o *worker.Options) {
		o.Limits = map[string]limits.Limits{partner: {Rate: 100, Concurrency: 10}}
		o.Logger = slog.New(slog.NewTextHandler(&said, nil))
	})
	if r := f.ask(messages.Query{UserEmail: email("signed", "limited")}); r.Outcome != messages.Signed {
		t.Errorf("%s", refusal(r))
	}
	s, err := f.js.Stream(t.Context(), f.names.Stream(messages.Fleet))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range records[:2] {
		within(t, 10*time.Second, "it is written over: "+name, func() bool {
			m, err := s.GetLastMsgForSubject(t.Context(), f.names.Partner(partner, name))
			return err == nil && json.Valid(m.Data)
		})
		if n := strings.Count(said.String(), "record="+partner+"."+name); n != 1 {
			t.Errorf("%s: said %d times", name, n)
		}
	}
	if w.Stats().Foreign < 3 || strings.Contains(said.String(), "zhang") || !strings.Contains(said.String(), "level=ERROR") {
		t.Errorf("%d counted\n%s", w.Stats().Foreign, said.String())
	}
}
