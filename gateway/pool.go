// Resting connections: which of them a call may have, and when they end.

package gateway

import (
	"slices"
	"sort"
	"sync"
	"time"
)

const (
	maxIdle    = 5 * time.Second // a connection that no call has used for this long is closed
	maxResting = 2048            // above it the connection that has rested longest is closed
)

// pool keeps the connections that no call uses. Each must rest before its question: an answer that
// comes without a question is then not taken as an answer.
type pool struct {
	rest time.Duration

	mu      sync.Mutex    // guards all below; not held while a connection is closed
	resting []*connection // the one that has rested longest comes first
	failed  time.Time     // when a pooled connection last gave no answer
	sweep   *time.Timer   // runs while a connection rests
	closed  bool
}

func newPool(rest time.Duration) *pool { return &pool{rest: rest} }

// take returns the connection that was used last among those that have rested long enough. If there
// is none, it returns the one that will be ready first, or nil if none rests. ready says since
// when, or from when, it is ready. The others reach the end of their idle time.
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

// stands reports whether a connection that was taken a while ago may still be used.
func (p *pool) stands(c *connection, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !c.freed.Before(p.failed) && now.Before(c.until)
}

// put lets a connection rest: a new one, or one whose whole answer was received at freed. The
// connection is closed if another has failed since then, as it may be just as dead.
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

// fail closes every resting connection: a balancer that has silently forgotten one has forgotten
// the others, too. Only a connection that gets an answer after now is certainly alive.
func (p *pool) fail(now time.Time) {
	p.mu.Lock()
	p.failed = now
	dead := p.drop(len(p.resting))
	p.mu.Unlock()
	closeAll(dead)
}

// expire closes connections that were idle for too long, and runs again while any rests.
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

// close closes the resting connections, and every other one when it comes back.
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

// until is how many connections have rested since then or longer.
func (p *pool) until(then time.Time) int {
	return sort.Search(len(p.resting), func(i int) bool { return p.resting[i].freed.After(then) })
}

// drop removes the n that have rested longest.
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
