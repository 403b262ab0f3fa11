// What goes wrong again and again is logged at once, and then now and then.

package journal

import "time"

// troubleEvery is how often a trouble that lasts is logged.
const troubleEvery = 30 * time.Second

// trouble is something that goes on going wrong. It is one goroutine's.
type trouble struct {
	logged time.Time // zero: it is well
	times  int       // since then
}

// again counts one more, and reports whether it is to be logged now, and how often it came since it
// was.
func (t *trouble) again(now time.Time) (times int, due bool) {
	t.times++
	times = t.times
	if due = t.logged.IsZero() || now.Sub(t.logged) >= troubleEvery; due {
		t.logged, t.times = now, 0
	}
	return times, due
}

// over says that it is well again: the next time is logged at once.
func (t *trouble) over() { *t = trouble{} }
