// Looking at a key: what is decided about it goes into the batch that is being composed.

package flight

import (
	"slices"
	"time"

	"protocolq/worker/fleet"
	"protocolq/worker/journal"
	"protocolq/worker/memory"
)

// look decides about a key. leave is not nil if the key has a slot and its partner allows a call;
// look reports whether it has used them.
func (f *Flights) look(fl *flight, leave func()) (used bool) {
	if f.keys[fl.key] != fl {
		return false // its member is no more
	}
	if fl.run != nil && !f.step(fl, leave) {
		return false
	}
	if leave != nil && fl.run != nil {
		return fl.run.leave != nil && !fl.run.called
	}
	f.missing = journal.Ref{}
	t := f.state.Turn(f.own, fl.key, f.now, f.fresh)
	if !f.missing.IsZero() { // whether an answer serves is known when it is read: until then no call begins
		f.answers.want(f.missing, fl.key, f.o.Journal)
		t = fleet.Turn{Step: fleet.UnderWay}
	}
	if t.Step == fleet.Unread || t.Step == fleet.Unapplied {
		f.moved = append(f.moved, fl)
	}
	waiting := f.state.Waiting(fl.key)
	if t.Step == fleet.Crash || t.Step == fleet.Poison {
		waiting = t.Asks
	}
	_, drafted := f.drafted[fl.key]
	w := f.whose(fl, waiting)
	held, _ := f.held(w.partner)
	x := Facts{
		Now: f.now, Waiting: waiting, Due: f.o.due, Drafted: drafted, Held: held != "", Room: f.room(fl, w),
		Draining: f.draining,
	}
	if len(f.forgotten) > 0 {
		x.Forgotten = func(a *fleet.Ask) bool { return f.forgotten[a.First] }
	}
	d := Decide(t, x)
	for _, s := range d.Settle {
		if !f.settle(fl, t, s, held) {
			return false
		}
	}
	return f.do(fl, t, d, leave)
}

// do does what was decided, after the asks to settle are settled.
func (f *Flights) do(fl *flight, t fleet.Turn, d Decision, leave func()) (used bool) {
	if r := fl.run; r != nil && r.again > 0 {
		d.until(r.again)
	}
	f.timers.set(fl, d.Until)
	queued := fl.run != nil && fl.run.queued
	switch d.Do {
	case Drop:
		f.park(fl, 0, who{})
		if fl.run == nil {
			f.queue.remove(fl)
			f.timers.set(fl, 0)
			delete(f.keys, fl.key)
		}
		return false
	case Crash:
		f.queue.remove(fl)
		f.crash(fl, t, d.Left)
		return false
	case Queue:
		w := f.whose(fl, d.Left)
		f.park(fl, len(d.Left), w)
		if leave != nil {
			return f.first(fl, t, d, leave)
		}
		f.enqueue(fl, d.Left, w)
		return false
	}
	parked := 0
	if t.Step == fleet.Cool || t.Step == fleet.Begin || t.Step == fleet.Rerun {
		parked = len(d.Left)
	}
	f.park(fl, parked, f.whose(fl, d.Left))
	if !queued {
		f.queue.remove(fl)
	}
	return false
}

// enqueue lets a key wait for its turn and slot.
func (f *Flights) enqueue(fl *flight, asks []*fleet.Ask, w who) {
	door := f.door(fl, asks)
	if door == awaiting {
		f.partner(w.partner).awaited = f.now
	}
	f.queue.put(fl, door, w)
}

// door is the door whose share gives a key its slot: the awaiting one if any asker awaits a reply.
func (f *Flights) door(fl *flight, asks []*fleet.Ask) int {
	_, drafted := f.drafted[fl.key]
	if drafted || slices.ContainsFunc(asks, func(a *fleet.Ask) bool { return a.Door == journal.Await }) {
		return awaiting
	}
	return submitted
}

// who is the unit among which slots are shared: an asker of a partner.
type who struct{ partner, asker string }

// whose gives the partner and the asker of a key: those of the ask that came first.
func (f *Flights) whose(fl *flight, asks []*fleet.Ask) who {
	if len(asks) > 0 {
		return who{asks[0].Partner, asks[0].Asker}
	}
	if a, ok := f.drafted[fl.key]; ok {
		return who{a.ask.Partner, a.ask.Asker}
	}
	return who{}
}

// room is how many asks of a key may be parked: those that are already, and as many as there is
// room for. One asker may use as much room as it leaves for others: half of all if it is alone, and
// less with more such askers.
func (f *Flights) room(fl *flight, asker who) int {
	free := f.o.Parked - f.parked
	if a := f.accounts[asker]; a != nil {
		free -= a.asks
	}
	return int(fl.parked) + max(0, (free+1)/2)
}

