// Lost: what is logged about a message of ours that cannot be stored anywhere.

package intake

import (
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"protocolq/messages"
)

// lostLog writes a lost message into the local log, except its body: there is no other record of
// it. Of many at once the first are written, and the others counted.
type lostLog struct {
	log *slog.Logger

	mu    sync.Mutex // guards what follows
	since time.Time
	n     int // since then
}

// mostLost is how many lines are written in a period of alarmEvery.
const mostLost = 100

// write logs that m is lost, and why; m is nil if there is no message any more.
func (l *lostLog) write(what, why string, m *nats.Msg, err error) {
	l.mu.Lock()
	now := time.Now()
	if now.Sub(l.since) >= alarmEvery {
		l.since, l.n = now, 0
	}
	l.n++
	n := l.n
	l.mu.Unlock()
	if n > mostLost {
		return
	}
	args := []any{"what", what, "why", why, "err", err}
	if n == mostLost {
		args = append(args, "note", "more of them are only counted for a while")
	}
	if m != nil {
		args = append(args, slog.Group("message", about(m)...))
	}
	l.log.Error("lost", args...)
}

// about is everything in a message except its body, with e-mails masked.
func about(m *nats.Msg) (args []any) {
	sum := sha256.Sum256(m.Data)
	args = append(args, "subject", messages.MaskText(m.Subject), "bytes", len(m.Data), "sha256",
		hex.EncodeToString(sum[:]))
	for _, name := range slices.Sorted(maps.Keys(m.Header)) {
		args = append(args, name, messages.MaskText(m.Header.Get(name)))
	}
	return args
}
