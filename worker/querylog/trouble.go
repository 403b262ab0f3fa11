// What is away, told to the operator: at once, then ever more rarely, and when it is over.

package querylog

import (
	"context"
	"log/slog"
	"time"
)

// trouble is one time of something being away. It is over as long as since is zero.
type trouble struct {
	begun, still, over string // what is told

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
	t.since, t.wait, t.next = now, firstTold, now.Add(firstTold)
	log.LogAttrs(context.Background(), slog.LevelError, t.begun, slog.Any("err", err))
}

func (t *trouble) again(log *slog.Logger, err error) {
	now := time.Now()
	if t.since.IsZero() || now.Before(t.next) {
		return
	}
	t.wait = min(2*t.wait, lastTold)
	t.next = now.Add(t.wait)
	log.LogAttrs(context.Background(), slog.LevelError, t.still, slog.String("since", t.since.UTC().Format(time.RFC3339)), slog.Any("err", err))
}

// end tells that it is over, once.
func (t *trouble) end(log *slog.Logger) {
	if !t.since.IsZero() {
		log.LogAttrs(context.Background(), slog.LevelInfo, t.over, slog.Duration("away", time.Since(t.since).Round(time.Millisecond)))
		t.since = time.Time{}
	}
}
