// A worker that has ended leaves nothing running.

package worker_test

import (
	"testing"
	"time"

	"go.uber.org/goleak"

	"protocolq/gateway/simulator"
	"protocolq/messages"
)

// When Run returns, every goroutine of the worker has ended, whatever it has done.
func TestNothingRunsAfterRun(t *testing.T) {
	f := newFleet(t, simulator.Options{Latency: 20 * time.Millisecond})
	cycle := func() {
		m := f.start()
		wantAll(t, f.wave(50, 20)(), messages.Signed, "")
		f.submit(messages.Query{UserEmail: "signed@example.com"})
		if r := f.ask(messages.Query{UserEmail: "fault-drop-1@example.com"}); r.Outcome != messages.Signed {
			t.Errorf("told %s", refusal(r))
		}
		if _, err := f.js.Publish(t.Context(), f.names.Submit(), []byte("garbage")); err != nil {
			t.Fatal(err)
		}
		f.wantRest()
		if err := m.stop(); err != nil {
			t.Error(err)
		}
		m.o.NATS.Close()
		m.o.Reply.Close()
	}
	cycle() // starts what the server and the asker's connection start only once
	before := goleak.IgnoreCurrent()
	cycle()
	if err := goleak.Find(before); err != nil {
		t.Error(err)
	}
}
