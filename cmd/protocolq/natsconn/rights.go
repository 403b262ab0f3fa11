// Rights that are taken away and given back while a process runs.

package natsconn

import (
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// Waits before the server is asked again for a right that it has taken away.
const (
	firstRightsWait = 15 * time.Second
	lastRightsWait  = 5 * time.Minute
)

// rights connects anew, less and less often, after the server took a subscription's right away: it
// removes the subscription then, and does not set it up when the right is back. A right that was
// missing from the start is no matter for waiting.
type rights struct {
	first time.Duration // firstRightsWait
	log   *slog.Logger

	mu        sync.Mutex // guards what follows
	connected time.Time  // at first; zero: not yet
	taken     bool       // since the connection was made anew, if for this
	wait      time.Duration
	waiting   *time.Timer
}

// connect notes that the connection was made.
func (r *rights) connect() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.connected.IsZero() {
		r.connected = time.Now()
	}
}

// refused takes an error of the server, and connects anew later if it is about a subscription that
// it has had.
func (r *rights) refused(nc *nats.Conn, err error) {
	if !errors.Is(err, nats.ErrPermissionViolation) || !strings.Contains(err.Error(), "for Subscription to ") {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	if r.waiting != nil || r.connected.IsZero() || !r.taken && now.Sub(r.connected) < r.first {
		return
	}
	r.wait = min(max(2*r.wait, r.first), lastRightsWait)
	r.waiting = time.AfterFunc(r.wait, func() { r.again(nc) })
	r.log.Warn("a right was taken away: the connection is made anew, which sees whether it is back", "err", err,
		"retry_in", r.wait.String())
}

func (r *rights) again(nc *nats.Conn) {
	r.mu.Lock()
	r.waiting, r.taken = nil, true
	r.mu.Unlock()
	_ = nc.ForceReconnect() // it is closed otherwise
	time.AfterFunc(r.first, r.settle)
}

// settle notes that the rights are back, unless the server has refused one since.
func (r *rights) settle() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.waiting == nil {
		r.taken, r.wait = false, 0
	}
}
