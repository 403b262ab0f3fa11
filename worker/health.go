// Health: whether a worker can be asked, and which faults it has that do not prevent that.

package worker

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Condition is the answer to a probe of a worker.
type Condition struct {
	// Connected says that both connections to NATS are up.
	Connected bool
	// Member says that it is in the fleet and has opened its doors.
	Member bool
	// Draining says that it accepts no more queries.
	Draining bool
	// Degraded names what does not work. These faults concern all workers alike, so that none of them
	// is unready because of them.
	Degraded map[string]string
}

// gatewayAway is how long no call was answered before the gateway counts as unavailable.
const gatewayAway = 10 * time.Second

// Condition returns the worker's condition as it is now. It does not wait, and may be called before
// Run.
func (w *Worker) Condition() Condition {
	c := Condition{Connected: w.o.NATS.IsConnected() &&
		w.o.Reply.IsConnected(), Member: w.opened.Load(), Draining: w.draining.Load(),
		Degraded: map[string]string{}}
	if since, code := w.counters.away(); !since.IsZero() && time.Since(since) > gatewayAway {
		c.Degraded["gateway"] = fmt.Sprintf("no call was answered since %s; the last ended with %s",
			since.UTC().Format(time.RFC3339), code)
	}
	for partner, h := range w.gate.Halted() {
		c.Degraded["partner "+partner] = strings.TrimSpace("halted by " + h.By + " " + h.Code + " " + h.Reason)
	}
	if w.lines.Full() {
		c.Degraded["query log"] = "its stream takes no lines: they wait"
	}
	if fill := w.member.Fill(); w.member.Crowded() {
		c.Degraded["journal"] = fmt.Sprintf("%.0f %% full: no call begins above 80 %%", 100*fill)
	}
	if _, paused := w.pause.Paused(); paused {
		c.Degraded["intake"] = "paused by operators"
	}
	var away []string
	for _, s := range w.outbox.Stats().Sinks {
		if s.Away {
			away = append(away, s.Name)
		}
	}
	if slices.Sort(away); len(away) > 0 {
		c.Degraded["outbox"] = "nothing takes: " + strings.Join(away, ", ")
	}
	return c
}
