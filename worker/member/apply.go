// Applying: each batch of the log goes into the fold, and the changes to the parts that act on
// them.

package member

import (
	"slices"
	"time"

	"protocolq/worker/fleet"
	"protocolq/worker/flight"
	"protocolq/worker/journal"
)

// apply takes the next batch of the log.
func (m *Member) apply(b *journal.Batch) error {
	var err error
	ok := m.loop.Do(func(f *flight.Flights, now time.Duration) {
		i := m.current.Load()
		heard := fleet.Heard{At: now, Age: m.age(b)}
		before := m.state.Member(b.Member)
		void := before != nil && before.Sealed != 0
		m.stateMu.Lock()
		var c *fleet.Changes
		c, err = m.state.Apply(b, heard)
		m.stateMu.Unlock()
		if err != nil {
			return
		}
		if b.Member == i.id {
			i.own.Applied(b.Number)
			m.unread = slices.DeleteFunc(m.unread, func(w journal.Written) bool {
				if w.Position >= b.Position && b.Corrupt != nil {
					m.again(w)
				}
				return w.Position <= b.Position || b.Corrupt != nil
			})
		}
		if void {
			return // it says nothing to any part
		}
		if slices.ContainsFunc(b.Entries, isForget) {
			m.dropTexts()
		}
		m.texts.put(b)
		m.runs.apply(b, c, m.state)
		m.owe(b, c, f, now)
		f.Applied(b, c, now)
		m.notice(b, c, i, now)
	})
	if !ok {
		return errOver
	}
	return err
}

func isForget(e journal.Entry) bool { return e.Kind() == journal.KindForget }

// readLate is how late a batch may be read and still counts as new. It is longer than the time from
// one look at the log's end to the next, and than the difference between the servers' clocks.
const readLate = 15 * time.Second

// age is how old a batch is; 0: it is new. What was stored before this process joined is as old as
// the clocks say. So is what is read late, because the process was cut off or stood still. But that
// was stored after the fold was last level with the log, whatever the clocks say.
func (m *Member) age(b *journal.Batch) time.Duration {
	now := time.Now()
	age, late := fleet.Age(b.Stored, now.Add(m.replay.ahead), now), max(now.Sub(m.level), wall(now, m.level))
	switch {
	case b.Position < m.replay.until:
		return age
	case min(age, late) <= readLate:
		return 0
	}
	return min(age, late)
}

// notice takes in what a batch says about members.
func (m *Member) notice(b *journal.Batch, c *fleet.Changes, i *incarnation, now time.Duration) {
	if s := b.Seal(); s == nil || s.By == b.Member {
		m.watch.sign(b.Member, now)
	}
	for _, e := range b.Entries {
		if isForget(e) || m.state.IsForgotten(e) {
			m.forgetUpTo = b.Position
		}
	}
	if b.Corrupt != nil {
		m.oweCorrupt(b)
	}
	if len(m.tail.wanted) > 0 && b.Member == i.id {
		i.writer.Wake() // for copies that had to wait for an own batch
	}
	if !c.Members {
		return
	}
	i.writer.SetMembers(len(m.state.Live()))
	for _, l := range m.state.Live() {
		if l.ID == i.id {
			m.join(i)
		}
	}
	if s := m.state.Member(b.Member); s != nil && s.Sealed != 0 {
		m.watch.gone(b.Member)
		if b.Member == i.id {
			i.lost()
			if b.Corrupt != nil {
				close(i.stop) // its writer does not notice this itself
			} else {
				_ = i.writer.Beat(nil) // by this its writer notices
			}
		}
	}
	m.logMember(b, i)
	m.unowed = true // duties of members that left pass to the owners of their keys
	if m.state.BeatDue(i.own, 0) {
		_ = i.writer.Beat(nil) // a writer that has ended needs none
	}
}

// logMember logs that another member has joined or left since this process is in the fleet. If this
// one sealed it, the sealing is logged elsewhere.
func (m *Member) logMember(b *journal.Batch, i *incarnation) {
	if m.joinedAs != i.id || b.Member == i.id {
		return
	}
	switch s, seal := m.state.Member(b.Member), b.Seal(); {
	case s == nil || s.Sealed == 0:
		m.log.Info("member joined", "joined", string(b.Member), "members", len(m.state.Live()))
	case seal == nil || seal.By != i.id:
		m.log.Info("member left", "left", string(b.Member), "members", len(m.state.Live()))
	}
}

// join notes that the own first batch has been read: the fold now knows enough of the log to answer
// for this process.
func (m *Member) join(i *incarnation) {
	if m.joinedAs == i.id {
		return
	}
	m.joinedAs = i.id
	m.inFleet.Store(true)
	m.log.Info("in the fleet", "member", string(i.id), "members", len(m.state.Live()), "position", m.state.Applied(),
		"remembered", m.state.Answers().Len())
	m.readyOnce.Do(func() { close(m.ready) })
}
