// What a log repeats without end is written now and then, with how many lines were left out.

package cli

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// Bounds on warnings and errors with one message: messages are the program's own constants, so
// there are few of them.
const (
	saidAtOnce = 20
	saidEvery  = 30 * time.Second
	mostKinds  = 1000 // those beyond share one bound
)

// throttled hands on at most saidAtOnce warnings or errors with one message, then one in each
// saidEvery, and all that is below. Whoever waits in a loop needs no bound of its own for its
// lines; one that knows better when a line is worth it may have one.
type throttled struct {
	slog.Handler
	kinds *kinds // shared by all that come of one logger
}

func newThrottled(to slog.Handler) throttled {
	return throttled{to, &kinds{known: map[string]*kind{}}}
}

// Handle implements [slog.Handler].
func (t throttled) Handle(ctx context.Context, r slog.Record) error {
	if r.Level < slog.LevelWarn {
		return t.Handler.Handle(ctx, r)
	}
	leftOut, due := t.kinds.next(r.Message, r.Time)
	if !due {
		return nil
	}
	if leftOut > 0 {
		r = r.Clone()
		r.AddAttrs(slog.Int("left_out", leftOut))
	}
	return t.Handler.Handle(ctx, r)
}

// WithAttrs implements [slog.Handler].
func (t throttled) WithAttrs(attrs []slog.Attr) slog.Handler {
	return throttled{t.Handler.WithAttrs(attrs), t.kinds}
}

// WithGroup implements [slog.Handler].
func (t throttled) WithGroup(name string) slog.Handler {
	return throttled{t.Handler.WithGroup(name), t.kinds}
}

type kinds struct {
	mu    sync.Mutex // guards known
	known map[string]*kind
}

// kind is what was written with one message: a line may be as long as full is not further ahead of
// now than all that may come at once.
type kind struct {
	full    time.Time
	leftOut int // since the last line
}

// next reports whether one more line with a message is written, and how many were left out before
// it.
func (k *kinds) next(message string, now time.Time) (leftOut int, due bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	one := k.known[message]
	if one == nil && len(k.known) >= mostKinds {
		message = ""
		one = k.known[message]
	}
	if one == nil {
		one = &kind{}
		k.known[message] = one
	}
	if one.full.Before(now) {
		one.full = now
	}
	if one.full.Sub(now) > (saidAtOnce-1)*saidEvery {
		one.leftOut++
		return 0, false
	}
	one.full = one.full.Add(saidEvery)
	leftOut, one.leftOut = one.leftOut, 0
	return leftOut, true
}
