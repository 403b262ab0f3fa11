// Turns: whose ask goes into the journal next, where more come than it takes at once.

package intake

import "sync"

// mostOnWay is how many bytes of one door may be on their way into the journal: what fills some
// batches, so that it never waits for the door, and no more, as all that is on its way goes in the
// order of coming.
const mostOnWay = 1 << 20

// who is whose turn it is: an asker of a partner.
type who struct{ partner, asker string }

// turns give the way into the journal to one asker after the other, and within an asker in the
// order of coming. What they hold is pending, which bounds it.
type turns struct {
	mu    sync.Mutex // guards what follows; held for lines
	onWay int        // bytes
	lanes []*lane    // those that are not empty; the next one's turn is first
	by    map[who]*lane
}

// lane is what waits of one asker.
type lane struct {
	who   who
	asks  []*held
	first int // of asks
}

func newTurns() *turns { return &turns{by: map[who]*lane{}} }

// enter reports whether an ask may go now. Else it waits, and [turns.next] gives it.
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

// fits reports whether an ask has room on the way; the caller holds mu. However long, it has when
// nothing else is there.
func (t *turns) fits(h *held) bool { return t.onWay == 0 || t.onWay+h.bytes <= mostOnWay }

// leave says that an ask is on its way no more. It reports whether others wait.
func (t *turns) leave(h *held) (others bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.onWay -= h.bytes
	return len(t.lanes) > 0
}

// next takes out whose turn it is, nil where nobody waits or there is no room.
func (t *turns) next() *held {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.lanes) == 0 {
		return nil
	}
	l := t.lanes[0]
	h := l.asks[l.first]
	if !t.fits(h) {
		return nil
	}
	t.onWay += h.bytes
	l.asks[l.first] = nil
	l.first++
	t.lanes = t.lanes[1:]
	if l.first < len(l.asks) {
		t.lanes = append(t.lanes, l)
	} else {
		delete(t.by, l.who)
	}
	return h
}
