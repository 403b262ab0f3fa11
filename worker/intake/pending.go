// Pending: what came in by the doors and is not journalled yet, bounded in number and in bytes.

package intake

import (
	"context"
	"sync"
	"time"

	"protocolq/messages"
)

// delivery is a message out of the stream, until it is acknowledged: a jetstream.Msg.
type delivery interface {
	Ack() error
	NakWithDelay(delay time.Duration) error
	InProgress() error
}

// held is one ask, or message, that is pending.
type held struct {
	ask   *ask // of the query door, with from and who; nil of what is submitted
	from  *arrived
	who   who
	msg   delivery // of what is submitted, acknowledged once it is done with; nil of the query door
	tries int      // deliveries of msg
	bytes int
	since time.Time
	// due is when its asker is replied to with code though it is not journalled, last the same of
	// one that is on its way into the journal, which may be answered yet; zero: never.
	due, last time.Time
	code      string
	onWay     bool // guarded by pending.mu
	replied   bool // its asker was; guarded by pending.mu
}

// storeWait is how long whoever awaits only that the ask is stored waits for that: longer than the
// journal takes to elect a leader.
const storeWait = 10 * time.Second

// holding is an ask of the query door. It is complete. patience is how long an asker without a
// deadline waits.
func holding(k *ask, patience time.Duration) *held {
	h := &held{ask: k, who: who{k.entry.Partner, k.entry.Asker}, since: k.came, bytes: len(k.entry.Query) + overhead}
	if k.await == "" {
		return h
	}
	h.last, h.code = k.came.Add(patience), messages.Overloaded
	if d := k.entry.Left; d > 0 && (d < storeWait || !k.accepted()) {
		h.last, h.code = k.came.Add(d), messages.DeadlinePassed
	}
	if h.due = h.last; k.accepted() {
		h.due = k.came.Add(min(storeWait, h.last.Sub(k.came)))
	}
	return h
}

// share is what one asker has of the room.
type share struct{ asks, bytes int }

// overhead is about what an ask takes beside its query.
const overhead = 512

// pending holds what is not journalled yet. What is submitted takes half of the room at most, and
// an asker no more than there is left for others: a backlog never leaves another asker without.
type pending struct {
	most, mostBytes int

	mu        sync.Mutex // guards what follows; held for lines
	room      sync.Cond  // signalled when there may be room for what is submitted, and at the end
	held      map[*held]struct{}
	bytes     int
	by        map[who]share // of those that come by the query door
	submitted int           // of held, and their bytes
	subBytes  int
	closed    bool
	emptied   chan struct{} // has room for one; signalled when nothing is held
}

func newPending(most, mostBytes int) *pending {
	p := &pending{most: most, mostBytes: mostBytes, held: map[*held]struct{}{}, by: map[who]share{},
		emptied: make(chan struct{}, 1)}
	p.room.L = &p.mu
	return p
}

// add takes in what came by the query door; it reports false where there is no room, or its asker
// has no more.
func (p *pending) add(h *held) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.held) >= p.most || p.bytes+h.bytes > p.mostBytes {
		return false
	}
	s := p.by[h.who]
	if s.asks > 0 && (s.asks >= p.most-len(p.held) || s.bytes+h.bytes > p.mostBytes-p.bytes) {
		return false // as much as is left for others
	}
	p.by[h.who] = share{s.asks + 1, s.bytes + h.bytes}
	p.keep(h)
	return true
}

// wait takes in what was submitted, once there is room. It reports false when the door is closed.
func (p *pending) wait(h *held) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for !p.closed &&
		(p.submitted >= max(p.most/2, 1) || p.subBytes+h.bytes > min(p.mostBytes/2, mostOnWay) && p.submitted > 0) {
		p.room.Wait()
	}
	if p.closed {
		return false
	}
	p.keep(h)
	return true
}

// keep takes h in; the caller holds mu.
func (p *pending) keep(h *held) {
	p.held[h] = struct{}{}
	p.bytes += h.bytes
	if h.msg != nil {
		p.submitted++
		p.subBytes += h.bytes
	}
}

// leave lets h go. It reports whether its asker was replied to meanwhile.
func (p *pending) leave(h *held) (replied bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, in := p.held[h]; !in {
		return true
	}
	delete(p.held, h)
	p.bytes -= h.bytes
	if h.msg != nil {
		p.submitted--
		p.subBytes -= h.bytes
		p.room.Signal()
	} else if s := p.by[h.who]; s.asks > 1 {
		p.by[h.who] = share{s.asks - 1, s.bytes - h.bytes}
	} else {
		delete(p.by, h.who)
	}
	if len(p.held) == 0 {
		select {
		case p.emptied <- struct{}{}:
		default:
		}
	}
	return h.replied
}

// unwanted reports whether h need not be journalled any more, as its asker has been replied to;
// else it is on its way from now on.
func (p *pending) unwanted(h *held) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	h.onWay = !h.replied
	return h.replied
}

// overdue gives those whose askers are to be replied to now, each once. They stay: they may be on
// their way into the journal.
func (p *pending) overdue(now time.Time) (late []*held) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for h := range p.held {
		due := h.due
		if h.onWay {
			due = h.last
		}
		if !h.replied && !due.IsZero() && !due.After(now) {
			h.replied = true
			late = append(late, h)
		}
	}
	return late
}

// deliveries gives the messages that are held since then or longer.
func (p *pending) deliveries(since time.Time) (old []delivery) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for h := range p.held {
		if h.msg != nil && !h.since.After(since) {
			old = append(old, h.msg)
		}
	}
	return old
}

// size is how much is held.
func (p *pending) size() (n, bytes int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.held), p.bytes
}

// close lets nothing more in that is submitted.
func (p *pending) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	p.room.Broadcast()
}

// ended reports whether the doors are closed.
func (p *pending) ended() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closed
}

// drain waits until nothing is held, or ctx ends, and gives what is left.
func (p *pending) drain(ctx context.Context) (left []*held) {
	for {
		if n, _ := p.size(); n == 0 {
			return nil
		}
		select {
		case <-p.emptied:
			continue
		case <-ctx.Done():
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		for h := range p.held {
			left = append(left, h)
		}
		return left
	}
}
