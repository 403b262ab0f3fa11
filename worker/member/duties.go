// Duties: what this member owes because of entries, with all that the outbox needs to publish it.

package member

import (
	"context"
	"slices"
	"sync"
	"time"

	"protocolq/worker/fleet"
	"protocolq/worker/flight"
	"protocolq/worker/journal"
	"protocolq/worker/outbox"
)

// owed is a duty whose texts are still to be read.
type owed struct {
	duty   outbox.Duty
	ask    journal.Ref // of an ask
	answer journal.Ref // of an ask that has one, or of a run
	asked  journal.Ref // the ask that started a run; zero if it is no longer in the log
	failed journal.Ref // of an ask whose deadline passed in a cool-down; zero if it is no longer in the log
}

// mostFetches is how many duties' texts are read from the log at once.
const mostFetches = 64

// stage is how far a duty is that is not told yet.
type stage struct {
	given  bool          // the outbox has it
	failed int           // how often reading its texts failed
	until  time.Duration // they are not read again before
}

// owe gives the outbox this member's duties that became due by a batch.
func (m *Member) owe(b *journal.Batch, c *fleet.Changes, f *flight.Flights, now time.Duration) {
	for _, e := range b.Entries {
		if t, ok := plain(e).(*journal.Told); ok {
			m.o.Duties.Told(t.Entries...)
			for _, ref := range t.Entries {
				delete(m.stages, ref)
				m.corrupt = slices.DeleteFunc(m.corrupt, func(d outbox.Duty) bool { return d.Entry == ref })
			}
		}
	}
	id := m.current.Load().id
	for _, d := range c.Due {
		// told in the same batch, which only repeats an earlier told entry
		told := d.Ask != nil && m.state.Ask(d.Entry) == nil
		if !told && m.state.Owes(id, d) {
			m.give(m.owedOf(d, c.Due, f, now), now)
		}
	}
}

// oweAll gives the outbox all duties of this member that it does not have yet, after members
// changed or there was no room.
func (m *Member) oweAll(f *flight.Flights, now time.Duration) {
	m.unowed = false
	for _, d := range m.corrupt {
		if m.joinedAs == "" || m.busy(d.Entry, now) {
			continue // a later entry of the log may say that it is told
		}
		if !m.o.Duties.Add(d) {
			m.unowed = true
			return
		}
		m.stages[d.Entry] = &stage{given: true}
	}
	for _, d := range m.state.Owed(m.current.Load().id) {
		if !m.busy(d.Entry, now) && !m.give(m.owedOf(d, nil, f, now), now) {
			return
		}
	}
}

// busy reports whether there is nothing to do about a duty now.
func (m *Member) busy(entry journal.Ref, now time.Duration) bool {
	st := m.stages[entry]
	if st == nil || !st.given && now >= st.until {
		return false
	}
	m.oweLater(st)
	return true
}

// oweLater has duties looked through again when the texts of one may be read again.
func (m *Member) oweLater(st *stage) {
	if !st.given && st.until != flight.Forever && (m.oweNext == 0 || st.until < m.oweNext) {
		m.oweNext = st.until
	}
}

// oweAhead gives the outbox the asks that an own answer settles when the answer is in the log and
// not yet applied: their askers need not wait for the round trip.
func (m *Member) oweAhead(asks []*fleet.Ask, e *journal.Answer, at journal.Ref) {
	now := m.now()
	by := m.current.Load().id
	for _, a := range asks {
		settled := *a
		settled.Settled = &fleet.Settlement{By: by, At: at, Run: e.Run, Answer: at}
		o := m.owedOf(fleet.Duty{Entry: a.First, Ask: &settled}, nil, nil, now)
		o.duty.Ask.Answer = e
		if e.Verdict == journal.Failed { // which the fold does not know yet
			o.duty.Ask.RetryAfter = e.Keep
		}
		m.give(o, now)
	}
}

