// Flights: the state of all keys that the member decides about.

package flight

import (
	"bytes"
	"errors"
	"maps"
	"slices"
	"time"

	"protocolq/worker/fleet"
	"protocolq/worker/journal"
)

// flight is a key that the member decides about.
type flight struct {
	key    journal.Key
	run    *run // begun and not answered
	acct   *account
	parked int32 // asks counted as parked
	timer  int32 // place in the timers, from 1 on; 0: none
	dirty  bool  // it is looked at when the next batch is composed
	wake   time.Duration

	lane          *lane // in which it waits for a slot
	before, after *flight
}

// account is how many asks of one asker are parked.
type account struct {
	who
	asks int
}

// Flights are the keys that a member decides about. All methods are called from the goroutine that
// owns the fold, see [Loop].
type Flights struct {
	o     Options
	state *fleet.State
	own   *fleet.Own
	now   time.Duration

	keys     map[journal.Key]*flight
	timers   timers
	dirty    []*flight
	stale    []journal.Key // to be looked at after those, because a member joined or was sealed
	moved    []*flight     // waiting for an own batch, or for the member to be complete
	ready    []*flight     // with an acknowledged begin whose call has not begun
	late     []*run        // of the member that this process was before
	unread   []unread      // with an answer that is acknowledged and not applied
	queue    queue
	partners map[string]*partner
	free     int // slots
	open     int // runs
	parked   int
	accounts map[who]*account
	answers  answers
	complete bool
	draining bool
	last     bool // no more calls begin

	forgotten map[journal.Ref]bool // asks about a person who is to be forgotten

	draft   Draft // being composed, with what follows
	full    bool
	drafted map[journal.Key]draftedAsk
	missing journal.Ref // an answer that Fresh has to know
}

// unread is a run whose answer is at a position that has not been read. If that batch turns out to
// be unreadable, or has already, the answer is journalled again.
type unread struct {
	position uint64
	run      *run
}

type draftedAsk struct {
	ask *journal.Ask
	at  journal.Ref
}

// New makes the flights of a member that has not decided anything yet. The fold may be at any
// position.
func New(o Options, s *fleet.State, own *fleet.Own) (*Flights, error) {
	if err := o.defaults(); err != nil {
		return nil, err
	}
	f := &Flights{
		o: o, free: o.Slots, queue: queue{share: o.Share},
		partners: map[string]*partner{}, accounts: map[who]*account{},
	}
	f.join(s, own)
	return f, nil
}

func (f *Flights) join(s *fleet.State, own *fleet.Own) {
	f.state, f.own, f.keys = s, own, map[journal.Key]*flight{}
	for _, p := range f.partners { // in a log that was made anew positions count from 1
		p.resumed = min(p.resumed, s.Applied())
	}
	f.answers = newAnswers()
	own.Warm = f.warm
	f.complete = false
	f.forget()
	f.touchAll()
}

// Rejoin goes on as another member, whose fold has been applied to the end of the log: the former
// member is sealed. Calls that are under way go on, and their outcomes are journalled while they
// are of use.
func (f *Flights) Rejoin(s *fleet.State, own *fleet.Own) {
	for _, k := range f.inOrder() {
		fl := f.keys[k]
		f.queue.remove(fl)
		if r := fl.run; r != nil && (r.calling || r.verdict == journal.Conclusive) {
			f.late = append(f.late, r)
		} else if r != nil {
			f.leave(r)
		}
	}
	for _, u := range f.unread {
		if u.run.answer = nil; u.run.verdict == journal.Conclusive {
			f.late = append(f.late, u.run)
		}
	}
	f.unread = nil
	slices.SortFunc(f.late, func(a, b *run) int { return bytes.Compare(a.key[:], b.key[:]) })
	f.timers, f.dirty, f.moved, f.ready, f.parked, f.open = nil, nil, nil, nil, 0, 0
	clear(f.accounts)
	f.join(s, own)
	f.o.Journal.Wake()
}

// Drain says that no more runs are to begin. Open runs go on.
func (f *Flights) Drain() {
	f.draining = true
	f.touchAll()
}

