// An unavailable database or stream, logged for the operator: at once, then ever more rarely, and
// when it is over.

package querylog

import (
	"log/slog"
	"time"
)

// trouble is one period in which something is unavailable. It is over if since is zero.
type trouble struct {
	what string // what is unavailable: database, or stream

	since time.Time
	next  time.Time
	wait  time.Duration
}

// Waits between two lines about the same trouble.
const (
	firstTold = 5 * time.Second
	lastTold  = 10 * time.Minute
)

// begin logs the first fault at once, and later ones at the times of again.
func (t *trouble) begin(log *slog.Logger, err error) {
	if !t.since.IsZero() {
		t.again(log, err)
		return
	}
	now := time.Now()
	t.since, t.wait, t.next = now, firstTold, now.Add(firstTold)
	log.Error("recorder held up, lines wait in the stream", "by", t.what, "err", err)
}

func (t *trouble) again(log *slog.Logger, err error) {
	now := time.Now()
	if t.since.IsZero() || now.Before(t.next) {
		return
	}
	t.wait = min(2*t.wait, lastTold)
	t.next = now.Add(t.wait)
	log.Error("recorder still held up, lines wait in the stream", "by", t.what, "since",
		t.since.UTC().Format(time.RFC3339), "err", err)
}

// end logs that it is over, once.
func (t *trouble) end(log *slog.Logger) {
	if !t.since.IsZero() {
		log.Info("recorder goes on", "held_up_by", t.what, "dur_ms", time.Since(t.since).Milliseconds())
		t.since = time.Time{}
	}
}
