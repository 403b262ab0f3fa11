// The fold: what the log up to a position says, the same for everyone who has applied it.

package fleet

import (
	"errors"
	"fmt"
	"time"

	"protocolq/worker/journal"
	"protocolq/worker/memory"
)

// Options are the settings of a fleet, alike for all its members.
type Options struct {
	// Lease is how long after the first sending of its newest acknowledged batch a member's calls have
	// surely ended; Grace is how much longer others wait.
	Lease, Grace time.Duration
	// Keep is for how much of the log's own time the fold knows that a submitted ask was told, a run
	// crashed, or a member was sealed: the longest time in which an entry can still refer to one.
	Keep time.Duration
	// Lag is for how long an expired answer stays known: the most by which it may last longer by one
	// member's clock than by another's.
	Lag time.Duration
	// Attempts bounds the calls for one question, Deaths the runs of a key that end with their
	// member.
	Attempts, Deaths int
	// Fail ends a cut run as crashed; otherwise it is run again.
	Fail bool
}

// Heard says when a batch arrived. It is all that a fold knows of clocks.
type Heard struct {
	// At is when it was applied here, on the member's monotonic clock.
	At time.Duration
	// Age is how long it had been stored by then: 0 for one that was just stored, see [Age] for one
	// that is replayed.
	Age time.Duration
}

// Age is how old a replayed batch is, by the server's clock or by this process's, whichever makes
// it older, so that a wrong clock never makes anything last longer.
func Age(stored, server, own time.Time) time.Duration {
	return max(server.Sub(stored), own.Sub(stored), 0)
}

// ErrGap means that a batch is not the next one. The missing batches have to be applied first. If
// they are purged, the fold has to be dropped, and a new one begins at the log's first batch.
var ErrGap = errors.New("batch is not the next one")

// State is the fold of the log from a first position up to the one applied last. It does no I/O,
// starts nothing and is not safe for concurrent use. What its methods return is read, never
// changed.
type State struct {
	o       Options
	base    uint64 // the position that the fold began with
	applied uint64
	clock   time.Duration // the log's own time, see tick
	stored  time.Time     // when the batch applied last was stored

	members map[journal.Member]*Member
	live    []*Member // in the order in which they joined

	keys     map[journal.Key]*keyState // those with a waiting ask or an open run
	asks     map[journal.Ref]*Ask      // those not told, by first place
	tokens   map[string]*Ask           // the same by token
	answered map[journal.Ref]*Answered // answers whose duties are not told

	answers *memory.Index // the gateway's word
	cooling *memory.Index // what failed, until its cool-down ends

	told      map[string]toldToken // submitted asks that were told recently
	order     []string             // their tokens, the one told first in front
	finals    map[journal.Hash]final
	forgotten map[journal.Hash]uint64
	ended     map[string]struct{}      // runs of which a begin may still be carried or followed
	early     map[journal.Ref]struct{} // told entries from before the base
	lapses    queue                    // when to forget what stands above

	bottom uint64 // where the log begins now
	voids  []void
	marks  []mark
	bytes  int64 // of open asks, see Live

	changes Changes
}

// Changes is what applying a batch changed. It is valid until the next is applied.
type Changes struct {
	// Keys are those whose asks, run or answer changed, some perhaps twice.
	Keys []journal.Key
	// Due are the asks and answers that became due to be told, whichever member must tell them.
	Due []Duty
	// Members says that a member joined or was sealed: keys have another owner, and duties pass to
	// other members.
	Members bool
	// Void says that the batch held a begin, an answer or a copy that does not count.
	Void bool
}

// New makes the fold of nothing: first is the position of the batch that is applied first, which is
// the log's first.
func New(o Options, first uint64) *State {
	return &State{
		o: o, base: first, applied: first - 1, bottom: first,
		members: map[journal.Member]*Member{}, keys: map[journal.Key]*keyState{}, asks: map[journal.Ref]*Ask{},
		tokens: map[string]*Ask{}, answered: map[journal.Ref]*Answered{},
		answers: new(memory.Index), cooling: new(memory.Index),
		told: map[string]toldToken{}, finals: map[journal.Hash]final{}, forgotten: map[journal.Hash]uint64{},
		ended: map[string]struct{}{}, early: map[journal.Ref]struct{}{},
	}
}

