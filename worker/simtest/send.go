// How a member's batches reach the log, and what became of them.

package simtest

import (
	"fmt"
	"time"

	"protocolq/worker/journal"
)

// send sends the draft.
func (m *Member) send() {
	d := m.Own.Sent()
	m.number = d.Head.Number
	m.flight, m.sentAt = &journal.Batch{Head: d.Head, Entries: d.Entries}, m.w.now
	m.watch.Sent(m.w.now)
	m.transmit()
}

// transmit sends the batch on its way, for the first time or again.
func (m *Member) transmit() {
	w, b := m.w, m.flight
	m.fence.Sent(b.Number, w.now, w.now+m.wall)
	w.append(m.Process, m.ID, *b, m.expect, func(o outcome) {
		switch {
		case m.flight != b:
		case o.stored:
			m.stored(o.newest)
		default:
			m.resolve(b)
		}
	})
	w.After(500*time.Millisecond, func() { m.Run(func() { m.resolve(b) }) })
}

// resolve reads what became of the batch on its way.
func (m *Member) resolve(b *journal.Batch) {
	if m.flight != b || m.over {
		return
	}
	w := m.w
	answered := false
	w.newest(m.Process, m.ID, func(o outcome) {
		answered = true
		switch {
		case m.flight != b || m.over:
		case o.sealed, o.newest == 0 && w.first > m.expect && m.expect > 0:
			m.end() // purging leaves each member that lives a batch: where none is left it was sealed
		case o.number == b.Number:
			m.stored(o.newest)
		case o.newest == m.expect:
			w.Seen["sent again"]++
			m.transmit()
		case o.newest > m.expect || o.newest == 0:
			w.Errorf("%s finds batch %d where it expected %d", m.ID, o.number, b.Number-1)
		default:
			answered = false // who was the leader knows less than the member itself
		}
	})
	w.After(500*time.Millisecond, func() {
		m.Run(func() {
			if !answered {
				m.resolve(b)
			}
		})
	})
}

// stored goes on where the batch on its way was acknowledged.
func (m *Member) stored(at uint64) {
	w, b := m.w, m.flight
	m.flight, m.expect = nil, at
	m.fence.Acknowledged()
	m.watch.Acknowledged(w.now)
	for _, e := range b.Entries {
		if e, ok := e.(*journal.Ask); ok && !w.isDamaged(m.ID) {
			w.tokens[e.Token].acked = true
		}
	}
	m.runs.Stored(at, b.Entries)
	m.Compose()
}

// show is an entry in few words.
func show(e journal.Entry) string {
	f := fmt.Sprintf
	switch e := e.(type) {
	case *journal.Ask:
		return f("ask %s key %d door %d left %v max age %v", e.Token, e.Key[6], e.Door, e.Left, e.MaxAge)
	case *journal.Begin:
		return f("begin %s key %d attempt %d deaths %d follows %s", e.Run, e.Key[6], e.Attempt, e.Deaths, e.Follows)
	case *journal.Answer:
		return f("answer %s key %d verdict %d begun %v final %v", e.Run, e.Key[6], e.Verdict, e.Begun, e.Final)
	case *journal.Carried:
		return f("carried %v of %s: %s", e.First, e.Writer, show(e.Entry))
	case *journal.Settled:
		return f("settled %v %s %s", e.Asks, e.Run, e.Why)
	case *journal.Told:
		return f("told %v", e.Entries)
	case *journal.Forget:
		return f("forget %d", e.Person[1])
	case *journal.Seal:
		return f("seal by %s", e.By)
	}
	return f("%T", e)
}
