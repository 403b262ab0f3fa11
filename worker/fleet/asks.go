// Asks in the fold: from the journal to the moment when they are told.

package fleet

import (
	"slices"
	"time"

	"protocolq/worker/journal"
	"protocolq/worker/memory"
)

// Ask is an ask that is not told yet.
type Ask struct {
	// First is its identity in the log, At where its text is: the same place or its newest copy.
	First, At journal.Ref
	Token     string
	into      time.Duration // into its token's piece of time, see [journal.Near]
	Key       journal.Key
	Question  journal.Hash
	ID        journal.Hash
	Persons   [2]journal.Hash
	Door      journal.Door
	Given     bool
	MaxAge    time.Duration
	// Stored is when it was stored, by the age that the log gives it, on the observer's monotonic
	// clock.
	Stored time.Duration
	// Due is its deadline on the observer's monotonic clock; 0: none.
	Due            time.Duration
	Partner, Asker string
	// Settled is what settles it, nil while it waits.
	Settled *Settlement

	size int64
}

// Settlement is what settles an ask.
type Settlement struct {
	// By wrote the entry that settles it, at At; By tells the ask while it lives.
	By journal.Member
	At journal.Ref
	// Run is the run that answers it. Answer is where that answer's text was when the entry was
	// written, in its first place or in a copy. Both are zero if Why says why there is no answer.
	// Answer stays in the log until the ask is told: a member that finds it purged has that entry
	// still to read.
	Run    string
	Answer journal.Ref
	Why    string
}

type toldToken struct {
	clock time.Duration
	pin   uint64 // what a fold must have seen to know the token
	into  time.Duration
}

// final is an answer that is final for an asker's id, and until when on the observer's monotonic
// clock.
type final struct {
	answer journal.Ref
	until  time.Duration
}

// askBytes is about what an ask takes in the log in addition to its query.
const askBytes = 150

// place is where an entry was first, and where this copy of it is.
type place struct{ first, at journal.Ref }

// keyState is the live state of a key. Its remembered answer is in the index.
type keyState struct {
	open    *Run
	waiting []*Ask // in the log's order
}

func (s *State) key(k journal.Key) *keyState {
	ks := s.keys[k]
	if ks == nil {
		ks = &keyState{}
		s.keys[k] = ks
	}
	return ks
}

// touched notes a change of a key, and forgets the key when nothing of it is live.
func (s *State) touched(k journal.Key) {
	s.changes.Keys = append(s.changes.Keys, k)
	if ks := s.keys[k]; ks != nil && ks.open == nil && len(ks.waiting) == 0 {
		delete(s.keys, k)
	}
}

// Waiting are a key's asks that are not settled, in the log's order.
func (s *State) Waiting(k journal.Key) []*Ask {
	if ks := s.keys[k]; ks != nil {
		return ks.waiting
	}
	return nil
}

// Keys calls yield for each key with a waiting ask or an open run, in no order, until yield returns
// false. The fold must not be changed meanwhile.
func (s *State) Keys(yield func(journal.Key) bool) {
	for k := range s.keys {
		if !yield(k) {
			return
		}
	}
}

// Ask is the ask with this first place, or nil once it is told.
func (s *State) Ask(first journal.Ref) *Ask { return s.asks[first] }

// Knows reports whether the ask of a token, or of a near one, is in the log, or was there and is
// told. A door need not journal it again.
func (s *State) Knows(token string, near journal.Near) bool {
	_, pin := s.arrived(token, near)
	return pin > 0
}

// arrived finds the ask that has this token or a near one, so that an entry with the token is a
// further arrival of it. The ask is nil if it is told. pin is what a fold must have seen to know
// the ask; 0: there is none.
func (s *State) arrived(token string, near journal.Near) (a *Ask, pin uint64) {
	if a, pin, _ = s.known(token); pin > 0 {
		return a, pin
	}
	if near.Earlier != (journal.Hash{}) {
		if a, pin, into := s.known(journal.TokenOf(near.Earlier)); pin > 0 && near.Into < into {
			return a, pin
		}
	}
	if near.Later != (journal.Hash{}) {
		if a, pin, into := s.known(journal.TokenOf(near.Later)); pin > 0 && into < near.Into {
			return a, pin
		}
	}
	return nil, 0
}

