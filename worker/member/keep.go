// Keeping the journal small: it measures how full the journal is, forgets what expired, copies the
// tail forward and purges the rest.

package member

import (
	"context"
	"errors"
	"slices"
	"time"

	"protocolq/worker/fleet"
	"protocolq/worker/flight"
	"protocolq/worker/journal"
	"protocolq/worker/pause"
)

// How full the log may be, in thousandths, before no call begins and before no ask is taken.
const (
	beginsStop = 800
	asksStop   = 900
)

// How the log is kept small.
const (
	keepEvery   = time.Second
	stateEvery  = 2 * time.Second       // how often the stream is asked how full it is
	copyEvery   = 50 * time.Millisecond // between copies, while there are any to make
	answerBytes = 600                   // about what a remembered answer takes in the log
	copiesMost  = 512                   // copies that are made at once
)

// tail is the copying of the tail. It belongs to the loop's goroutine.
type tail struct {
	below  uint64 // positions below it are to be purged; 0: none
	wanted []copying
	unfit  map[journal.Ref]bool // entries whose copy fits into no batch; they stay where they are
	next   int                  // the next part of the memory to sweep
}

// copying is an entry to write again.
type copying struct {
	item fleet.Item
	text text
}

// keepLog keeps the log small until ctx ends. Copying a long tail takes minutes, during which
// everything else goes on.
func (m *Member) keepLog(ctx context.Context) error {
	var swept, asked time.Time
	for wait := keepEvery; pause.For(ctx, wait) == nil; {
		if time.Since(swept) >= keepEvery {
			swept = time.Now()
			m.sweep()
		}
		if time.Since(asked) >= stateEvery {
			asked = time.Now()
			m.measure(ctx)
		}
		if wait = copyEvery; !m.copyMore(ctx) {
			wait = keepEvery
			m.purge(ctx)
		}
	}
	return nil
}

// sweep forgets what expired, in one part of the memory.
func (m *Member) sweep() {
	m.loop.Do(func(_ *flight.Flights, now time.Duration) {
		m.stateMu.Lock()
		m.tail.next = m.state.Sweep(m.tail.next, now)
		m.stateMu.Unlock()
		if m.tail.next == 0 {
			m.runs.sweep(m.state)
		}
		m.full.Store(m.state.Answers().Len() >= m.o.Remembered)
	})
}

// measure asks how full the log is, and decides whether to copy its tail.
func (m *Member) measure(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, fetchTime)
	defer cancel()
	begun := time.Now()
	st, err := m.o.Log.State(ctx)
	if err != nil {
		m.notMeasured(begun, err)
		return
	}
	m.known.Store(int64(begun.Sub(m.begun)))
	if !st.Time.IsZero() {
		m.o.Time(st.Time, begun.Add(time.Since(begun)/2))
	}
	was := m.fill.Swap(int64(st.Fill() * 1000))
	if now := m.fill.Load(); now >= beginsStop && was < beginsStop {
		m.log.Error("journal nearly full: no call begins", "fill_permille", now,
			"hint", "give the stream more room (provision --journal-bytes), or shorten the window")
	}
	m.loop.Do(func(*flight.Flights, time.Duration) {
		m.state.Purged(st.First)
		if m.state.Applied() >= st.Last {
			m.level = begun
		}
		if m.tail.below <= st.First {
			m.tail.below, m.tail.unfit = 0, nil
		}
		if m.joinedAs == "" {
			return // how much of the log is live is known once it is read
		}
		if applied := m.state.Applied(); applied > st.First &&
			int64(st.Bytes) > 2*m.state.LiveBytes(answerBytes)+m.o.Tail {
			m.tail.below = max(m.tail.below, st.First+(applied-st.First)/2)
		}
		if m.forgetUpTo > 0 && m.forgetUpTo < st.First {
			m.forgetUpTo = 0 // nothing from before it is left in the log
			m.dropTexts()    // nor here of what had to be read since, to copy or to publish it
		}
		if m.forgetUpTo > 0 {
			m.tail.below = max(m.tail.below, m.forgetUpTo+1)
		}
	})
}

// electionTime is for how long a log without a leader is nothing to speak of.
const electionTime = 10 * time.Second