// owedOf is a duty with what the fold knows about it. together are the duties of the same batch; f
// is not needed for an answered ask.
func (m *Member) owedOf(d fleet.Duty, together []fleet.Duty, f *flight.Flights, now time.Duration) owed {
	if d.Ask == nil {
		return m.owedRun(d, together)
	}
	a := d.Ask
	x := &outbox.Ask{Why: a.Settled.Why, Read: m.queries.of(a.Token)}
	o := owed{duty: outbox.Duty{Entry: d.Entry, Ask: x}, ask: a.At, answer: a.Settled.Answer}
	open := m.state.Open(a.Key)
	switch {
	case a.Settled.Why != "":
		x.RetryAfter, x.Note = m.retryAfter(a, f), m.o.Note(a.Partner, x.Why)
		if open != nil {
			x.UnderWay = m.runs.newest(open.ID)
		} else if kept, ok := m.state.Cooling().Get(a.Key); ok && x.Why == m.o.Flights.Words.Deadline {
			o.failed = kept.At
		}
	default:
		begins := m.runs.begins[a.Settled.Run]
		var asked journal.Ref
		if len(begins) > 0 {
			first := begins[0].Begin
			asked, x.Deaths = first.Asked, begins[len(begins)-1].Begin.Deaths+1
		}
		x.Source = outbox.SourceOf(a.First, asked, a.Settled.At != a.Settled.Answer)
		if kept, ok := m.state.Cooling().Get(a.Key); ok {
			x.RetryAfter = max(0, kept.Expires-now)
		}
	}
	return o
}

// retryAfter is when an asker may ask again whose ask was settled without an answer.
func (m *Member) retryAfter(a *fleet.Ask, f *flight.Flights) time.Duration {
	if a.Settled.Why == m.o.Flights.Words.Cooling { // the gateway wants no call for the partner
		return f.GatewayRest(a.Partner)
	}
	return m.o.RetryAfter(a.Partner, a.Settled.Why)
}

func (m *Member) owedRun(d fleet.Duty, together []fleet.Duty) owed {
	x := &outbox.Run{By: d.Answer.By, Begins: m.runs.begins[d.Answer.Run]}
	o := owed{duty: outbox.Duty{Entry: d.Entry, Run: x}, answer: d.Answer.At}
	if len(x.Begins) > 0 {
		o.asked = x.Begins[0].Begin.Asked
		if a := m.state.Ask(o.asked); a != nil {
			o.asked = a.At
		}
	}
	for _, t := range together {
		if t.Ask != nil && t.Ask.Settled.Answer == d.Answer.At {
			x.Settles++
			if e, ok := m.texts.get(t.Ask.At); ok && len(x.Asks) < mostAskIDs {
				if ask, ok := plain(e.entry).(*journal.Ask); ok {
					x.Asks = append(x.Asks, outbox.Asked{Ask: ask, Read: m.queries.of(t.Ask.Token)})
				}
			}
		}
	}
	return o
}

// mostAskIDs is how many of the asks that a run settles are passed on with it.
const mostAskIDs = 100

// oweCorrupt gives the outbox an unreadable batch, until the log says that it is told. Every member
// does so: the dead letter has one identity. The entries are not known, so the duty has the place
// of the first.
func (m *Member) oweCorrupt(b *journal.Batch) {
	m.corrupt = append(m.corrupt,
		outbox.Duty{Entry: journal.Ref{Position: b.Position, Index: 1}, Corrupt: &outbox.Corrupt{
			Member: b.Member, Position: b.Position, Stored: b.Stored, Data: b.Corrupt,
		}})
	m.unowed = true
}

// give gives a duty to the outbox once its texts are read, unless the outbox has it. false: there
// is no room now.
func (m *Member) give(o owed, now time.Duration) bool {
	entry := o.duty.Entry
	if m.busy(entry, now) {
		return true
	}
	st := m.stages[entry]
	if st == nil {
		st = &stage{}
	}
	switch {
	case !m.fillIn(&o, m.texts.get):
		if !m.toFetch.put(fetching{o, st}, func() { m.fetching.Go(m.fetchAll) }) {
			m.unowed = true
			return false
		}
		st.until = flight.Forever
	case !m.o.Duties.Add(o.duty):
		m.unowed = true
		return false
	default:
		st.given = true
	}
	m.stages[entry] = st
	return true
}

// fetching is a duty whose texts have to be read from the log.
type fetching struct {
	o  owed
	st *stage
}

// toFetch are such duties; mostFetches of them are read at once.
type toFetch struct {
	mu      sync.Mutex // guards what follows
	waiting []fetching
	running int
	failed  int       // reads, since one was logged
	logged  time.Time // when that was
}

// logEvery is how often it is logged that texts are not read: a log that cannot be read concerns
// all duties.
const logEvery = 30 * time.Second

// again counts one more failed read, and reports whether to log it now, and for how many.
func (t *toFetch) again(now time.Time) (times int, due bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.failed++; now.Sub(t.logged) < logEvery {
		return 0, false
	}
	times, t.failed, t.logged = t.failed, 0, now
	return times, true
}

