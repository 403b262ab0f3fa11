// Runs: from a begin to its answer.

package flight

import (
	"errors"
	"slices"
	"time"

	"protocolq/worker/fleet"
	"protocolq/worker/journal"
)

// run is a run that the member has begun. See the package's documentation for its states.
type run struct {
	key      journal.Key
	begin    *journal.Begin // the newest
	question journal.Hash
	persons  [2]journal.Hash
	ask      *journal.Ask // the ask whose query is asked, if it was in the same batch; nil: it is in the log
	text     journal.Ref  // where

	at, first journal.Ref // of the newest begin and of the first; zero until acknowledged
	leave     func()      // gives slot and turn back; nil: the run has none
	called    bool        // the newest begin's call has begun
	calling   bool        // that call has not ended
	again     time.Duration
	queued    bool // for its next attempt
	waits     func() time.Duration
	last      journal.Outcome // of the call that ended last

	verdict journal.Verdict // 0: it goes on
	keep    time.Duration
	result  []byte
	answer  *journal.Answer // in a batch
	early   bool
}

// first begins a run: the first of a key, or one that follows a run that was cut.
func (f *Flights) first(fl *flight, t fleet.Turn, d Decision, leave func()) bool {
	r := &run{key: fl.key, waits: f.o.Waits()}
	b := &journal.Begin{Key: fl.key, Run: f.o.NewRun(), Attempt: t.Attempt, Deaths: t.Deaths}
	if t.Run != nil {
		b.Follows = t.Run.ID
	}
	if len(d.Left) > 0 {
		a := d.Left[0]
		b.Partner, b.Asked = a.Partner, a.First
		r.question, r.persons, r.text = a.Question, a.Persons, a.At
	} else {
		a := f.drafted[fl.key]
		b.Partner, b.Asked = a.ask.Partner, a.at
		r.question, r.persons, r.ask = a.ask.Question, a.ask.Persons, a.ask
	}
	r.begin = b
	if !f.add(fl, b) {
		return false
	}
	f.setRun(fl, r)
	f.park(fl, 0, who{})
	f.take(r, leave)
	return true
}

// setRun sets a key's run, and counts those that are open.
func (f *Flights) setRun(fl *flight, r *run) {
	if fl.run != nil {
		f.open--
	}
	if fl.run = r; r != nil {
		f.open++
	}
}

// take gives a run a slot, and its turn at its partner.
func (f *Flights) take(r *run, leave func()) {
	p := f.partner(r.begin.Partner)
	f.free--
	p.calls++
	r.leave = func() {
		f.free++
		p.calls--
		leave()
	}
}

// leave gives back a run's slot and turn.
func (f *Flights) leave(r *run) {
	if r.leave != nil {
		r.leave()
		r.leave = nil
		f.wakeQueue()
	}
}

// begun notes that a begin is acknowledged.
func (f *Flights) begun(fl *flight, at journal.Ref) {
	r := fl.run
	r.at = at
	if r.first.IsZero() {
		r.first = at
	}
	f.ready = append(f.ready, fl)
}

// callReady makes the calls whose begin is acknowledged, if the log and the fence allow it.
func (f *Flights) callReady() {
	ready := f.ready[:0]
	for _, fl := range f.ready {
		r := fl.run
		switch {
		case r == nil || r.called || r.at.IsZero() || r.verdict != 0 || f.keys[fl.key] != fl:
		case f.state.Applied() >= r.at.Position && f.asker(r) == nil:
			f.touch(fl) // all askers left before the call
			ready = append(ready, fl)
		case f.last, f.GatewayRest(r.begin.Partner) > f.o.Longest:
			f.spare(r) // the call would be cut, or hold its slot all that time
			f.touch(fl)
		case f.GatewayRest(r.begin.Partner) > 0 || !f.state.MayCall(r.begin, r.at) || f.o.Caller.Fence() != nil:
			ready = append(ready, fl)
		default:
			r.called, r.calling = true, true
			if a := f.asker(r); a != nil {
				r.text = a.At // the text of the ask that started it may be purged
			}
			f.o.Caller.Call(r.request())
		}
	}
	clear(f.ready[len(ready):])
	f.ready = ready
}

// asker is the first ask that waits for a run, or nil. One with another question does not: it came
// from another door, and is refused.
func (f *Flights) asker(r *run) *fleet.Ask {
	asks := f.state.Waiting(r.key)
	if i := slices.IndexFunc(asks, func(a *fleet.Ask) bool { return a.Question == r.question }); i >= 0 {
		return asks[i]
	}
	return nil
}