// known finds the ask of exactly this token.
func (s *State) known(token string) (a *Ask, pin uint64, into time.Duration) {
	if a := s.tokens[token]; a != nil {
		return a, a.At.Position, a.into
	}
	t := s.told[token]
	return nil, t.pin, t.into
}

// Final is the place of the answer that is final for asker and id now, for Keep after it came: an
// ask that comes again gets that answer, and no call is made for it.
func (s *State) Final(id journal.Hash, now time.Duration) (journal.Ref, bool) {
	f, ok := s.finals[id]
	return f.answer, ok && id != journal.Hash{} && now < f.until
}

// ask opens an ask. Of two entries with the same token, or with near tokens, the first in the log
// counts: two doors took one message, it was delivered again, or its sender stored it again. This
// is so for Keep after the ask was told, because a message whose acknowledgement is lost is
// delivered again.
func (s *State) ask(e *journal.Ask, p place, h Heard) {
	if _, pin := s.arrived(e.Token, e.Near); pin > 0 {
		// A fold that began in between would take the second arrival for the first, even when this one
		// has long forgotten the token.
		s.voids = append(s.voids, void{pin - 1, p.at.Position})
		return
	}
	a := &Ask{
		First: p.first, At: p.at, Token: e.Token, into: e.Near.Into, Key: e.Key, Question: e.Question, ID: e.ID,
		Persons: e.Persons, Door: e.Door, Given: e.Given, MaxAge: e.MaxAge, Partner: e.Partner, Asker: e.Asker,
		Stored: h.At - h.Age, size: int64(len(e.Query) + len(e.Reply) + len(e.Trace) + askBytes),
	}
	switch { // counted from when it was applied here: no two clocks are compared
	case e.Late():
		a.Due = max(1, a.Stored)
	case e.Left > 0:
		a.Due = max(1, a.Stored+e.Left)
	}
	s.asks[a.First], s.tokens[a.Token] = a, a
	ks := s.key(a.Key)
	if r := ks.open; r != nil && !r.known && r.asked == a.First {
		r.question, r.known = memory.Question(a.Question), true
	}
	i, _ := slices.BinarySearchFunc(ks.waiting, a, compareAsks)
	ks.waiting = slices.Insert(ks.waiting, i, a)
	s.bytes += a.size
	s.touched(a.Key)
}

func compareAsks(a, b *Ask) int { return a.First.Compare(b.First) }

// carriedAsk opens an ask whose first place the fold has not seen, or notes the new place of its
// text.
func (s *State) carriedAsk(e *journal.Ask, c *journal.Carried, at journal.Ref, h Heard) {
	if a := s.asks[c.First]; a != nil {
		// The copy of a settled ask is ignored: a fold that began with it would not know what settled the
		// ask.
		if a.Settled == nil {
			a.At = at
		}
		return
	}
	_, told := s.early[c.First]
	if c.First.Position >= s.base || told {
		s.late(c, at)
		return // the fold has seen it, and its end too
	}
	if a, _ := s.arrived(e.Token, e.Near); a != nil && c.First.Compare(a.First) < 0 {
		// The entry taken as the first was its second arrival.
		delete(s.asks, a.First)
		delete(s.tokens, a.Token)
		a.First, a.At, a.Token, a.into = c.First, at, e.Token, e.Near.Into
		s.asks[a.First], s.tokens[a.Token] = a, a
		slices.SortFunc(s.key(a.Key).waiting, compareAsks)
		return
	}
	h.Age += c.Age
	s.ask(e, place{c.First, at}, h)
}

// settle notes what settles an ask. The ask is then due to be told.
func (s *State) settle(a *Ask, by Settlement) {
	a.Settled = &by
	s.changes.Due = append(s.changes.Due, Duty{Entry: a.First, Ask: a})
}

