// A database that is away, told to the operator: at once, then ever more rarely, and when it is over.

package querylog

import (
	"log/slog"
	"time"
)

// trouble is one time of the database being away. Its zero value is none.
type trouble struct {
	since time.Time
	next  time.Time
	wait  time.Duration
}

// Waits between two lines about the same trouble.
const (
	firstTold = 5 * time.Second
	lastTold  = 10 * time.Minute
)

// begin tells the first fault at once, and later ones as again does.
func (t *trouble) begin(log *slog.Logger, err error) {
	if !t.since.IsZero() {
		t.again(log, err)
		return
	}
	now := time.Now()
	*t = trouble{since: now, wait: firstTold, next: now.Add(firstTold)}
	log.Error("database not written, the stream holds the lines", "err", err)
}

func (t *trouble) again(log *slog.Logger, err error) {
	now := time.Now()
	if t.since.IsZero() || now.Before(t.next) {
		return
	}
	t.wait = min(2*t.wait, lastTold)
	t.next = now.Add(t.wait)
	log.Error("database still not written, the stream holds the lines", "since", t.since.UTC().Format(time.RFC3339), "err", err)
}

// end tells that it is over, once.
func (t *trouble) end(log *slog.Logger) {
	if !t.since.IsZero() {
		log.Info("database written again", "away", time.Since(t.since).Round(time.Millisecond))
		*t = trouble{}
	}
}
