// A member of the simulated fleet: what a worker does around the fold, with no more than is needed
// to drive it.

package flight_test

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"protocolq/worker/fleet"
	"protocolq/worker/flight"
	"protocolq/worker/journal"
)

// proc is a process: one peer after another.
type proc struct {
	w    *world
	name string
	dead bool
	// frozen and cut are until when it does nothing, or reaches no server; well is when it was last
	// in trouble.
	frozen, cut, well time.Duration
	deaf              time.Duration // until when it writes and learns nothing new
	wall              time.Duration // by how much its wall clock is wrong
	draining          bool
	peer              *peer
	flights           *flight.Flights
}

// peer is one member: an incarnation of a process.
type peer struct {
	*proc
	id     journal.Member
	state  *fleet.State
	own    *fleet.Own
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

	inbox   []*simAsk
	woken   bool // it is about to compose
	owed    []journal.Ref
	done    map[journal.Ref]bool
	carries []*carry
}

type carry struct {
	item fleet.Item
	e    journal.Entry
	by   journal.Member
}

func (w *world) spawn() {
	w.names++
	p := &proc{w: w, name: fmt.Sprintf("p%d", w.names)}
	w.procs = append(w.procs, p)
	w.note("joined", "%s", p.name)
	p.join(nil)
	p.tick()
}

// run does something in the process: when it wakes, if it is frozen, and never if it is dead.
func (p *proc) run(do func()) {
	switch {
	case p.dead:
	case p.frozen > p.w.now:
		p.w.after(p.frozen-p.w.now, func() { p.run(do) })
	default:
		do()
	}
}

func (p *proc) trouble(until time.Duration) { p.well = max(p.well, until) }

// reconnected is what the client says after it has lost the server.
func (p *proc) reconnected() { p.run(func() { p.peer.watch.Gap(p.w.now) }) }

// join begins a new member. What the former had in hand and could not write goes with it.
func (p *proc) join(former *peer) {
	w := p.w
	w.names++
	m := &peer{proc: p, id: journal.Member(fmt.Sprintf("%s-%d", p.name, w.names)), buffer: map[uint64]*journal.Batch{}, done: map[journal.Ref]bool{}}
	m.own = &fleet.Own{ID: m.id}
	m.watch = fleet.NewWatch(fleet.WatchOptions{}, w.now)
	m.fence, _ = fleet.NewFence(w.o.Lease, callTime)
	m.state = w.replay(p)
	m.beatAt, m.purgeAt = w.now+w.between(0, beat), w.now+w.between(time.Second, 4*time.Second)
	if former != nil {
		w.note("rejoined", "%s as %s", former.id, m.id)
		for _, a := range former.inbox { // what was submitted is delivered again anyway
			if a.door == journal.Await {
				m.inbox = append(m.inbox, a)
			}
		}
	}
	w.peers[m.id], p.peer = m, m
	if former == nil {
		p.flights = w.flights(p)
	} else {
		p.flights.Rejoin(m.state, m.own)
	}
	m.own.Draft(m.state, 1) // an empty first batch
	m.send()
	for _, d := range m.state.Owed(m.id) {
		m.tell(d)
	}
}

// tick is what a process does all the time.
func (p *proc) tick() {
	p.w.after(p.w.between(40*time.Millisecond, 60*time.Millisecond), func() { p.run(p.tick) })
	if p.peer.over {
		return
	}
	m, w := p.peer, p.w
	m.watch.Look(w.now)
	if w.now >= m.beatAt {
		m.beatAt += beat
		m.beat()
	}
	m.suspect()
	m.flights.Tick(w.now)
	if w.draw.IntN(12) == 0 {
		m.catchUp()
	}
	m.tail()
	m.compose()
}

// beat tells all others that the member lives.
func (m *peer) beat() {
	w := m.w
	if w.away > w.now || m.cut > w.now {
		return
	}
	for _, q := range w.procs {
		if q.dead || q.cut > w.now || w.chance(10) {
			continue
		}
		w.after(w.trip(), func() {
			q.run(func() {
				if q == m.proc {
					q.peer.watch.Echo(w.now)
				}
				q.peer.watch.Sign(m.id, w.now)
			})
		})
	}
}

// suspect looks at the others and seals whom it may.
func (m *peer) suspect() {
	w := m.w
	m.prove = false
	for _, o := range m.state.Live() {
		if o.ID == m.id {
			continue
		}
		if q := w.peers[o.ID]; (q.dead || q.proc.peer != q) && w.away <= w.now && m.cut <= w.now && w.draw.IntN(4) == 0 {
			m.watch.Mute(o.ID, w.now) // nobody is subscribed any more
		}
		switch m.watch.Suspect(o.ID, w.now) {
		case fleet.Prove:
			m.prove = true
		case fleet.Seal:
			if m.sealing {
				continue
			}
			m.sealing = true
			w.after(time.Second, func() { m.sealing = false })
			b := journal.Batch{Head: journal.Head{Number: o.Number + 1, Read: m.state.Applied()}, Entries: []journal.Entry{&journal.Seal{By: m.id}}}
			w.append(m.proc, o.ID, b, o.Last, func(reply) {})
		}
	}
}

