// Health: whether a worker can be asked, and what does not work that it can do without.

package worker

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Condition is what a probe asks of a worker.
type Condition struct {
	// Connected: both connections to NATS stand.
	Connected bool
	// Member: it is in the fleet, and its doors have been opened.
	Member bool
	// Draining: it takes nothing new in any more.
	Draining bool
	// Degraded says what does not work, by its name. All workers have it alike, so none of them is
	// unready because of it.
	Degraded map[string]string
}

// gatewayAway is how long no call has to be answered until the gateway is called away.
const gatewayAway = 10 * time.Second

// Condition gives the worker's condition as it is now. It waits for nothing, and may be called
// before Run.
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
		c.Degraded["query log"] = "its stream takes no lines, so no new call begins"
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
