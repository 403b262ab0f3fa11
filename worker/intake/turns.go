// Turns: which asker's ask goes into the journal next, if more come than it takes at once.

package intake

import "sync"

// mostOnWay is how many bytes of one door may be on their way into the journal: enough for some
// batches, so that the journal never waits for the door, but no more, because everything on its way
// goes in order of arrival.
const mostOnWay = 1 << 20

// who takes turns: an asker of a partner.
type who struct{ partner, asker string }

// turns let one asker after the other into the journal, and within an asker in order of arrival.
// The asks are also in pending, which bounds them.
type turns struct {
	mu    sync.Mutex // guards what follows; held for lines
	onWay int        // bytes
	lanes []*lane    // those that are not empty, the next in turn first
	by    map[who]*lane
}

// lane is what waits of one asker.
type lane struct {
	who  who
	asks []*held // the next in turn first; never empty
}

func newTurns() *turns { return &turns{by: map[who]*lane{}} }

// enter reports whether an ask may go now. Otherwise it waits, and [turns.next] gives it later.
func (t *turns) enter(h *held) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.lanes) == 0 && t.fits(h) {
		t.onWay += h.bytes
		return true
	}
	l := t.by[h.who]
	if l == nil {
		l = &lane{who: h.who}
		t.by[h.who] = l
		t.lanes = append(t.lanes, l)
	}
	l.asks = append(l.asks, h)
	return false
}

// fits reports whether an ask has room on the way; the caller holds mu. When nothing else is on the
// way, an ask of any length has.
func (t *turns) fits(h *held) bool { return t.onWay == 0 || t.onWay+h.bytes <= mostOnWay }

// leave says that an ask is no longer on its way. It reports whether others wait.
func (t *turns) leave(h *held) (others bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.onWay -= h.bytes
	return len(t.lanes) > 0
}

// next takes out the ask whose turn it is, or gives nil if none waits or there is no room.
func (t *turns) next() *held {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.lanes) == 0 {
		return nil
	}
	l := t.lanes[0]
	h := l.asks[0]
	if !t.fits(h) {
		return nil
	}
	t.onWay += h.bytes
	l.asks[0] = nil
	l.asks = l.asks[1:] // what is left behind goes when the rest is moved to grow
	t.lanes = t.lanes[1:]
	if len(l.asks) > 0 {
		t.lanes = append(t.lanes, l)
	} else {
		delete(t.by, l.who)
	}
	return h
}
