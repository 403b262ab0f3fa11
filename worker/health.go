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
	// Opened says that it has opened its doors.
	Opened bool
	// Member says that it has opened its doors and is in the fleet now.
	Member bool
	// Stuck is for how long it decides nothing any more, if for longer than it ever should: only a
	// restart helps.
	Stuck time.Duration
	// Draining says that it accepts no more queries.
	Draining bool
	// Degraded names what does not work. These faults concern all workers alike, or one partner of
	// several, so that none of them is unready because of them.
	Degraded map[string]string
}

// Times after which something counts as unavailable.
const (
	gatewayAway = 10 * time.Second // no call was answered
	stuckFor    = 30 * time.Second // nothing was decided
)

// Condition returns the worker's condition as it is now. It does not wait, and may be called before
// Run.
func (w *Worker) Condition() Condition {
	opened := w.opened.Load()
	c := Condition{Connected: w.o.NATS.IsConnected() && w.o.Reply.IsConnected(), Opened: opened,
		Member: opened && w.member.InFleet(), Draining: w.draining.Load(), Degraded: map[string]string{}}
	if d := w.member.Stuck(); d > stuckFor {
		c.Stuck = d
	}
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
	switch away := w.member.Away(); {
	case away > 0:
		c.Degraded["journal"] = fmt.Sprintf("not there, or not readable, for %v: protocolq doctor says why",
			away.Truncate(time.Second))
	case w.member.Crowded():
		c.Degraded["journal"] = fmt.Sprintf("%.0f %% full: no call begins above 80 %%", 100*w.member.Fill())
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
