// A trouble that lasts is logged at once, and then now and then.

package journal

import "time"

// troubleEvery is how often a trouble that lasts is logged.
const troubleEvery = 30 * time.Second

// trouble is something that keeps going wrong. It belongs to one goroutine.
type trouble struct {
	logged time.Time // zero: all is well
	times  int       // since then
}

// again counts one more, and reports whether to log it now, and how often it came since the last
// time.
func (t *trouble) again(now time.Time) (times int, due bool) {
	t.times++
	times = t.times
	if due = t.logged.IsZero() || now.Sub(t.logged) >= troubleEvery; due {
		t.logged, t.times = now, 0
	}
	return times, due
}

// over says that all is well again: the next trouble is logged at once.
func (t *trouble) over() { *t = trouble{} }