// Away is for how long the log's state could not be read, if for longer than an election takes.
func (m *Member) Away() time.Duration {
	if d := m.now() - time.Duration(m.known.Load()); d > electionTime {
		return d
	}
	return 0
}

// notMeasured logs now and then that it is not known how full the log is, if that lasts.
func (m *Member) notMeasured(now time.Time, err error) {
	if m.Away() == 0 || now.Sub(m.unmeasured) < logEvery {
		return
	}
	m.unmeasured = now
	m.log.Warn("not known how full the journal is, tried again", "err", err, "hint",
		"is a NATS server up, and has this user its rights?")
}

// forgetDue reports whether to store a batch so that the log's own time advances: until it has,
// nothing from before a forget entry can be purged.
func (m *Member) forgetDue() bool {
	if m.forgetUpTo == 0 || m.now()-m.forgetBeat < m.o.Fleet.Keep/60 {
		return false
	}
	m.forgetBeat = m.now()
	return true
}

// copyMore reads entries of the tail that this member has to copy, and hands them to the next
// batches. false: there are none now.
func (m *Member) copyMore(ctx context.Context) bool {
	var items []fleet.Item
	m.loop.Do(func(_ *flight.Flights, now time.Duration) {
		if m.tail.below == 0 || len(m.tail.wanted) > 0 {
			return
		}
		items = m.state.Carry(m.current.Load().own, m.tail.below, now, copiesMost+len(m.tail.unfit))
		items = slices.DeleteFunc(items, func(i fleet.Item) bool { return m.tail.unfit[i.At] })
	})
	if len(items) == 0 {
		return false
	}
	var all []copying
	for _, item := range items {
		within, cancel := context.WithTimeout(ctx, fetchTime)
		x, err := m.texts.load(within, item.At)
		cancel()
		if err != nil {
			m.log.Warn("entry of the tail not read, tried again", "entry", item.At.String(), "err", err)
			return false
		}
		all = append(all, copying{item, x})
	}
	m.loop.Do(func(*flight.Flights, time.Duration) { m.tail.wanted = all })
	m.current.Load().writer.Wake()
	return true
}

// copyTail adds copies to a batch that is being composed.
func (m *Member) copyTail(i *incarnation, d composing, now time.Duration) {
	for len(m.tail.wanted) > 0 {
		w := m.tail.wanted[0]
		if m.state.MayCarry(i.own, w.item, now) && !m.addCopy(w, d, now) {
			return // no room: they go into the next batch
		}
		m.tail.wanted = m.tail.wanted[1:]
	}
}

// addCopy adds a copy to a batch. false: it has no room in this batch. If an answer fits into no
// batch, because the log's limit is smaller than it was, the copy says that the answer is no longer
// remembered. An ask or a begin keeps its place until it has ended.
func (m *Member) addCopy(w copying, d composing, now time.Duration) bool {
	c := m.state.Copy(w.item, w.text.entry, w.text.writer, now)
	if c == nil {
		return true
	}
	err := d.Add(c, w.item.Key)
	if err == nil || errors.Is(err, journal.ErrNoRoom) {
		return err == nil
	}
	m.log.Error("copy of an entry of the tail fits into no batch", "entry", w.item.At.String(), "kind",
		int(w.item.Kind), "err", err)
	if answer, ok := c.Entry.(*journal.Answer); ok {
		c.Entry = fleet.Emptied(answer)
		err = d.Add(c, w.item.Key)
	}
	if err == nil || errors.Is(err, journal.ErrNoRoom) {
		return err == nil
	}
	if m.tail.unfit == nil {
		m.tail.unfit = map[journal.Ref]bool{}
	}
	m.tail.unfit[w.item.At] = true
	return true
}

// purge purges what is no longer needed, if this member has to do it.
func (m *Member) purge(ctx context.Context) {
	var below uint64
	m.loop.Do(func(*flight.Flights, time.Duration) {
		if m.tail.below == 0 {
			return
		}
		if p, ok := m.state.Purge(m.current.Load().id); ok {
			below = p
		}
	})
	if below == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, fetchTime)
	defer cancel()
	if err := m.o.Log.Purge(ctx, below); err != nil {
		m.log.Warn("journal not purged, tried again", "below", below, "err", err)
		return
	}
	m.loop.Do(func(*flight.Flights, time.Duration) { m.state.Purged(below) })
}
