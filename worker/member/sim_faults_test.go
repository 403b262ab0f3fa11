// What goes wrong in the simulation.

package member_test

import (
	"context"
	"slices"
	"time"

	"protocolq/worker/journal"
	"protocolq/worker/journal/journaltest"
)

// fault has something go wrong.
func (s *sim) fault(rewinds bool) {
	x := s.any()
	after := func(most int, do func()) {
		time.AfterFunc(time.Duration(s.rand.IntN(most))*time.Millisecond, do)
	}
	switch s.rand.IntN(13) {
	case 0:
		s.kill(x)
	case 1:
		s.freeze(x, true)
		after(15_000, func() { s.freeze(x, false) })
	case 2:
		s.mu.Lock()
		x.gone = true
		s.mu.Unlock()
		s.count("left")
		go s.leave(x)
	case 3, 4:
		if len(s.living()) < 5 {
			s.start()
		}
	case 5:
		s.count("no leader")
		s.trace("no leader")
		s.log.SetLeader(false)
		after(8000, func() { s.log.SetLeader(true) })
	case 6, 7:
		s.count("faults")
		x.conn.SetFaults(s.faults(1))
		after(10_000, func() { x.conn.SetFaults(journaltest.Faults{}) })
	case 8:
		s.count("full")
		s.log.SetRoom(s.log.Size() + s.rand.IntN(200))
		after(5000, func() { s.log.SetRoom(0) })
	case 9:
		s.outbox(x, s.rand.IntN(2) == 0, true)
		after(8000, func() { s.outbox(x, false, false) })
	case 10:
		s.count("forget")
		_ = x.Forget(journal.Hash{1, byte(s.rand.IntN(12))}, func(error) {})
	case 11:
		if rewinds && !s.rewound {
			s.rewind()
		}
	case 12:
		s.mu.Lock()
		s.spoil = s.rand.IntN(3) == 0
		s.mu.Unlock()
	}
}

func (s *sim) outbox(x *simMember, refuse, away bool) {
	s.mu.Lock()
	x.refuse, x.away = refuse, away
	var due []journal.Ref
	for ref, done := range x.known {
		if !done && !away {
			x.known[ref] = true
			due = append(due, ref)
		}
	}
	s.mu.Unlock()
	slices.SortFunc(due, journal.Ref.Compare)
	if len(due) > 0 {
		x.finish(due...)
	}
}

func (s *sim) kill(x *simMember) {
	s.trace("kill %s", x.name)
	s.count("killed")
	s.mu.Lock()
	x.gone = true
	s.deaths++
	s.mu.Unlock()
	s.freeze(x, true)
	x.cancel()
	<-x.done
}

func (s *sim) freeze(x *simMember, frozen bool) {
	s.trace("freeze %s %v", x.name, frozen)
	s.count("frozen")
	x.conn.Cut(frozen)
	s.world.mu.Lock()
	x.one.frozen = frozen
	s.world.mu.Unlock()
	s.mu.Lock()
	s.deaths++
	s.mu.Unlock()
}

func (s *sim) leave(x *simMember) {
	s.trace("leave %s", x.name)
	s.mu.Lock()
	x.gone = true
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(s.t.Context(), 15*time.Second)
	defer cancel()
	begun := time.Now()
	x.Drain(ctx)
	x.Leave(ctx)
	x.cancel()
	<-x.done
	if took := time.Since(begun); took > 16*time.Second {
		s.t.Errorf("%s took %v to leave", x.name, took)
	}
	if x.err != nil {
		s.t.Errorf("%s ended with %v", x.name, x.err)
	}
}

// rewind restores an older copy of the log, or takes it away and makes it anew.
func (s *sim) rewind() {
	s.count("rewound")
	s.mu.Lock()
	s.rewound, s.rewindAt = true, s.now()
	s.mu.Unlock()
	all := s.log.Messages()
	if s.rand.IntN(2) == 0 || len(all) < 3 {
		s.trace("log made anew")
		s.log.Delete()
		s.setHistory(nil)
		time.AfterFunc(time.Duration(s.rand.IntN(3000))*time.Millisecond, s.log.Create)
		return
	}
	at := all[s.rand.IntN(len(all)-1)].Position
	s.trace("log restored at %d of %d", at, all[len(all)-1].Position)
	s.log.Restore(at)
	s.setHistory(s.log.Messages())
}

// heal ends all faults.
func (s *sim) heal() {
	s.log.SetLeader(true)
	s.log.SetRoom(0)
	s.log.Create()
	for _, x := range s.living() {
		s.freeze(x, false)
		x.conn.SetFaults(journaltest.Faults{})
		s.outbox(x, false, false)
	}
	if len(s.living()) == 0 {
		s.start()
	}
	s.trace("healed")
}
