// Connections at rest: which of them a call may have, and when they end.

package gateway

import (
	"slices"
	"sort"
	"sync"
	"time"
)

const (
	maxIdle    = 5 * time.Second // a connection that no call has taken for so long is closed
	maxResting = 2048            // above it the connection that has rested longest is closed
)

// pool keeps the connections that no call uses. Each has to rest before its question: an
// answer that comes without one finds nobody who would believe it.
type pool struct {
	rest time.Duration

	mu      sync.Mutex    // guards all below; no connection is closed under it
	resting []*connection // the one that has rested longest comes first
	failed  time.Time     // when a connection from here last gave no answer
	sweep   *time.Timer   // runs while something rests
	closed  bool
}

func newPool(rest time.Duration) *pool { return &pool{rest: rest} }

// take gives the connection that was used last among those that have rested; where none
// has, the one that will have first; nil where nothing rests. ready says since or until when
// it has to rest. The others come to the end of their idle time.
func (p *pool) take(now time.Time) (c *connection, ready time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.resting) == 0 {
		return nil, now
	}
	i := max(p.until(now.Add(-p.rest)), 1) - 1
	c = p.resting[i]
	p.resting = slices.Delete(p.resting, i, i+1)
	return c, c.freed.Add(p.rest)
}

// stands says whether a connection may still be used that was taken a while ago.
func (p *pool) stands(c *connection, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !c.freed.Before(p.failed) && now.Before(c.until)
}

// put lets a connection rest: one just dialled, or one whose whole answer was received at
// freed. It is closed where another has failed since then, as it may be as dead as that one.
func (p *pool) put(c *connection, freed time.Time) {
	p.mu.Lock()
	surplus := []*connection{c}
	if !p.closed && !freed.Before(p.failed) {
		c.pooled, c.freed = true, freed
		p.resting = append(p.resting, c)
		surplus = p.drop(len(p.resting) - maxResting)
		if p.sweep == nil {
			p.sweep = time.AfterFunc(maxIdle, p.expire)
		}
	}
	p.mu.Unlock()
	closeAll(surplus)
}

// fail closes every connection at rest: a balancer that has forgotten one without a word
// has forgotten the others, and only one that answers after now is alive for sure.
func (p *pool) fail(now time.Time) {
	p.mu.Lock()
	p.failed = now
	dead := p.drop(len(p.resting))
	p.mu.Unlock()
	closeAll(dead)
}

// expire closes what has been idle for long, and comes again while something rests.
func (p *pool) expire() {
	p.mu.Lock()
	end := time.Now().Add(-maxIdle)
	idle := p.drop(p.until(end))
	p.sweep = nil
	if len(p.resting) > 0 && !p.closed {
		p.sweep = time.AfterFunc(p.resting[0].freed.Sub(end), p.expire)
	}
	p.mu.Unlock()
	closeAll(idle)
}

// close ends the connections at rest, and every other one as it comes back.
func (p *pool) close() {
	p.mu.Lock()
	p.closed = true
	all := p.drop(len(p.resting))
	if p.sweep != nil {
		p.sweep.Stop()
	}
	p.mu.Unlock()
	closeAll(all)
}

// until is how many connections rest since then or longer.
func (p *pool) until(then time.Time) int {
	return sort.Search(len(p.resting), func(i int) bool { return p.resting[i].freed.After(then) })
}

// drop takes out the n that have rested longest.
func (p *pool) drop(n int) []*connection {
	if n <= 0 {
		return nil
	}
	dropped := slices.Clone(p.resting[:n])
	p.resting = slices.Delete(p.resting, 0, n)
	return dropped
}

func closeAll(connections []*connection) {
	for _, c := range connections {
		c.close()
	}
}
