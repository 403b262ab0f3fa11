// What a page of the fleet shows of one worker, by the worker's own figures.

package worker_test

import (
	"testing"
	"time"

	"protocolq/gateway/simulator"
	"protocolq/messages"
	"protocolq/worker"
	gate "protocolq/worker/partner"
)

func TestFigures(t *testing.T) {
	t.Parallel()
	f := newFleet(t, simulator.Options{Latency: 1500 * time.Millisecond})
	w := f.start(func(o *worker.Options) { o.Limits = map[string]gate.Limits{partner: {Rate: 50}} })
	answers := f.wave(3, 3)
	within(t, "three keys, their calls under way", func() bool { return f.gateway.Stats().InFlight == 3 })
	s := w.Stats()
	if s.Keys != 3 || s.InFlight != 3 || s.Position == 0 || s.LeaseMs <= 0 {
		t.Errorf("while calls are under way: keys %d, in flight %d, position %d, lease %d ms", s.Keys, s.InFlight, s.Position, s.LeaseMs)
	}
	wantAll(t, answers(), messages.Signed, "")
	if got, want := w.Stats().Partners[partner], (worker.Partner{Calls: 3, Rate: 50}); got != want {
		t.Errorf("of the partner: %+v, want %+v", got, want)
	}
	within(t, "no key to decide about", func() bool { return w.Stats().Keys == 0 })
}