// spare ends a run whose begin is written and whose call is not made. If no call was made at all,
// it is as if the run had not begun; otherwise it has failed.
func (f *Flights) spare(r *run) {
	if r.begin.Attempt == 1 {
		r.verdict = journal.Released
		return
	}
	r.verdict, r.keep = journal.Failed, cooldown(f.o.Cooldown, f.GatewayRest(r.begin.Partner))
	if r.last.Code == "" { // the calls before it were made by members that died
		r.last.Code = f.o.Words.Cooling
		r.result = f.o.Result(r.last.Code, r.begin.Attempt-1)
	}
}

// Ended takes in the outcome of a call.
func (f *Flights) Ended(c Request, o Outcome, now time.Duration) {
	f.now = now
	if o.Everybody && o.RetryAfter > 0 { // whatever happened to the run
		why := ""
		if o.RetryAfter > f.o.Longest {
			why = f.o.Words.Cooling
		}
		p := f.partner(c.Partner)
		if p.gateway.until <= now {
			f.o.Logger.Warn("too many calls for the gateway: partner left alone", "partner", c.Partner, "wait",
				o.RetryAfter.String())
		}
		f.hold(p, &p.gateway, hold{now + o.RetryAfter, why})
	}
	if i := slices.IndexFunc(f.late, func(r *run) bool { return r.begin.Run == c.Run && r.calling }); i >= 0 {
		f.endedLate(i, o)
		return
	}
	fl := f.keys[c.Key]
	if fl == nil || fl.run == nil || fl.run.begin.Run != c.Run || !fl.run.calling {
		return
	}
	r := fl.run
	r.calling = false
	if o.Class == Unsent {
		r.called = false // the begin still allows its call, once the fence opens
		f.ready = append(f.ready, fl)
		return
	}
	f.leave(r)
	if f.o.Budget != nil && r.begin.Attempt == 1 {
		f.o.Budget.Called()
	}
	wanted := f.o.wanted(f.state.Waiting(r.key))
	if f.state.Applied() < r.at.Position {
		wanted = Forever // the ask is in a batch that is not applied yet
	}
	r.last, r.result = journal.Outcome{Code: o.Code, Detail: o.Detail}, o.Result
	n := After(Made{
		Now: now, Outcome: o, Attempt: r.begin.Attempt, Attempts: f.o.Attempts, Wanted: wanted, Backoff: r.waits(),
		Longest: f.o.Longest, Cooldown: f.o.Cooldown, Budget: f.retry,
	})
	r.verdict, r.keep, r.again = n.Verdict, n.Keep, n.At
	if r.verdict == 0 {
		r.keep = cooldown(f.o.Cooldown, o.RetryAfter) // in case nobody waits any more when its time comes
	}
	f.touch(fl)
}

func (f *Flights) retry() bool { return f.o.Budget == nil || f.o.Budget.Retry() }

// endedLate takes in the outcome of a call whose member was sealed meanwhile. An answer of the
// gateway is of use while the run is open. Any other outcome is dropped, because the next owner's
// attempt will know more.
func (f *Flights) endedLate(i int, o Outcome) {
	r := f.late[i]
	r.calling = false
	f.leave(r)
	if o.Class != Answered {
		f.late = slices.Delete(f.late, i, i+1)
		return
	}
	r.verdict, r.keep, r.result = journal.Conclusive, milliseconds(o.Keep), o.Result
	r.last = journal.Outcome{Code: o.Code, Detail: o.Detail}
	f.o.Journal.Wake()
}

// addLate adds the answers of calls whose member was sealed. Until the new member has read its own
// join, it may not know that such a run has ended, and a fold that begins there could not know
// either.
func (f *Flights) addLate() {
	if f.state.Member(f.own.ID) == nil {
		return
	}
	f.late = slices.DeleteFunc(f.late, func(r *run) bool {
		switch {
		case r.calling:
			return false
		case !f.state.MayAnswer(r.key, r.begin.Run):
			return true
		case f.own.Touches(r.key):
			return false
		}
		err := f.draft.Add(r.toAnswer(), r.key)
		return !errors.Is(err, journal.ErrNoRoom)
	})
}

