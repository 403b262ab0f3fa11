// A member of the simulated fleet: what a worker does around the fold, with no more than is needed
// to drive it.

package simtest

import (
	"maps"
	"slices"
	"time"

	"protocolq/worker/fleet"
	"protocolq/worker/journal"
)

// Runs decide about keys, and call. What they are given is the member's: they keep none of it.
type Runs interface {
	// Tick is called all the time.
	Tick()
	// Applied is given each batch that the member's fold has applied, and what that changed.
	Applied(*journal.Batch, *fleet.Changes)
	// Stored is given the member's own batch once it is acknowledged, and its position.
	Stored(at uint64, entries []journal.Entry)
	// Decide adds to the member's next batch.
	Decide(*fleet.Draft)
	// Open reports whether a begin is acknowledged whose run has not ended.
	Open() bool
	// Idle reports whether there is no run.
	Idle() bool
	// Drain is called when nothing more may begin.
	Drain()
}

// Member is one member: an incarnation of a process.
type Member struct {
	*Process
	// ID is its id.
	ID journal.Member
	// State is its fold, Own what it has written that has not come back.
	State *fleet.State
	Own   *fleet.Own

	runs   Runs
	watch  *fleet.Watch
	fence  *fleet.Fence
	over   bool
	closed bool // its own seal is on its way

	buffer   map[uint64]*journal.Batch // that came before their turn
	asking   bool                      // for what is missing
	flight   *journal.Batch            // the own batch on its way
	number   uint64                    // of the own batch sent last
	drafting bool
	expect   uint64 // position of the own newest message
	sealing  bool
	prove    bool
	sentAt   time.Duration
	beatAt   time.Duration
	purgeAt  time.Duration

	inbox   []*Ask
	owed    []journal.Ref
	done    map[journal.Ref]bool
	carries []*carry
}

// Over reports whether it is sealed, as far as it knows.
func (m *Member) Over() bool { return m.over }

// MayCall reports whether its fence is open.
func (m *Member) MayCall() bool { return !m.over && m.fence.MayCall(m.w.now, m.w.now+m.wall) }

// beat shows all others that the member lives.
func (m *Member) beat() {
	w := m.w
	if m.cutOff() {
		return
	}
	for _, q := range w.processes {
		if q.dead || q.cut > w.now || w.Chance(10) {
			continue
		}
		w.After(w.Trip(), func() {
			q.Run(func() {
				if q == m.Process {
					q.Member.watch.Echo(w.now)
				}
				q.Member.watch.Sign(m.ID, w.now)
			})
		})
	}
}

// suspect looks at the others and seals whom it may.
func (m *Member) suspect() {
	w := m.w
	m.prove = false
	for _, o := range m.State.Live() {
		if o.ID == m.ID {
			continue
		}
		if q := w.members[o.ID]; (q.dead || q.Process.Member != q) && !m.cutOff() && w.Draw.IntN(4) == 0 {
			m.watch.Mute(o.ID, w.now) // no process is subscribed any more
		}
		switch m.watch.Suspect(o.ID, w.now) {
		case fleet.Prove:
			m.prove = true
		case fleet.Seal:
			if m.sealing {
				continue
			}
			m.sealing = true
			w.After(time.Second, func() { m.sealing = false })
			w.append(m.Process, o.ID, journal.Batch{
				Head:    journal.Head{Number: o.Number + 1, Read: m.State.Applied()},
				Entries: []journal.Entry{&journal.Seal{By: m.ID}},
			}, o.Last, func(outcome) {})
		}
	}
}

// follow takes a batch that was republished.
func (m *Member) follow(b *journal.Batch) {
	if m.over || m.deaf > m.w.now || b.Position <= m.State.Applied() {
		return
	}
	m.buffer[b.Position] = b
	for !m.over && len(m.buffer) > 0 {
		next := slices.Min(slices.Collect(maps.Keys(m.buffer)))
		if !m.apply(m.buffer[next]) {
			break
		}
		delete(m.buffer, next)
	}
	if !m.over && len(m.buffer) > 0 && !m.asking {
		m.asking = true
		m.w.Note("gap", "%s after %d", m.ID, m.State.Applied())
		m.w.After(30*time.Millisecond, func() { m.Run(func() { m.asking = false; m.catchUp() }) })
	}
}

