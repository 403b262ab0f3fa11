// A line that a log repeats without end is written now and then, with how many lines were left out.

package cli

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"
)

// Bounds on warnings and errors of one kind. Messages are the program's own constants, so there are
// few of them; what a line is about may be anything.
const (
	saidAtOnce  = 20
	saidEvery   = 30 * time.Second
	mostKinds   = 1000 // further kinds share one bound
	mostAbout   = 1000 // kinds that are told apart by what they are about; those beyond by their message
	mostOfAbout = 200  // bytes
)

// about are the attributes that distinguish lines with the same message: the twenty-first halted
// partner is not a repetition.
var about = []string{"partner", "subject"}

// boundThemselves are messages whose every line is needed, and whose writers limit them themselves.
var boundThemselves = []string{"lost"}

// throttled passes on at most saidAtOnce warnings or errors of one kind, which is a message and
// what it is about, then one in each saidEvery, and everything below that level. So code that waits
// in a loop does not need its own bound for its lines, but may have one.
type throttled struct {
	slog.Handler
	kinds *kinds // shared by all loggers derived from one
	about string // of the logger's own attributes
}

func newThrottled(to slog.Handler) throttled {
	return throttled{Handler: to, kinds: &kinds{known: map[string]*kind{}, about: map[string]*kind{}}}
}

// Handle implements [slog.Handler].
func (t throttled) Handle(ctx context.Context, r slog.Record) error {
	if r.Level < slog.LevelWarn || slices.Contains(boundThemselves, r.Message) {
		return t.Handler.Handle(ctx, r)
	}
	what := t.about
	r.Attrs(func(a slog.Attr) bool {
		what += aboutOf(a)
		return true
	})
	leftOut, due := t.kinds.next(r.Message, what, r.Time)
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
	what := t.about
	for _, a := range attrs {
		what += aboutOf(a)
	}
	return throttled{t.Handler.WithAttrs(attrs), t.kinds, what}
}

// aboutOf is what an attribute adds to a kind.
func aboutOf(a slog.Attr) string {
	if !slices.Contains(about, a.Key) {
		return ""
	}
	text := a.Value.String()
	return "\x00" + strings.Clone(text[:min(len(text), mostOfAbout)])
}

// WithGroup implements [slog.Handler].
func (t throttled) WithGroup(name string) slog.Handler {
	return throttled{t.Handler.WithGroup(name), t.kinds, t.about}
}

type kinds struct {
	mu    sync.Mutex       // guards what follows
	known map[string]*kind // by message
	about map[string]*kind // by message and what it is about
}

// kind is how much was written of one kind: another line is allowed if full is not too far ahead of
// now.
type kind struct {
	full    time.Time
	leftOut int // since the last line
}

// next reports whether to write one more line with this message and this subject, and how many were
// left out before it.
func (k *kinds) next(message, about string, now time.Time) (leftOut int, due bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	var one *kind
	if about != "" {
		one = find(k.about, message+about, mostAbout)
	}
	if one == nil {
		one = find(k.known, message, mostKinds)
	}
	if one == nil {
		one = find(k.known, "", mostKinds+1)
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

// find gives the kind of a name, and makes it if it is new; nil if there are too many already.
func find(of map[string]*kind, name string, most int) *kind {
	one := of[name]
	if one == nil && len(of) < most {
		one = &kind{}
		of[name] = one
	}
	return one
}
