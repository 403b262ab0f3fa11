// What is logged about a lost connection to NATS: little, and louder only when it lasts.

package natsconn

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

const (
	awayLoud  = 10 * time.Second // an election or a restart is over by then
	awayEvery = 30 * time.Second // one line, while it lasts
)

// AwayLog logs that a process's connections are lost. The handlers of all of them call its methods.
type AwayLog struct {
	log *slog.Logger
	now func() time.Time

	mu    sync.Mutex // guards what follows
	gone  map[string]bool
	since time.Time // when the first of those was lost
	said  time.Time
	loud  bool
}

// NewAwayLog makes an AwayLog, which several connections may share.
func NewAwayLog(log *slog.Logger) *AwayLog {
	return &AwayLog{log: log, now: time.Now, gone: map[string]bool{}}
}

// lost logs that a connection is lost. Others that are lost with it get no line.
func (a *AwayLog) lost(connection string, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, first := a.goes(connection); first {
		a.log.Warn("nats connection lost", "connection", connection, "err", err)
	}
}

// still logs that another try of a connection failed.
func (a *AwayLog) still(connection string, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.now()
	switch news, first := a.goes(connection); {
	case first:
		a.log.Warn(notReached, "connection", connection, "err", err)
	case news:
	case !a.loud && now.Sub(a.since) >= awayLoud:
		a.loud, a.said = true, now
		a.log.Error("nats away", "since", a.since.UTC().Format(time.RFC3339), "connection", connection, "err", err,
			"hint", "is a NATS server running there, and can it be reached from here?")
	case now.Sub(a.said) >= awayEvery:
		a.said = now
		a.log.Warn(notReached, "since", a.since.UTC().Format(time.RFC3339), "connection", connection, "err", err)
	}
}

// back logs that a connection is back.
func (a *AwayLog) back(connection, server string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.gone, connection)
	a.log.Info("nats connected again", "connection", connection, "server", server)
}

const notReached = "nats not reached, trying on"

// goes notes that a connection is lost, and reports whether that is new, and whether it is the
// first; the caller holds mu.
func (a *AwayLog) goes(connection string) (news, first bool) {
	news, first = !a.gone[connection], len(a.gone) == 0
	if first {
		a.since, a.said, a.loud = a.now(), a.now(), false
	}
	a.gone[connection] = true
	return news, first
}

// Connected is a log without the lines of parts that could not send because there is no connection:
// the connection logs that itself, once for all of them.
func Connected(log *slog.Logger) *slog.Logger { return slog.New(connectedHandler{log.Handler()}) }

type connectedHandler struct{ slog.Handler }

// Handle implements [slog.Handler].
func (h connectedHandler) Handle(ctx context.Context, r slog.Record) error {
	away := false
	r.Attrs(func(a slog.Attr) bool {
		err, ok := a.Value.Any().(error)
		away = ok && errors.Is(err, nats.ErrReconnectBufExceeded) // because nothing is kept to be sent later
		return !away
	})
	if away {
		return nil
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements [slog.Handler].
func (h connectedHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return connectedHandler{h.Handler.WithAttrs(attrs)}
}

// WithGroup implements [slog.Handler].
func (h connectedHandler) WithGroup(name string) slog.Handler {
	return connectedHandler{h.Handler.WithGroup(name)}
}
