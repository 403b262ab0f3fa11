// Fetching: the texts of duties that are not in memory are read from the log.

package member

import (
	"context"
	"errors"
	"sync"
	"time"

	"protocolq/worker/flight"
	"protocolq/worker/journal"
)

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

// busy reports whether the texts of any duty are being read.
func (t *toFetch) busy() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.running > 0
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

var errOther = errors.New("member: another entry is in its place: was the log replaced?")

// fetch reads the texts of a duty from the log, and gives the duty to the outbox if that is still
// needed. If they cannot be read now, they are read again, less and less often.
func (m *Member) fetch(o owed, st *stage) {
	ctx, cancel := context.WithTimeout(m.ctx, fetchTime)
	defer cancel()
	var failed error
	var missing uint64
	load := func(at journal.Ref) (text, bool) {
		x, err := m.texts.load(ctx, at)
		if err != nil {
			failed, missing = err, at.Position
		}
		return x, err == nil
	}
	if o.duty.Run != nil { // a run is also published if its ask cannot be read
		if x, err := m.texts.load(ctx, o.asked); err == nil {
			m.askedBy(&o, x)
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
	if !filled && failed == nil {
		failed = errOther
	}
	end := uint64(0)
	if isNotThere(failed) {
		end = m.endIfPurged(ctx, missing)
	}
	m.loop.Do(func(_ *flight.Flights, now time.Duration) {
		switch {
		case m.stages[o.duty.Entry] != st: // told meanwhile, or another member's
		case filled && m.o.Duties.Add(o.duty):
			st.given, st.until = true, 0
		case filled:
			delete(m.stages, o.duty.Entry)
			m.unowed = true
		case st.purged > 0 && end > 0 && m.state.Applied() >= st.purged:
			m.tellAgain(o.duty.Entry, st, failed)
		default:
			if st.purged == 0 {
				st.purged = end
			}
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

// endIfPurged is the end of the log if a position is before its beginning, or else 0.
func (m *Member) endIfPurged(ctx context.Context, position uint64) uint64 {
	st, err := m.o.Log.State(ctx)
	if err != nil || position >= st.First {
		return 0
	}
	return st.Last
}

// tellAgain journals that a duty is told whose texts are purged although the fold has read the
// whole log. Nothing is purged before it is told, so the log has lost its end since, with the entry
// that said so, as in a power cut.
func (m *Member) tellAgain(entry journal.Ref, st *stage, err error) {
	st.given, st.until = true, 0
	m.log.Error("the log has lost that a reply was published, which is noted again", "entry", entry.String(),
		"err", err)
	m.Done([]journal.Ref{entry})
}

// fillIn fills in the texts of a duty from load. false: one is missing, or is of another entry.
func (m *Member) fillIn(o *owed, load func(journal.Ref) (text, bool)) bool {
	if r := o.duty.Run; r != nil {
		x, ok := load(o.answer)
		if !ok {
			return false
		}
		r.Answer, r.Stored = o.answerIn(x, o.run), x.stored
		if r.Answer != nil && !o.asked.IsZero() {
			q, there := load(o.asked)
			if !there {
				return false
			}
			m.askedBy(o, q)
		}
		return r.Answer != nil
	}
	a := o.duty.Ask
	x, ok := load(o.ask)
	if !ok {
		return false
	}
	a.Stored = x.stored
	if a.Ask, ok = plain(x.entry).(*journal.Ask); !ok || a.Ask.Token != o.token {
		return false
	}
	if !o.failed.IsZero() {
		if x, ok = load(o.failed); !ok {
			return false
		}
		a.Failed = o.answerIn(x, "")
	}
	if a.Answer != nil || o.answer.IsZero() {
		return true
	}
	if x, ok = load(o.answer); !ok {
		return false
	}
	a.Answer = o.answerIn(x, o.run)
	return a.Answer != nil
}

// answerIn is a text that is the answer of a run, or of any run (""), to the duty's key, or nil.
func (o *owed) answerIn(x text, run string) *journal.Answer {
	if a, ok := plain(x.entry).(*journal.Answer); ok && a.Key == o.key && (run == "" || a.Run == run) {
		return a
	}
	return nil
}

// askedBy fills in what is known about the ask that started a run.
func (m *Member) askedBy(o *owed, x text) {
	if a, ok := plain(x.entry).(*journal.Ask); ok && a.Key == o.key {
		r := o.duty.Run
		r.Query, r.Read, r.Trace = a.Query, m.queries.of(a.Token), a.Trace
	}
}
