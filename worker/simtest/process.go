// A process of the simulated fleet: one member after another.

package simtest

import (
	"time"

	"protocolq/worker/fleet"
	"protocolq/worker/journal"
)

// Process is a worker's process.
type Process struct {
	// Name names it.
	Name string
	// Member is what it is now.
	Member *Member
	// Draining says that it begins nothing more, and ends.
	Draining bool

	w    *World
	dead bool
	// frozen and cut are until when it does nothing, or reaches no server; well is when it was last
	// in trouble.
	frozen, cut, well time.Duration
	deaf              time.Duration // until when it writes and learns nothing new
	wall              time.Duration // by how much its wall clock is wrong
}

// World is where it lives.
func (p *Process) World() *World { return p.w }

func (w *World) spawn() {
	p := &Process{w: w, Name: w.Name("p")}
	w.processes = append(w.processes, p)
	w.Note("joined", "%s", p.Name)
	p.join(nil)
	p.tick()
}

// Run does something in the process: when it wakes, if it is frozen, and never if it is dead.
func (p *Process) Run(do func()) {
	switch {
	case p.dead:
	case p.frozen > p.w.now:
		p.w.After(p.frozen-p.w.now, func() { p.Run(do) })
	default:
		do()
	}
}

func (p *Process) trouble(until time.Duration) { p.well = max(p.well, until) }

// reconnected is what the client says after it has lost the server.
func (p *Process) reconnected() { p.Run(func() { p.Member.watch.Gap(p.w.now) }) }

// cutOff reports whether no server is reached.
func (p *Process) cutOff() bool { return p.w.away > p.w.now || p.cut > p.w.now }

func (p *Process) drain() {
	p.Draining = true
	p.Run(func() { p.Member.runs.Drain() })
}

// join begins a new member. What the former had in hand and could not write goes with it.
func (p *Process) join(former *Member) {
	w := p.w
	m := &Member{
		Process: p, ID: journal.Member(w.Name(p.Name + "-")),
		buffer: map[uint64]*journal.Batch{}, done: map[journal.Ref]bool{},
	}
	m.Own = &fleet.Own{ID: m.ID}
	m.watch = fleet.NewWatch(fleet.WatchOptions{}, w.now)
	m.fence, _ = fleet.NewFence(w.Fleet.Lease, CallTime)
	m.State = w.replay(p)
	m.beatAt, m.purgeAt = w.now+w.Between(0, beat), w.now+w.Between(time.Second, 4*time.Second)
	var runs Runs
	if former != nil {
		w.Note("rejoined", "%s as %s", former.ID, m.ID)
		for _, a := range former.inbox { // what was submitted is delivered again anyway
			if a.Door == journal.Await {
				m.inbox = append(m.inbox, a)
			}
		}
		runs = former.runs
	}
	w.members[m.ID], p.Member = m, m
	m.runs = w.o.Runs(m, runs)
	m.Own.Draft(m.State, 1) // an empty first batch
	m.send()
	m.replyOwed()
}

// tick is what a process does all the time.
func (p *Process) tick() {
	p.w.After(p.w.Between(40*time.Millisecond, 60*time.Millisecond), func() { p.Run(p.tick) })
	m, w := p.Member, p.w
	if m.over {
		return
	}
	m.watch.Look(w.now)
	if w.now >= m.beatAt {
		m.beatAt += beat
		m.beat()
	}
	m.suspect()
	m.runs.Tick()
	if w.Draw.IntN(12) == 0 {
		m.catchUp()
	}
	m.tail()
	m.Compose()
}

// replay folds the content of the log, like a process that starts now.
func (w *World) replay(p *Process) *fleet.State {
	s := fleet.New(w.Fleet, w.first)
	server := w.start.Add(w.now + w.wrong)
	own := w.start.Add(w.now + p.wall)
	for _, b := range w.log[w.first-1:] {
		if _, err := s.Apply(b, fleet.Heard{At: w.now, Age: fleet.Age(b.Stored, server, own)}); err != nil {
			w.Errorf("replay: %v", err)
		}
	}
	return s
}
