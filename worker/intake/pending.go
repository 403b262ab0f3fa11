// Pending: what came in by the doors and is not journalled yet, bounded in number and in bytes.

package intake

import (
	"context"
	"sync"
	"time"

	"protocolq/messages"
)

// delivery is a message from the stream until it is acknowledged: a jetstream.Msg.
type delivery interface {
	Ack() error
	NakWithDelay(delay time.Duration) error
	InProgress() error
}

// held is one pending ask or message.
type held struct {
	ask   *ask // of the query door, with from and who; nil for a submitted message
	from  *arrived
	who   who
	msg   delivery // a submitted message, acknowledged once it is done with; nil for the query door
	tries int      // deliveries of msg
	bytes int
	since time.Time
	// due is when its asker gets a reply with code although it is not journalled. last is the same for
	// an ask on its way into the journal, which may still be answered. Zero: never.
	due, last time.Time
	code      string
	onWay     bool // guarded by pending.mu
	replied   bool // its asker has had a reply; guarded by pending.mu
}

// storeWait is how long an asker waits that only wants its ask to be stored: longer than the
// journal takes to elect a leader.
const storeWait = 10 * time.Second

// holding makes the held of a complete ask of the query door. patience is how long an asker without
// a deadline waits.
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

// share is the part of the room that one asker uses.
type share struct{ asks, bytes int }

// overhead is about what an ask takes in addition to its query.
const overhead = 512

// pending holds what is not journalled yet. Submitted messages take at most half of the room, and
// an asker no more than it leaves for others: no backlog ever takes all the room.
type pending struct {
	most, mostBytes int

	mu        sync.Mutex // guards what follows; held for lines
	room      sync.Cond  // signalled when there may be room for submitted messages, and at the end
	held      map[*held]struct{}
	bytes     int
	by        map[who]share // of asks from the query door
	submitted int           // how many held are submitted, and their bytes
	subBytes  int
	closed    bool
	emptied   chan struct{} // has room for one; signalled when nothing is held
	begun     chan struct{} // the same; signalled when something is held again
}

func newPending(most, mostBytes int) *pending {
	p := &pending{most: most, mostBytes: mostBytes, held: map[*held]struct{}{}, by: map[who]share{},
		emptied: make(chan struct{}, 1), begun: make(chan struct{}, 1)}
	p.room.L = &p.mu
	return p
}

// add takes in an ask of the query door. It reports false if there is no room, in all or for its
// asker.
func (p *pending) add(h *held) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.held) >= p.most || p.bytes+h.bytes > p.mostBytes {
		return false
	}
	s := p.by[h.who]
	if s.asks > 0 && (s.asks >= p.most-len(p.held) || s.bytes+h.bytes > p.mostBytes-p.bytes) {
		return false // an asker may use as much as it leaves for others
	}
	p.by[h.who] = share{s.asks + 1, s.bytes + h.bytes}
	p.keep(h)
	return true
}

// wait takes in a submitted message, once there is room. It reports false if the door is closed.
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
	if len(p.held) == 0 {
		signal(p.begun)
	}
	p.held[h] = struct{}{}
	p.bytes += h.bytes
	if h.msg != nil {
		p.submitted++
		p.subBytes += h.bytes
	}
}

// leave lets h go. It reports whether its asker has had a reply meanwhile.
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
		signal(p.emptied)
	}
	return h.replied
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// unwanted reports whether h no longer needs to be journalled, because its asker has had a reply.
// Otherwise h is on its way from now on.
func (p *pending) unwanted(h *held) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	h.onWay = !h.replied
	return h.replied
}

// overdue gives the asks whose askers are to get a reply now, each once. They stay pending: they
// may be on their way into the journal.
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

// deliveries gives the messages that have been held since then or longer.
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

// close takes no more submitted messages.
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
