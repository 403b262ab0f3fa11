// What a member of the simulated fleet writes, and what it carries and purges.

package simtest

import (
	"time"

	"protocolq/worker/fleet"
	"protocolq/worker/journal"
)

type carry struct {
	item fleet.Item
	e    journal.Entry
	by   journal.Member
}

// Compose decides what the next batch says, and sends it now or a little later.
func (m *Member) Compose() {
	if m.flight != nil || m.drafting || m.over || m.closed || m.expect == 0 {
		return
	}
	w := m.w
	d := m.Own.Draft(m.State, m.number+1)
	m.addAsks(d)
	if w.o.Forgets && w.Chance(400) {
		k := w.Keys[w.Draw.IntN(len(w.Keys))]
		w.Note("forgot", "%d by %s", k[6], m.ID)
		d.Add(&journal.Forget{Person: Persons(k)[0]})
	}
	if len(m.owed) > 0 {
		d.Add(&journal.Told{Entries: m.owed})
		m.owed = nil
	}
	m.runs.Decide(d)
	m.addCarries(d)
	open := m.runs.Open()
	if m.Draining && m.runs.Idle() && len(m.inbox) == 0 && len(m.State.Owed(m.ID)) == 0 && len(d.Entries) == 0 {
		d.Add(&journal.Seal{By: m.ID})
		m.closed = true
	}
	due := open && w.now-m.sentAt > beat || m.State.BeatDue(m.Own, m.target())
	if len(d.Entries) == 0 && !m.prove && !due {
		return
	}
	if w.Draw.IntN(4) > 0 {
		m.send()
		return
	}
	m.drafting = true // the least gap between two batches: the fold goes on meanwhile
	w.After(w.Between(time.Millisecond, 60*time.Millisecond), func() {
		m.Run(func() {
			if m.drafting = false; !m.over {
				m.send()
			}
		})
	})
}

func (m *Member) addAsks(d *fleet.Draft) {
	for _, a := range m.inbox {
		if a.acked = a.acked || m.State.Knows(a.Token, a.near); a.acked {
			continue
		}
		d.Add(&journal.Ask{
			Token: a.Token, Query: []byte(a.Token), Key: a.Key, Question: a.Question, ID: a.id, Door: a.Door,
			Left: a.left, MaxAge: a.maxAge, Partner: a.Partner, Asker: a.Asker, Near: a.near,
			Persons: Persons(a.Key),
		})
	}
	m.inbox = nil
}

func (m *Member) addCarries(d *fleet.Draft) {
	for _, c := range m.carries {
		if m.State.MayCarry(m.Own, c.item, m.w.now) {
			d.Add(m.State.Copy(c.item, c.e, c.by, m.w.now), c.item.Key)
		}
	}
	m.carries = nil
}

// tail carries and purges where the log is long.
func (m *Member) tail() {
	w := m.w
	if w.now < m.purgeAt || m.cutOff() {
		return
	}
	m.purgeAt = w.now + w.Between(500*time.Millisecond, 3*time.Second)
	m.State.Purged(w.first)
	if len(m.carries) == 0 {
		for _, i := range m.State.Carry(m.Own, m.target(), w.now, 6) {
			if i.At.Position < w.first {
				continue // it is purged: another has carried it, and this one has not read it yet
			}
			e, by := w.entry(i.At)
			m.carries = append(m.carries, &carry{i, e, by})
		}
	}
	if p, ok := m.State.Purge(m.ID); ok && p > w.first+4 {
		if d := fleet.Diff(m.State, w.shadow(p, m.State.Applied()), w.now); d != "" {
			w.Errorf("%s may purge below %d, and then: %s", m.ID, p, d)
		}
		w.After(w.Trip(), func() {
			if p > w.first {
				w.purge(p)
			}
		})
	}
}

// target is up to where the log should be purged, 0: it is short.
func (m *Member) target() uint64 {
	if long := uint64(len(m.w.log)) - m.w.first; long > 40 {
		return m.w.first + long*2/3
	}
	return 0
}