// LastCalls says that no more calls are to begin because the member drains: they would be cut. A
// run between two attempts has failed. A run whose first call was not made is left to the next
// owner.
func (f *Flights) LastCalls(now time.Duration) {
	f.now, f.last = now, true
	f.touchAll()
	f.callReady()
}

// Open is how many runs the member has begun and not answered. While it is not 0, batches have to
// renew the lease.
func (f *Flights) Open() int { return f.open }

// Idle reports whether nothing is under way: a member that drains may seal itself.
func (f *Flights) Idle() bool { return f.Open() == 0 && len(f.late) == 0 }

// Keys is how many keys are decided about.
func (f *Flights) Keys() int { return len(f.keys) }

// Parked is how many asks wait without a call under way.
func (f *Flights) Parked() int { return f.parked }

// flight is the flight of a key, made if there is none.
func (f *Flights) flight(k journal.Key) *flight {
	fl := f.keys[k]
	if fl == nil {
		fl = &flight{key: k}
		f.keys[k] = fl
	}
	return fl
}

// touch marks a flight to be looked at when the next batch is composed, which is soon.
func (f *Flights) touch(fl *flight) {
	if !fl.dirty {
		fl.dirty = true
		f.dirty = append(f.dirty, fl)
	}
	if f.draft == nil {
		f.o.Journal.Wake()
	}
}

func (f *Flights) touchKey(k journal.Key) {
	if fl := f.keys[k]; fl != nil || f.state.Owner(k) == f.own.ID {
		f.touch(f.flight(k))
	}
}

// inOrder are the keys, in an order that does not depend on the runtime.
func (f *Flights) inOrder() []journal.Key { return slices.SortedFunc(maps.Keys(f.keys), byBytes) }

func byBytes(a, b journal.Key) int { return bytes.Compare(a[:], b[:]) }

