// Who is a member: from its first batch to its seal.

package fleet

import (
	"slices"
	"time"

	"protocolq/worker/journal"
)

// Member is what the fold knows of one incarnation of a worker.
type Member struct {
	ID journal.Member
	// Joined is the position of its first batch, 0 if that is before the fold's beginning.
	Joined uint64
	// Last is the position of its newest batch, Read the position that its writer had applied then.
	Last, Read uint64
	// Number is the number of its newest batch.
	Number uint64
	// Sealed is the position of its seal, 0 while it lives.
	Sealed uint64
	// Corrupt says that it was sealed because one of its batches was damaged: that batch may have held
	// a begin.
	Corrupt bool
	// Heard is when its newest batch was applied here, on the observer's monotonic clock: the newest
	// before the seal, or after it if it had to learn that one of its batches was damaged.
	Heard time.Duration

	seed uint64
}

// heard notes a batch of a member that is not sealed.
func (s *State) heard(m *Member, b *journal.Batch, h Heard) *Member {
	if m == nil {
		m = &Member{ID: b.Member, seed: seed(b.Member)}
		// This is not its writer's first batch. The first is below the fold, and every member has read
		// it, or the log would not have been purged up to here.
		if b.Number <= 1 {
			m.Joined = b.Position
		}
		s.members[m.ID] = m
		s.live = append(s.live, m)
		s.changes.Members = true
	}
	m.Last, m.Number, m.Heard = b.Position, b.Number, h.At
	m.Read = max(m.Read, b.Read)
	return m
}

// seal ends a member.
func (s *State) seal(id journal.Member, h Heard) {
	m := s.members[id]
	if m == nil { // its batches are below the fold
		m = &Member{ID: id, Heard: h.At}
		s.members[id] = m
	}
	m.Sealed = s.applied
	s.live = slices.DeleteFunc(s.live, func(o *Member) bool { return o == m })
	s.changes.Members = true
	s.lapse(func() {
		if s.members[id] == m {
			delete(s.members, id)
		}
	})
}

// Live are the members at this position, in the order in which they joined.
func (s *State) Live() []*Member { return s.live }

// Member is a member that is live or was sealed recently, or nil.
func (s *State) Member(id journal.Member) *Member { return s.members[id] }

// lives reports whether a member has joined and is not sealed. A member that is no longer in the
// log does not live.
func (s *State) lives(id journal.Member) bool {
	m := s.members[id]
	return m != nil && m.Sealed == 0
}

// Complete reports whether a member may decide about keys: every live member that joined before it
// has said in a head that it has read the join. Whatever such a member decided at an older position
// comes before that head in the log, so the joiner has seen it. Members that joined later wait for
// this one's head in turn. A complete member stays complete.
func (s *State) Complete(id journal.Member) bool {
	me := s.members[id]
	if me == nil || me.Sealed != 0 {
		return false
	}
	for _, m := range s.live {
		if m.Joined < me.Joined && m.Read < me.Joined {
			return false
		}
	}
	return true
}

// BeatDue reports whether a member has to store a batch at once, if need be an empty one. That is
// so if another member has joined and none of its own heads has read that yet, because the joiner
// begins nothing until then. It is also so if its newest batch, by its place or by the position
// that it says was read, prevents purging up to a position (0: nothing is purged).
func (s *State) BeatDue(o *Own, purge uint64) bool {
	me := s.members[o.ID]
	read := o.read(me)
	for _, m := range s.live {
		if m.ID != o.ID && m.Joined > read {
			return true
		}
	}
	return me != nil && min(me.Last, me.Read+1) < purge && !o.underWay()
}