// catchUp reads from the log what is missing.
func (m *Member) catchUp() {
	w := m.w
	if m.over || m.cutOff() || m.deaf > w.now {
		return
	}
	if w.first > m.State.Applied()+1 {
		m.drop()
		return
	}
	for _, b := range w.log[m.State.Applied():] {
		if m.over {
			return
		}
		delete(m.buffer, b.Position)
		if !m.apply(b) {
			w.Errorf("%s does not apply %d after %d", m.ID, b.Position, m.State.Applied())
		}
	}
}

// drop begins the fold anew, as what is missing is purged: as another member, while others seal
// this one, or as this one.
func (m *Member) drop() {
	m.w.Note("gap purged", "%s after %d", m.ID, m.State.Applied())
	if !m.w.o.FoldAnew {
		m.end()
		return
	}
	m.State = m.w.replay(m.Process)
	clear(m.buffer)
	for _, b := range m.w.log {
		if b.Member == m.ID {
			m.Own.Applied(b.Number)
		}
	}
	if o := m.State.Member(m.ID); o == nil || o.Sealed != 0 {
		if m.expect > 0 {
			m.end()
		}
		return
	}
	m.replyOwed()
}

// apply applies the next batch; it reports false for one that is not the next.
func (m *Member) apply(b *journal.Batch) bool {
	w := m.w
	c, err := m.State.Apply(b, fleet.Heard{At: w.now})
	if err != nil {
		return false
	}
	if b.Seal() != nil || b.Corrupt != nil {
		m.watch.Gone(b.Member)
		if b.Member == m.ID {
			m.end()
			return true
		}
	} else {
		m.watch.Sign(b.Member, w.now)
	}
	if b.Member == m.ID {
		m.Own.Applied(b.Number)
	}
	for _, d := range slices.Clone(c.Due) {
		if m.State.Owes(m.ID, d) {
			m.reply(d)
		}
	}
	if c.Members {
		m.replyOwed()
	}
	m.runs.Applied(b, c)
	return true
}

// replyOwed does all that the member owes by now.
func (m *Member) replyOwed() {
	for _, d := range m.State.Owed(m.ID) {
		m.reply(d)
	}
}

// reply does a duty and has it written that it is done.
func (m *Member) reply(d fleet.Duty) {
	if m.done[d.Entry] {
		return
	}
	m.done[d.Entry] = true
	if d.Ask != nil {
		m.w.replied(m, d.Ask, Says(d.Ask.Settled), d.Ask.Settled)
	}
	m.finish(d.Entry)
}

// ReplyAhead answers an ask before what settles it has come back.
func (m *Member) ReplyAhead(a *fleet.Ask, what string) {
	if m.done[a.First] || m.w.isDamaged(m.ID) {
		return
	}
	m.w.Seen["early"]++
	m.done[a.First] = true
	m.w.replied(m, a, what, nil)
	m.finish(a.First)
}

// finish has it written that a duty is done, after what doing it takes: that is long where a stream
// is away.
func (m *Member) finish(entry journal.Ref) {
	took := m.w.Between(0, 400*time.Millisecond)
	if m.w.Chance(40) {
		took = m.w.Between(10*time.Second, 40*time.Second)
		m.w.Seen["sink away"]++
	}
	m.w.After(took, func() { m.Run(func() { m.owed = append(m.owed, entry) }) })
}

// end is what a member does that is sealed: its process goes on as another.
func (m *Member) end() {
	if m.over {
		return
	}
	m.over = true
	m.fence.Lost()
	if m.Draining {
		m.w.Note("sealed itself", "%s", m.ID)
		m.dead = true
		return
	}
	m.w.After(m.w.Between(50*time.Millisecond, 800*time.Millisecond), func() { m.Run(func() { m.join(m) }) })
}