// touchAll marks all keys to be looked at, in an order that does not depend on the runtime. Keys
// that change meanwhile need not wait for the last of them.
func (f *Flights) touchAll() {
	keys := make([]journal.Key, 0, len(f.keys))
	for k := range f.keys {
		keys = append(keys, k)
	}
	for k := range f.state.Keys {
		if f.keys[k] == nil && f.state.Owner(k) == f.own.ID {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, byBytes)
	if f.stale = keys; len(keys) > 0 {
		f.o.Journal.Wake()
	}
}

// Applied takes in what applying a batch has changed. For an own batch, Own.Applied is called
// first.
func (f *Flights) Applied(b *journal.Batch, c *fleet.Changes, now time.Duration) {
	f.now = now
	for i, e := range b.Entries {
		// Of a million answers from before it joined, a member needs hardly any, and reads those.
		if f.complete {
			f.answers.see(b.Ref(i), e)
		}
		if e.Kind() == journal.KindForget {
			f.forget()
		}
	}
	for _, k := range c.Keys {
		f.touchKey(k)
	}
	own := b.Member == f.own.ID
	if own && b.Corrupt == nil {
		f.unread = slices.DeleteFunc(f.unread, func(u unread) bool { return u.position <= b.Position })
	}
	if !f.complete && f.state.Complete(f.own.ID) {
		f.complete, own = true, true
	}
	if own {
		if len(f.late) > 0 {
			f.o.Journal.Wake()
		}
		moved := f.moved
		f.moved = nil
		for _, fl := range moved {
			f.touch(fl)
		}
	}
	if c.Members {
		f.touchAll()
	}
	f.callReady()
}

// forget looks for the asks about persons who are to be forgotten.
func (f *Flights) forget() {
	clear(f.forgotten)
	for _, a := range f.state.Forgotten() {
		if f.forgotten == nil {
			f.forgotten = map[journal.Ref]bool{}
		}
		f.forgotten[a.First] = true
		f.touchKey(a.Key)
	}
}

// Stored takes in an own batch that is acknowledged, after the fence has noted it.
func (f *Flights) Stored(position uint64, entries []journal.Entry, now time.Duration) {
	f.now = now
	for i, e := range entries {
		at := journal.Ref{Position: position, Index: uint16(i + 1)}
		switch e := e.(type) {
		case *journal.Begin:
			if fl := f.keys[e.Key]; fl != nil && fl.run != nil && fl.run.begin == e {
				f.begun(fl, at)
			}
		case *journal.Answer:
			if fl := f.keys[e.Key]; fl != nil && fl.run != nil && fl.run.answer == e {
				f.o.Ahead(f.state.Ahead(e, at, fl.run.early), e, at)
				if f.state.Applied() < position || f.void(position) {
					f.unread = append(f.unread, unread{position, fl.run})
				} else {
					f.touch(fl)
				}
				f.setRun(fl, nil)
			}
		}
	}
	f.callReady()
}

// Next is when Tick has to be called at the latest; [Forever]: no timer is set.
func (f *Flights) Next() time.Duration {
	next := Forever
	if len(f.timers) > 0 {
		next = f.timers[0].wake
	}
	return min(next, f.nextHold())
}

// Tick looks at what is due. Calls that the fence held up are tried again.
func (f *Flights) Tick(now time.Duration) {
	f.now = now
	for fl := f.timers.due(now); fl != nil; fl = f.timers.due(now) {
		f.touch(fl)
	}
	f.endHolds()
	f.callReady()
}

// Decide adds to a batch what is to be decided now. It is called while the batch is composed, and
// what it adds has to be in the next batch that is sent.
func (f *Flights) Decide(d Draft, now time.Duration) {
	f.now, f.draft, f.full, f.drafted = now, d, false, nil
	for i, e := range d.Entries() {
		if a, ok := e.(*journal.Ask); ok && a.Door == journal.Await && !a.Late() && f.state.Owner(a.Key) == f.own.ID {
			if _, twice := f.drafted[a.Key]; twice {
				continue
			}
			if f.drafted == nil {
				f.drafted = map[journal.Key]draftedAsk{}
			}
			f.drafted[a.Key] = draftedAsk{a, journal.Ref{Index: uint16(i + 1)}}
			f.touch(f.flight(a.Key))
		}
	}
	f.addLate()
	looked := f.dirty
	f.dirty = nil
	left := f.o.Looks
	for ; len(looked) > 0 && left > 0 && !f.full; left-- {
		fl := looked[0]
		looked = looked[1:]
		fl.dirty = false
		f.look(fl, nil)
	}
	f.dirty = append(looked, f.dirty...)
	for ; len(f.stale) > 0 && left > 0 && !f.full; left-- {
		k := f.stale[0]
		f.stale = f.stale[1:]
		if fl := f.keys[k]; fl != nil || f.state.Owner(k) == f.own.ID {
			f.look(f.flight(k), nil)
		}
	}
	f.grant()
	f.draft = nil
	if f.full || len(f.dirty)+len(f.stale) > 0 {
		f.o.Journal.Wake()
	}
}

// add adds an entry to the batch. false: it has no room, and the key is looked at again with the
// next one.
func (f *Flights) add(fl *flight, e journal.Entry) bool {
	err := journal.ErrNoRoom
	if !f.full {
		err = f.draft.Add(e, fl.key)
	}
	if err != nil && !errors.Is(err, journal.ErrNoRoom) {
		f.o.Logger.Error("entry cannot be journalled", "kind", int(e.Kind()), "err", err)
		if f.lean(e) {
			err = f.draft.Add(e, fl.key)
		}
	}
	if errors.Is(err, journal.ErrNoRoom) {
		f.full = true
		f.touch(fl)
	}
	return err == nil
}

// lean removes from an entry what a call has put into it, because that may be too long for any
// batch and the run has to end.
func (f *Flights) lean(e journal.Entry) bool {
	switch e := e.(type) {
	case *journal.Begin:
		e.Before.Detail = nil
		return true
	case *journal.Answer:
		if e.Verdict == journal.Conclusive {
			e.Verdict, e.Keep = journal.Failed, milliseconds(f.o.Cooldown)
		}
		e.Code = f.o.Words.Overloaded
		e.Result, e.Attempts = f.o.Result(e.Code, len(e.Attempts)), []journal.Outcome{{Code: e.Code}}
		return true
	}
	return false
}
