// What a simulated member does with its batches and runs: sending, and what became of it.

package fleet_test

import (
	"fmt"
	"time"

	"protocolq/worker/fleet"
	"protocolq/worker/journal"
)

// send sends the draft.
func (m *peer) send() {
	w := m.w
	d := m.own.Sent()
	m.number = d.Head.Number
	m.flight, m.sentAt = &journal.Batch{Head: d.Head, Entries: d.Entries}, w.now
	m.watch.Sent(w.now)
	m.transmit()
}

// transmit sends the batch on its way, for the first time or again.
func (m *peer) transmit() {
	w, b := m.w, m.flight
	m.fence.Sent(b.Number, w.now, w.now+m.wall)
	w.append(m.proc, m.id, *b, m.expect, func(r reply) {
		switch {
		case m.flight != b:
		case r.stored:
			m.stored(r.newest)
		default:
			m.resolve(b)
		}
	})
	w.after(500*time.Millisecond, func() { m.run(func() { m.resolve(b) }) })
}

// resolve reads what became of the batch on its way.
func (m *peer) resolve(b *journal.Batch) {
	if m.flight != b || m.over {
		return
	}
	w := m.w
	answered := false
	w.newest(m.proc, m.id, func(r reply) {
		answered = true
		switch {
		case m.flight != b || m.over:
		case r.sealed, r.newest == 0 && w.first > m.expect && m.expect > 0:
			m.end() // purging leaves each member that lives a batch: where none is left it was sealed
		case r.number == b.Number:
			m.stored(r.newest)
		case r.newest == m.expect:
			w.seen["sent again"]++
			m.transmit()
		case r.newest > m.expect || r.newest == 0:
			w.errorf("%s finds batch %d where it expected %d", m.id, r.number, b.Number-1)
		default:
			answered = false // who was the leader knows less than the member itself
		}
	})
	w.after(500*time.Millisecond, func() {
		m.run(func() {
			if !answered {
				m.resolve(b)
			}
		})
	})
}

// stored goes on where the batch on its way was acknowledged.
func (m *peer) stored(at uint64) {
	w, b := m.w, m.flight
	m.flight, m.expect = nil, at
	m.fence.Acknowledged()
	m.watch.Acknowledged(w.now)
	for i, e := range b.Entries {
		ref := journal.Ref{Position: at, Index: uint16(i + 1)}
		switch e := e.(type) {
		case *journal.Ask:
			w.tokens[e.Token].acked = true
		case *journal.Begin:
			if r := m.runs[e.Key]; r != nil && r.begin == e {
				r.at = ref
				if r.first.IsZero() {
					r.first = ref
				}
				m.step(r)
			}
		case *journal.Answer:
			if r := m.runs[e.Key]; r != nil && r.answer == e {
				m.tellEarly(e, ref, r.early)
				delete(m.runs, e.Key)
			}
		case *journal.Settled:
			m.tellEarly(e, ref, true)
		}
	}
	m.compose()
}

// tellEarly tells what an own entry settles before it has come back, where that is allowed.
func (m *peer) tellEarly(e journal.Entry, at journal.Ref, early bool) {
	for _, a := range m.state.Ahead(e, at, early) {
		if !m.done[a.First] {
			m.w.seen["early"]++
			m.done[a.First] = true
			what := "answer at " + at.String()
			if s, ok := e.(*journal.Settled); ok {
				what = said(&fleet.Settlement{Why: s.Why, Answer: s.Answer})
			}
			m.w.tells(m, a, what, nil)
			m.finish(a.First)
		}
	}
}

// step goes on with a run: its call is made once it may be.
func (m *peer) step(r *run) {
	w := m.w
	if m.over || r.called || r.ended || r.retry > 0 || !m.state.MayCall(r.begin, r.at) {
		return
	}
	if !m.fence.MayCall(w.now, w.now+m.wall) {
		w.seen["fenced"]++
		return
	}
	r.called = true
	took := w.between(5*time.Millisecond, 300*time.Millisecond)
	worst := w.worst
	switch {
	case w.focus == 1 && !w.well: // after an election the lease is all but over, and a long call would outlive it
		took, worst = w.between(callTime*9/10, callTime), 3
	case w.draw.IntN(3) == 0:
		took = w.between(callTime/2, callTime)
	}
	c := &call{key: r.key, run: r.begin.Run, attempt: r.begin.Attempt, from: w.now, to: w.now + took, by: m}
	w.called(c)
	switch { // the worst moment
	case w.chance(worst):
		w.die(m.proc)
	case w.chance(w.worst): // it wakes when it is sealed and the next is about to call
		w.freeze(m.proc, w.between(4*time.Second, 8*time.Second))
	}
	outcome, last := w.draw.IntN(10), r.begin.Attempt >= w.o.Attempts
	w.after(took, func() {
		m.run(func() {
			switch {
			case outcome < 6:
				r.ended, r.verdict = true, journal.Conclusive
				w.seen["answered"]++
			case outcome < 9 && !last && !m.over:
				r.retry = w.now + w.between(50*time.Millisecond, 600*time.Millisecond)
			default:
				r.ended, r.verdict = true, journal.Failed
				w.seen["failed"]++
			}
		})
	})
}

// show is an entry in few words.
func show(e journal.Entry) string {
	switch e := e.(type) {
	case *journal.Ask:
		return fmt.Sprintf("ask %s key %d door %d left %v max age %v", e.Token, e.Key[6], e.Door, e.Left, e.MaxAge)
	case *journal.Begin:
		return fmt.Sprintf("begin %s key %d attempt %d deaths %d follows %s", e.Run, e.Key[6], e.Attempt, e.Deaths, e.Follows)
	case *journal.Answer:
		return fmt.Sprintf("answer %s key %d verdict %d begun %v final %v", e.Run, e.Key[6], e.Verdict, e.Begun, e.Final)
	case *journal.Carried:
		return fmt.Sprintf("carried %v of %s: %s", e.First, e.Writer, show(e.Entry))
	case *journal.Settled:
		return fmt.Sprintf("settled %v %s %s", e.Asks, e.Run, e.Why)
	case *journal.Told:
		return fmt.Sprintf("told %v", e.Entries)
	case *journal.Seal:
		return fmt.Sprintf("seal by %s", e.By)
	}
	return fmt.Sprintf("%T", e)
}
