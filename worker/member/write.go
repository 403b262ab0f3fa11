// Writing: what is added to a batch while it is composed, and what is done once it is stored.

package member

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"protocolq/messages"
	"protocolq/worker/failpoint"
	"protocolq/worker/fleet"
	"protocolq/worker/flight"
	"protocolq/worker/journal"
)

// ErrClosed says that the member takes no more asks.
var ErrClosed = errors.New("member: leaving the fleet")

// ErrRemembers says that there is no room to remember another key.
var ErrRemembers = errors.New("member: as many answers are remembered as there may be")

// waiting is an entry that no writer has taken, or whose writer has ended.
type waiting struct {
	entry    journal.Entry
	unwanted func() bool // nil: it is wanted
	done     func(error)
}

// Ask journals an ask. q is its decoded query, which must not be changed any more. done is called
// once, from another goroutine: with nil when the ask is stored, with an error when it never will
// be; it must not block. unwanted is called when a batch is composed: an ask that is no longer
// wanted is left out ([journal.ErrUnwanted]). If Ask itself gives an error ([journal.ErrFull],
// [journal.ErrQueueFull], [ErrRemembers], [ErrClosed]), the ask is not taken.
func (m *Member) Ask(a *journal.Ask, q *messages.Query, unwanted func() bool, done func(error)) error {
	switch {
	case m.closed.Load():
		return ErrClosed
	case m.fill.Load() >= asksStop:
		return journal.ErrFull
	case m.full.Load():
		return ErrRemembers
	}
	m.queries.keep(a, q)
	return m.append(waiting{a, unwanted, done})
}

// Forget journals that a person is to be forgotten; done is as in Ask.
func (m *Member) Forget(person journal.Hash, done func(error)) error {
	if m.closed.Load() {
		return ErrClosed
	}
	return m.append(waiting{&journal.Forget{Person: person}, nil, done})
}

// append gives an entry to the writer, or to the next one if this one has ended.
func (m *Member) append(w waiting) error {
	i := m.current.Load()
	err := i.writer.AppendUnless(w.entry, w.unwanted, func(_ journal.Ref, err error) {
		switch {
		case errors.Is(err, journal.ErrStored):
			w.done(nil)
		case errors.Is(err, journal.ErrUnknown) || errors.Is(err, journal.ErrEnded):
			m.keep(w) // for the next member: by its token both count as one
		default:
			w.done(err)
		}
	})
	if !errors.Is(err, journal.ErrEnded) {
		return err
	}
	m.keep(w)
	if m.current.Load() != i { // the next writer is there, and has taken what was kept before
		m.appendKept()
	}
	return nil
}

// keep holds an entry until there is a writer. The doors bound how many entries wait.
func (m *Member) keep(w waiting) {
	m.mu.Lock()
	over := m.over
	if !over {
		m.kept = append(m.kept, w)
	}
	m.mu.Unlock()
	if over {
		w.done(ErrClosed)
	}
}

// appendKept gives the new writer what was kept.
func (m *Member) appendKept() {
	m.mu.Lock()
	kept := m.kept
	m.kept = nil
	m.mu.Unlock()
	for _, w := range kept {
		if err := m.append(w); err != nil {
			w.done(fmt.Errorf("journal again: %w", err))
		}
	}
}

// composing is the batch in both forms: that of the journal and that of the fold.
type composing struct {
	d *journal.Draft
	f *fleet.Draft
}

// Entries implements [flight.Draft].
func (c composing) Entries() []journal.Entry { return c.d.Entries() }

// Add implements [flight.Draft].
func (c composing) Add(e journal.Entry, k journal.Key) error {
	if _, err := c.d.Add(e); err != nil {
		return err
	}
	c.f.Add(e, k)
	return nil
}