// Applied is the position applied last.
func (s *State) Applied() uint64 { return s.applied }

// Answers are the remembered answers, including expired ones.
func (s *State) Answers() *memory.Index { return s.answers }

// Apply folds the next batch. Its error is ErrGap, and then nothing has changed.
func (s *State) Apply(b *journal.Batch, h Heard) (*Changes, error) {
	if b.Position != s.applied+1 {
		// A fold that skips a gap may miss a begin or a seal, which leads to a second call.
		return nil, fmt.Errorf("batch %d after %d: %w", b.Position, s.applied, ErrGap)
	}
	s.applied = b.Position
	s.tick(b.Stored, h.At)
	s.changes = Changes{Keys: s.changes.Keys[:0], Due: s.changes.Due[:0]}
	m := s.members[b.Member]
	if m != nil && m.Sealed != 0 {
		// This happens only if an unreadable batch has sealed it, and it went on until it learned of
		// that. A fold that began in between would take it for a live member.
		s.voids = append(s.voids, void{m.Sealed - 1, b.Position})
		m.Heard = h.At         // its calls may go on for a lease from here
		return &s.changes, nil // nothing counts after a seal: others act on what the member had said before it
	}
	if seal := b.Seal(); seal != nil && seal.By != b.Member {
		s.seal(b.Member, h) // a sign of life of the sealer, not of the sealed
		return &s.changes, nil
	}
	m = s.heard(m, b, h)
	if b.Corrupt != nil {
		m.Corrupt = true
		s.seal(b.Member, h)
		return &s.changes, nil
	}
	for i, e := range b.Entries {
		s.entry(b, b.Ref(i), e, h)
	}
	if s.changes.Void {
		s.voids = append(s.voids, void{b.Read, b.Position})
	}
	return &s.changes, nil
}

func (s *State) entry(b *journal.Batch, at journal.Ref, e journal.Entry, h Heard) {
	switch e := e.(type) {
	case *journal.Ask:
		s.ask(e, place{at, at}, h)
	case *journal.Begin:
		s.begin(b, at, e, h)
	case *journal.Answer:
		s.answer(b, at, e, h)
	case *journal.Settled:
		s.settled(b.Member, at, e)
	case *journal.Told:
		s.tell(e)
	case *journal.Seal:
		s.seal(b.Member, h)
	case *journal.Forget:
		s.forgotten[e.Person] = b.Position
		s.lapse(func() {
			if s.forgotten[e.Person] == at.Position {
				delete(s.forgotten, e.Person)
			}
		})
	case *journal.Carried:
		s.carried(at, e, h)
	}
}

// tick advances the log's own time, by which all members forget the same at the same position. From
// one batch to the next it advances by at most a 60th of Keep. So a server whose clock is an hour
// ahead does not make members forget an hour too early. Nor does an outage, after which batches
// come that were composed before it. In a night without batches the log's time hardly moves, which
// only keeps things longer.
func (s *State) tick(stored time.Time, at time.Duration) {
	if !s.stored.IsZero() {
		s.clock += min(max(stored.Sub(s.stored), 0), s.o.Keep/60)
	}
	s.stored = stored
	s.mark(at)
	s.forgetTokens(s.clock - s.o.Keep)
	s.lapses.run(s.clock - s.o.Keep)
}

// queue is what is to be done once the log's time has advanced by Keep.
type queue struct{ waiting []lapse }

type lapse struct {
	from time.Duration
	do   func()
}

func (s *State) lapse(do func()) { s.lapses.waiting = append(s.lapses.waiting, lapse{s.clock, do}) }

// run does what was put in before the time given.
func (q *queue) run(before time.Duration) {
	n := 0
	for n < len(q.waiting) && q.waiting[n].from < before {
		q.waiting[n].do()
		n++
	}
	if q.waiting = q.waiting[n:]; len(q.waiting) == 0 {
		q.waiting = nil
	}
}

// Sweep forgets, in one part of the memory, what has expired by every member's clock, and returns
// the next part. Called every second, it goes through all of the memory in a few minutes.
func (s *State) Sweep(part int, now time.Duration) (next int) {
	s.cooling.Forget(part, now-s.o.Lag)
	return s.answers.Forget(part, now-s.o.Lag)
}

// Cooling are the failures whose keys cool down, including expired ones.
func (s *State) Cooling() *memory.Index { return s.cooling }
