// Slow calls: calls in progress that have taken long, for an operator who looks for a fault.

package worker

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"protocolq/messages"
)

// SlowCall is a call of the gateway that has been in progress for longer than slowAfter.
type SlowCall struct {
	Partner string `json:"partner"`
	Account string `json:"account"` // the e-mail, or else the account, masked
	Attempt int    `json:"attempt"`
	ForMs   int64  `json:"for_ms"`
}

const (
	slowAfter = time.Second
	mostSlow  = 5 // shown: the slowest ones
)

// underWay are the calls in progress of a worker: at most one for each slot.
type underWay struct {
	mu  sync.Mutex // guards all
	all map[*begunCall]struct{}
}

type begunCall struct {
	q       *messages.Query
	attempt int
	at      time.Time
}

// begin notes a call; the returned func ends it.
func (u *underWay) begin(q *messages.Query, attempt int) (end func()) {
	c := &begunCall{q, attempt, time.Now()}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.all == nil {
		u.all = map[*begunCall]struct{}{}
	}
	u.all[c] = struct{}{}
	return func() {
		u.mu.Lock()
		defer u.mu.Unlock()
		delete(u.all, c)
	}
}

// slow are the slowest of them, the longest first.
func (u *underWay) slow(now time.Time) []SlowCall {
	u.mu.Lock()
	var late []*begunCall
	for c := range u.all {
		if now.Sub(c.at) >= slowAfter {
			late = append(late, c)
		}
	}
	u.mu.Unlock()
	slices.SortFunc(late, func(a, b *begunCall) int { return a.at.Compare(b.at) })
	list := []SlowCall{}
	for _, c := range late[:min(len(late), mostSlow)] {
		list = append(list, SlowCall{Partner: c.q.Partner, Attempt: c.attempt, ForMs: now.Sub(c.at).Milliseconds(),
			Account: cmp.Or(messages.MaskEmail(c.q.UserEmail), messages.MaskAccount(c.q.AccountNo))})
	}
	return list
}
