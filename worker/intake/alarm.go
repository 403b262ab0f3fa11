// Alarms: the same trouble of many messages is logged once, and again while it lasts.

package intake

import (
	"sync"
	"time"
)

// alarms are kept by their text, of which there are few.
type alarms struct {
	mu    sync.Mutex // guards known
	known map[string]*alarm
}

type alarm struct {
	last time.Time
	n    int
}

const alarmEvery = 30 * time.Second

// again counts one more, and reports whether to log it now, and for how many.
func (a *alarms) again(what string, now time.Time) (n int, due bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.known == nil {
		a.known = map[string]*alarm{}
	}
	x := a.known[what]
	if x == nil {
		x = &alarm{}
		a.known[what] = x
	}
	x.n++
	if !x.last.IsZero() && now.Sub(x.last) < alarmEvery {
		return 0, false
	}
	n, x.n, x.last = x.n, 0, now
	return n, true
}