// park notes how many asks of a key are parked, and which askers they are from.
func (f *Flights) park(fl *flight, asks int, asker who) {
	f.parked += asks - int(fl.parked)
	if a := fl.acct; a != nil {
		if a.asks -= int(fl.parked); a.asks == 0 {
			delete(f.accounts, a.who)
		}
	}
	fl.acct, fl.parked = nil, int32(asks)
	if asks == 0 {
		return
	}
	a := f.accounts[asker]
	if a == nil {
		a = &account{who: asker}
		f.accounts[asker] = a
	}
	a.asks += asks
	fl.acct = a
}

// settle settles asks; held is why their partner is on hold. false: not all of them are settled,
// and the key is looked at again.
func (f *Flights) settle(fl *flight, t fleet.Turn, s Settle, held string) bool {
	e := journal.Settled{}
	switch s.Reason {
	case ByAnswer:
		a, ok := f.answers.get(t.Answer.At)
		if !ok {
			f.answers.want(t.Answer.At, fl.key, f.o.Journal)
			return true // the others need not wait for it
		}
		e.Run, e.Answer = a.run, t.Answer.At
	case ByConflict:
		e.Why = f.o.Words.Conflict
	case ByDeadline:
		e.Why = f.o.Words.Deadline
	case ByHold:
		e.Why = held
	case ByBound:
		e.Why = f.o.Words.Overloaded
	case ByPerson:
		e.Why = f.o.Words.Forgotten
	case ByCrash:
		e.Why = f.o.Words.Crashed
	}
	for asks := range slices.Chunk(s.Asks, journal.MaxRefs) {
		part := e
		part.Asks = make([]journal.Ref, len(asks))
		for i, a := range asks {
			part.Asks[i] = a.First
		}
		if !f.add(fl, &part) {
			return false
		}
	}
	return true
}

// fresh reports whether a remembered answer serves an ask that limits its age. It always does if it
// came after the ask, because its run was open then or began later. Otherwise its age decides.
func (f *Flights) fresh(a *fleet.Ask, kept memory.Answer) bool {
	known, ok := f.answers.get(kept.At)
	if !ok {
		f.missing = kept.At
		return false
	}
	if a.First.Compare(known.first) < 0 {
		return true
	}
	age := f.now - (kept.Expires - known.keep)
	return age <= max(a.MaxAge, f.o.MinAge)
}

// warm reports whether the partner of a key was resumed after a failure. A cool-down that is longer
// than ours is one that the gateway asked for.
func (f *Flights) warm(k journal.Key, failed memory.Answer) bool {
	asks := f.state.Waiting(k)
	if len(asks) == 0 {
		return false
	}
	p := f.partners[asks[0].Partner]
	if p == nil || failed.At.Position > p.resumed {
		return false
	}
	known, ok := f.answers.get(failed.At)
	if !ok {
		f.missing = failed.At
	}
	return ok && known.keep <= f.o.Cooldown
}

// answers is what has to be known of remembered answers in addition to their place, for a limited
// number of those needed or made last: when young is full, it becomes old, and what was old is
// dropped at once. A worker that starts sees a million of them.
type answers struct {
	young, old map[journal.Ref]known
	reading    map[journal.Ref][]journal.Key
}

type known struct {
	run   string
	first journal.Ref
	keep  time.Duration
}

// mostKnown is how many young has room for: the newest are known, and twice as many at most.
const mostKnown = 8 << 10

func newAnswers() answers {
	return answers{young: map[journal.Ref]known{}, old: map[journal.Ref]known{},
		reading: map[journal.Ref][]journal.Key{}}
}

func (a *answers) get(at journal.Ref) (known, bool) {
	k, ok := a.young[at]
	if !ok {
		k, ok = a.old[at]
	}
	return k, ok
}

// see notes an entry of the log, if it is an answer.
func (a *answers) see(at journal.Ref, e journal.Entry) bool {
	first := at
	if c, ok := e.(*journal.Carried); ok {
		first, e = c.First, c.Entry
	}
	x, ok := e.(*journal.Answer)
	if !ok || x.Verdict == journal.Released {
		return false
	}
	if len(a.young) >= mostKnown {
		clear(a.old)
		a.young, a.old = a.old, a.young
	}
	a.young[at] = known{x.Run, first, x.Keep}
	return true
}

// want has the answer at a place read for a key, once for all keys that want it.
func (a *answers) want(at journal.Ref, k journal.Key, j Journal) {
	keys, going := a.reading[at]
	if !slices.Contains(keys, k) {
		a.reading[at] = append(keys, k)
	}
	if !going {
		j.Read(at)
	}
}

// Read takes in the entry at a place that was to be read. nil: it could not be read, and is read
// again if it is still needed.
func (f *Flights) Read(at journal.Ref, e journal.Entry, now time.Duration) {
	f.now = now
	keys, wanted := f.answers.reading[at]
	if !wanted {
		return // by nobody any more: the log was replaced, and this may be of the one before
	}
	delete(f.answers.reading, at)
	f.answers.see(at, e)
	for _, k := range keys {
		f.touchKey(k)
	}
}