// step continues a run while a batch is composed. leave is not nil if its next attempt may begin.
// step reports false if the batch has no room.
func (f *Flights) step(fl *flight, leave func()) bool {
	r := fl.run
	_, wanted := f.drafted[r.key]
	wanted = wanted || f.asker(r) != nil
	switch {
	case r.at.IsZero() || r.answer != nil || r.calling:
		return true
	case f.state.Applied() >= r.at.Position && !f.state.MayAnswer(r.key, r.begin.Run):
		f.leave(r) // the begin is void, or another member has ended the run
		f.setRun(fl, nil)
		f.queue.remove(fl)
		return true
	case r.verdict == 0 && f.state.Applied() >= r.at.Position && !wanted:
		if r.verdict = journal.Failed; !r.called && r.last.Code == "" {
			f.spare(r) // this member has called for nobody
		}
	case r.verdict == 0 && f.last && r.called:
		r.verdict = journal.Failed
	case r.verdict == 0 && r.again > 0 && r.again <= f.now && leave == nil:
		r.again, r.queued = 0, true
	}
	switch {
	case r.verdict != 0:
		f.queue.remove(fl)
		return f.close(fl)
	case r.queued && leave == nil:
		f.queueRun(fl)
	case r.queued && f.own.Touches(r.key):
		f.moved = append(f.moved, fl) // it waits again once the last entry about the key is applied
	case r.queued:
		return f.further(fl, leave)
	}
	return true
}

// queueRun lets a run wait for its next attempt's slot, on behalf of the asks that wait now.
func (f *Flights) queueRun(fl *flight) {
	asks := f.state.Waiting(fl.key)
	w := f.whose(fl, asks)
	w.partner = fl.run.begin.Partner
	f.enqueue(fl, asks, w)
}

// further begins a run's next attempt.
func (f *Flights) further(fl *flight, leave func()) bool {
	r := fl.run
	next := *r.begin
	next.Attempt, next.Follows, next.Before = r.begin.Attempt+1, "", r.last
	if next.Asked.Position == 0 && next.Asked.Index > 0 { // in the batch of the first begin, not of this one
		next.Asked.Position = r.first.Position
	}
	if !f.add(fl, &next) {
		return false
	}
	r.begin, r.at, r.called, r.queued = &next, journal.Ref{}, false, false
	f.take(r, leave)
	return true
}

// close adds a run's answer.
func (f *Flights) close(fl *flight) bool {
	r := fl.run
	early := f.state.Early(f.own, fl.key)
	a := r.toAnswer()
	if !f.add(fl, a) {
		return false
	}
	r.answer, r.early = a, early
	f.leave(r)
	return true
}

// void reports whether an own batch does not count, because it or an earlier one is unreadable:
// that may be read before the batch is acknowledged.
func (f *Flights) void(position uint64) bool {
	m := f.state.Member(f.own.ID)
	return m != nil && m.Sealed != 0 && m.Sealed <= position
}

func (r *run) request() Request {
	return Request{
		Key: r.key, Run: r.begin.Run, Attempt: r.begin.Attempt, Partner: r.begin.Partner, Ask: r.ask, At: r.text,
	}
}

func (r *run) toAnswer() *journal.Answer {
	a := &journal.Answer{
		Key: r.key, Question: r.question, Run: r.begin.Run, Verdict: r.verdict, Keep: r.keep, Partner: r.begin.Partner,
		Begun: r.first, Persons: r.persons,
	}
	if r.verdict != journal.Released {
		a.Result, a.Code = r.result, r.last.Code
	}
	if r.called { // otherwise the newest begin has the outcome of the call before it
		a.Attempts = []journal.Outcome{r.last}
	}
	return a
}

// crash ends a run that was cut and is not run again. It is final for the asks that it names.
func (f *Flights) crash(fl *flight, t fleet.Turn, asks []*fleet.Ask) {
	code := f.o.Words.Crashed
	a := &journal.Answer{
		Key: fl.key, Run: t.Run.ID, Verdict: journal.Crashed, Begun: t.Run.First, Partner: t.Run.Partner, Code: code,
		Result: f.o.Result(code, t.Run.Attempt),
	}
	if len(asks) > 0 {
		a.Question, a.Persons = asks[0].Question, asks[0].Persons
	}
	for _, x := range asks {
		a.Final = append(a.Final, journal.Final{Token: x.Token, ID: x.ID})
	}
	f.add(fl, a)
}
