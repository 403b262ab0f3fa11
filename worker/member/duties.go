// Duties: what this member owes because of entries, with all that the outbox needs to publish it.

package member

import (
	"slices"
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
	// What these texts have to be of: another is in their place if the log was replaced.
	key        journal.Key
	token, run string
}

// mostFetches is how many duties' texts are read from the log at once.
const mostFetches = 64

// stage is how far a duty is that is not told yet.
type stage struct {
	given  bool          // the outbox has it
	failed int           // how often reading its texts failed
	until  time.Duration // they are not read again before
	purged uint64        // the end of the log when a text was found to be purged; 0: none was
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
	o := owed{duty: outbox.Duty{Entry: d.Entry, Ask: x}, ask: a.At, answer: a.Settled.Answer,
		key: a.Key, token: a.Token, run: a.Settled.Run}
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
	o := owed{duty: outbox.Duty{Entry: d.Entry, Run: x}, answer: d.Answer.At, key: d.Answer.Key, run: d.Answer.Run}
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
