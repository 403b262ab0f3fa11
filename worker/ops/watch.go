// Watch: a process that stays unready says so in the log, whether or not anybody probes it.

package ops

import (
	"context"
	"time"
)

// When it is said that a process is unready.
const (
	lookEvery = 5 * time.Second
	unreadyAt = time.Minute     // the first time
	sayEvery  = 5 * time.Minute // and again
)

// unready follows how long a process has been unready.
type unready struct {
	since time.Time // zero: it is ready
	said  time.Time // zero: not yet
}

// look takes in how it is at now, and reports whether that is to be said, or that it is over.
func (u *unready) look(ready bool, now time.Time) (say, over bool) {
	switch {
	case ready:
		over = !u.said.IsZero()
		*u = unready{}
		return false, over
	case u.since.IsZero():
		u.since = now
	case u.said.IsZero() && now.Sub(u.since) >= unreadyAt, !u.said.IsZero() && now.Sub(u.said) >= sayEvery:
		u.said = now
		return true, false
	}
	return false, false
}

// watch looks until ctx ends. A process that drains is not to be asked, so it is not unready.
func (s *Server) watch(ctx context.Context) {
	var u unready
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for began := time.Now(); ; {
		h := s.o.Health()
		now := time.Now()
		since := u.since
		switch say, over := u.look(h.Ready() || h.Draining, now); {
		case say:
			s.o.Logger.Error("not ready", "for_ms", now.Sub(u.since).Milliseconds(), "status", h.line(),
				"hint", "protocolq doctor says what is wrong and what to do")
		case over:
			s.o.Logger.Info("ready again", "after_ms", now.Sub(since).Milliseconds(), "up_ms",
				now.Sub(began).Milliseconds())
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}