// decide adds to a batch that is being composed what is to be decided now, and returns the position
// at which it was decided.
func (m *Member) decide(i *incarnation, d *journal.Draft) (read uint64) {
	m.loop.Do(func(f *flight.Flights, now time.Duration) {
		draft := i.own.Draft(m.state, d.Number())
		for _, e := range d.Entries() {
			draft.Add(e)
		}
		read = draft.Head.Read
		both := composing{d, draft}
		if m.current.Load() == i && !m.void.Load() {
			f.Decide(both, now)
			m.copyTail(i, both, now)
		}
		m.addTold(d)
		i.own.Sent()
		hit[*journal.Begin](d.Entries(), "before-begin")
		if len(d.Entries()) > 0 {
			m.watch.sent(now)
		}
	})
	return read
}

// hit marks a step for failpoints, once for each entry of its kind.
func hit[T journal.Entry](entries []journal.Entry, step string) {
	if !failpoint.Armed {
		return
	}
	for _, e := range entries {
		if _, ok := e.(T); ok {
			failpoint.Hit(step)
		}
	}
}

// stored takes in that a batch is in the log.
func (m *Member) stored(i *incarnation, w journal.Written) {
	i.acknowledged(w)
	hit[*journal.Answer](w.Entries, "after-store")
	m.loop.Do(func(f *flight.Flights, now time.Duration) {
		m.watch.acknowledged(m.at(w.FirstSent), now)
		if s := m.state.Member(i.id); s != nil && s.Sealed != 0 && s.Sealed <= w.Position {
			m.again(w) // an earlier batch, or this one, is unreadable
		} else if m.state.Applied() < w.Position {
			m.unread = append(m.unread, w)
		}
		if m.current.Load() == i {
			f.Stored(w.Position, w.Entries, now)
		}
	})
}

// again journals once more the asks of a batch that turned out unreadable: their askers were
// promised that they are stored.
func (m *Member) again(w journal.Written) {
	for _, e := range w.Entries {
		switch e.(type) {
		case *journal.Ask, *journal.Forget:
			_ = m.append(waiting{e, nil, func(error) {}}) // its writer is about to end, and the next takes it
		}
	}
}

// at is a time on the member's monotonic clock.
func (m *Member) at(t time.Time) time.Duration { return t.Sub(m.begun) }

// How told entries are gathered: they go into any batch that is written, and get their own batch
// when they are old or many.
const (
	toldAge  = 100 * time.Millisecond
	toldMost = 1024
)

// Done takes in entries whose duties are done, so that they become told. The outbox calls it.
func (m *Member) Done(refs []journal.Ref) {
	failpoint.Hit("after-reply")
	m.mu.Lock()
	if len(m.told) == 0 {
		m.toldSince = time.Now()
	}
	m.told = append(m.told, refs...)
	wake := len(m.told) >= toldMost
	m.mu.Unlock()
	if wake {
		m.current.Load().writer.Wake()
	}
}

// addTold adds the told entries to a batch if it has other entries, or if they have waited long
// enough.
func (m *Member) addTold(d *journal.Draft) {
	m.mu.Lock()
	defer m.mu.Unlock()
	// told by others, or of a replaced log
	m.told = slices.DeleteFunc(m.told, func(r journal.Ref) bool { return m.stages[r] == nil })
	if len(m.told) == 0 ||
		len(d.Entries()) == 0 && len(m.told) < toldMost && !m.closed.Load() && time.Since(m.toldSince) < toldAge {
		return
	}
	failpoint.Hit("before-told")
	n := min(len(m.told), journal.MaxRefs)
	for ; n > 0; n /= 2 {
		refs := append([]journal.Ref(nil), m.told[:n]...)
		if _, err := d.Add(&journal.Told{Entries: refs}); err == nil {
			m.told = m.told[n:]
			break
		}
	}
	if len(m.told) == 0 {
		m.told = nil
	}
	m.toldSince = time.Now()
}

// wakeForTold has a batch composed when told entries have waited long enough.
func (m *Member) wakeForTold() {
	m.mu.Lock()
	due := len(m.told) > 0 && time.Since(m.toldSince) >= toldAge
	m.mu.Unlock()
	if due {
		m.current.Load().writer.Wake()
	}
}