// mostToFetch bounds the duties that wait; others stay in the journal, and are looked for again.
const mostToFetch = 50_000

// put adds a duty, and calls begin to start another reader if there are too few. false: there is no
// room.
func (t *toFetch) put(f fetching, begin func()) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.waiting) >= mostToFetch {
		return false
	}
	t.waiting = append(t.waiting, f)
	if t.running < mostFetches {
		t.running++
		begin()
	}
	return true
}

// next takes a duty out; ok is false if there is none, and then the reader ends.
func (t *toFetch) next() (f fetching, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.waiting) == 0 {
		t.running--
		t.waiting = nil
		return fetching{}, false
	}
	f = t.waiting[0]
	t.waiting = t.waiting[1:]
	return f, true
}

// fetchAll reads the texts of one duty after the other, until there are none.
func (m *Member) fetchAll() {
	for f, ok := m.toFetch.next(); ok; f, ok = m.toFetch.next() {
		if m.ctx.Err() == nil {
			m.fetch(f.o, f.st)
		}
	}
}

// fetchTime is for how long the texts of one duty may be read from the log.
const fetchTime = 2 * time.Second

// fetch reads the texts of a duty from the log, and gives the duty to the outbox if that is still
// needed. If they cannot be read now, they are read again, less and less often.
func (m *Member) fetch(o owed, st *stage) {
	ctx, cancel := context.WithTimeout(m.ctx, fetchTime)
	defer cancel()
	var failed error
	load := func(at journal.Ref) (text, bool) {
		x, err := m.texts.load(ctx, at)
		if err != nil {
			failed = err
		}
		return x, err == nil
	}
	if o.duty.Run != nil { // a run is also published if its ask cannot be read
		if x, err := m.texts.load(ctx, o.asked); err == nil {
			m.askedBy(o.duty.Run, x)
			o.asked = journal.Ref{}
		} else if o.asked.IsZero() || isNotThere(err) {
			o.asked = journal.Ref{}
		}
	}
	if !o.failed.IsZero() {
		if _, err := m.texts.load(ctx, o.failed); isNotThere(err) {
			o.failed = journal.Ref{}
		}
	}
	filled := m.fillIn(&o, load)
	m.loop.Do(func(_ *flight.Flights, now time.Duration) {
		switch {
		case m.stages[o.duty.Entry] != st: // told meanwhile, or another member's
		case filled && m.o.Duties.Add(o.duty):
			st.given, st.until = true, 0
		case filled:
			delete(m.stages, o.duty.Entry)
			m.unowed = true
		default:
			st.until = now + backoff(st.failed)
			st.failed++
			m.oweLater(st)
			if times, due := m.toFetch.again(time.Now()); due {
				m.log.Warn("texts of duties not read, tried again", "times", times, "entry", o.duty.Entry.String(),
					"err", failed)
			}
		}
	})
}

// fillIn fills in the texts of a duty from load. false: one is missing.
func (m *Member) fillIn(o *owed, load func(journal.Ref) (text, bool)) bool {
	if r := o.duty.Run; r != nil {
		x, ok := load(o.answer)
		if !ok {
			return false
		}
		r.Answer, ok = plain(x.entry).(*journal.Answer)
		r.Stored = x.stored
		if ok && !o.asked.IsZero() {
			q, there := load(o.asked)
			if !there {
				return false
			}
			m.askedBy(r, q)
		}
		return ok
	}
	a := o.duty.Ask
	x, ok := load(o.ask)
	if !ok {
		return false
	}
	a.Stored = x.stored
	if a.Ask, ok = plain(x.entry).(*journal.Ask); !ok {
		return false
	}
	if !o.failed.IsZero() {
		if x, ok = load(o.failed); !ok {
			return false
		}
		a.Failed, _ = plain(x.entry).(*journal.Answer)
	}
	if a.Answer != nil || o.answer.IsZero() {
		return true
	}
	if x, ok = load(o.answer); !ok {
		return false
	}
	a.Answer, ok = plain(x.entry).(*journal.Answer)
	return ok
}

// askedBy fills in what is known about the ask that started a run.
func (m *Member) askedBy(r *outbox.Run, x text) {
	if a, ok := plain(x.entry).(*journal.Ask); ok {
		r.Query, r.Read, r.Trace = a.Query, m.queries.of(a.Token), a.Trace
	}
}