// follow takes a batch that was republished.
func (m *peer) follow(b *journal.Batch) {
	if m.over || m.deaf > m.w.now || b.Position <= m.state.Applied() {
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
		m.w.note("gap", "%s after %d", m.id, m.state.Applied())
		m.w.after(30*time.Millisecond, func() { m.run(func() { m.asking = false; m.catchUp() }) })
	}
}

// catchUp reads from the log what is missing.
func (m *peer) catchUp() {
	w := m.w
	if m.over || w.away > w.now || m.cut > w.now || m.deaf > w.now {
		return
	}
	if w.first > m.state.Applied()+1 {
		m.drop()
		return
	}
	for _, b := range w.log[m.state.Applied():] {
		if m.over {
			return
		}
		delete(m.buffer, b.Position)
		if !m.apply(b) {
			w.errorf("%s does not apply %d after %d", m.id, b.Position, m.state.Applied())
		}
	}
}

// drop begins the fold anew as another member, as what is missing is purged. The former one is
// sealed by others.
func (m *peer) drop() {
	m.w.note("gap purged", "%s after %d", m.id, m.state.Applied())
	m.end()
}

// apply applies the next batch; it reports false for one that is not the next.
func (m *peer) apply(b *journal.Batch) bool {
	w := m.w
	c, err := m.state.Apply(b, fleet.Heard{At: w.now})
	if err != nil {
		return false
	}
	if seal := b.Seal(); seal != nil {
		m.watch.Gone(b.Member)
		if b.Member == m.id {
			m.end()
			return true
		}
	} else {
		m.watch.Sign(b.Member, w.now)
	}
	if b.Member == m.id {
		m.own.Applied(b.Number)
	}
	for _, d := range c.Due {
		if m.state.Owes(m.id, d) {
			m.tell(d)
		}
	}
	if c.Members {
		for _, d := range m.state.Owed(m.id) {
			m.tell(d)
		}
	}
	m.flights.Applied(b, c, w.now)
	return true
}

// tell does a duty and has it written that it is done.
func (m *peer) tell(d fleet.Duty) {
	if m.done[d.Entry] {
		return
	}
	m.done[d.Entry] = true
	if d.Ask != nil {
		m.w.tells(m, d.Ask, said(d.Ask.Settled), d.Ask.Settled)
	}
	m.finish(d.Entry)
}

// finish has it written that a duty is done, after what doing it takes: that is long where a stream
// is away.
func (m *peer) finish(entry journal.Ref) {
	took := m.w.between(0, 400*time.Millisecond)
	if m.w.chance(40) {
		took = m.w.between(10*time.Second, 40*time.Second)
		m.w.seen["sink away"]++
	}
	m.w.after(took, func() { m.run(func() { m.owed = append(m.owed, entry) }) })
}

// end is what a member does that is sealed: its process goes on as another.
func (m *peer) end() {
	if m.over {
		return
	}
	m.over = true
	m.fence.Lost()
	if m.draining {
		m.w.note("sealed itself", "%s", m.id)
		m.dead = true
		return
	}
	m.w.after(m.w.between(50*time.Millisecond, 800*time.Millisecond), func() { m.run(func() { m.join(m) }) })
}

// tail carries and purges where the log is long.
func (m *peer) tail() {
	w := m.w
	if w.now < m.purgeAt || w.away > w.now || m.cut > w.now {
		return
	}
	m.purgeAt = w.now + w.between(500*time.Millisecond, 3*time.Second)
	m.state.Purged(w.first)
	if len(m.carries) == 0 {
		for _, i := range m.state.Carry(m.own, m.target(), w.now, 6) {
			if i.At.Position < w.first {
				continue // it is purged: another has carried it, and this one has not read it yet
			}
			e, by := w.entry(i.At)
			m.carries = append(m.carries, &carry{i, e, by})
		}
	}
	if p, ok := m.state.Purge(m.id); ok && p > w.first+4 {
		shadow := fleet.New(w.o, p)
		for _, b := range w.log[p-1 : m.state.Applied()] {
			if _, err := shadow.Apply(b, fleet.Heard{At: w.now, Age: w.now - w.stored[b.Position-1]}); err != nil {
				w.errorf("%v", err)
			}
		}
		if d := fleet.Diff(m.state, shadow, w.now); d != "" {
			w.errorf("%s may purge below %d, and then: %s", m.id, p, d)
		}
		w.after(w.trip(), func() {
			if p > w.first {
				w.purge(p)
			}
		})
	}
}

// target is up to where the log should be purged, 0: it is short.
func (m *peer) target() uint64 {
	if long := uint64(len(m.w.log)) - m.w.first; long > 40 {
		return m.w.first + long*2/3
	}
	return 0
}