// settled applies an owner's settled entry, for asks that no answer of a run under way settles. An
// ask is settled once, by whatever comes first in the log.
func (s *State) settled(by journal.Member, at journal.Ref, e *journal.Settled) {
	for _, ref := range e.Asks {
		a := s.asks[ref]
		if a == nil || a.Settled != nil {
			continue
		}
		s.settle(a, Settlement{By: by, At: at, Run: e.Run, Answer: e.Answer, Why: e.Why})
		if open := s.Open(a.Key); e.Why != "" && open != nil && s.Cut(open) && a.ID != (journal.Hash{}) {
			open.refused = append(open.refused, refused{a.ID, e.Why, at.Position})
		}
		s.leave(a)
	}
}

// leave removes an ask from those that wait.
func (s *State) leave(a *Ask) {
	if ks := s.keys[a.Key]; ks != nil {
		ks.waiting = slices.DeleteFunc(ks.waiting, func(o *Ask) bool { return o == a })
	}
	s.touched(a.Key)
}

// tell forgets entries whose duties are done.
func (s *State) tell(e *journal.Told) {
	for _, ref := range e.Entries {
		if a := s.asks[ref]; a != nil {
			s.tellAsk(a)
		} else if o := s.answered[ref]; o != nil {
			delete(s.answered, ref)
		}
		if ref.Position < s.base {
			// Its text may still come as a copy, or as another one, from a member that did not know.
			s.early[ref] = struct{}{}
			s.lapse(func() { delete(s.early, ref) })
		}
	}
}

func (s *State) tellAsk(a *Ask) {
	delete(s.asks, a.First)
	delete(s.tokens, a.Token)
	if a.Settled == nil {
		s.leave(a)
	}
	s.bytes -= a.size
	if a.Door == journal.Submit { // the only door that delivers again
		s.know(a.Token, toldToken{pin: a.At.Position, into: a.into})
	}
}

// know remembers the token of a told ask.
func (s *State) know(token string, t toldToken) {
	if _, known := s.told[token]; !known {
		t.clock = s.clock
		s.told[token] = t
		s.order = append(s.order, token)
	}
}

// forgetTokens forgets those that were told before a time on the log's clock.
func (s *State) forgetTokens(before time.Duration) {
	n := 0
	for n < len(s.order) && s.told[s.order[n]].clock < before {
		delete(s.told, s.order[n])
		n++
	}
	s.order = s.order[n:]
}

// Forgotten are the open asks about persons that are to be forgotten. Their key's owner settles
// them.
func (s *State) Forgotten() (asks []*Ask) {
	if len(s.forgotten) == 0 {
		return nil
	}
	for _, a := range s.asks {
		if a.Settled == nil && s.Forgot(a.Persons, a.First) {
			asks = append(asks, a)
		}
	}
	slices.SortFunc(asks, compareAsks)
	return asks
}

// IsForgotten reports whether an entry is about a person whom an entry before it has forgotten,
// because its run or its first place is older: its writer did not know, or had to end the run.
func (s *State) IsForgotten(e journal.Entry) bool {
	switch e := e.(type) {
	case *journal.Answer:
		return s.Forgot(e.Persons, e.Begun)
	case *journal.Carried:
		switch x := e.Entry.(type) {
		case *journal.Ask:
			return s.Forgot(x.Persons, e.First)
		case *journal.Answer:
			return x.Keep > 0 && s.Forgot(x.Persons, x.Begun)
		}
	}
	return false
}

// Forgot reports whether one of the persons was forgotten after a place of the log.
func (s *State) Forgot(persons [2]journal.Hash, since journal.Ref) bool {
	return s.forgotBy(persons, since) > 0
}

// forgotBy is the position of the last entry that forgot one of them, 0: there is none.
func (s *State) forgotBy(persons [2]journal.Hash, since journal.Ref) (by uint64) {
	for _, p := range persons {
		if at := s.forgotten[p]; p != (journal.Hash{}) && since.Position < at {
			by = max(by, at)
		}
	}
	return by
}
