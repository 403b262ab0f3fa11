// What a member of the simulated fleet writes, and what comes of it.

package flight_test

import (
	"fmt"
	"time"

	"protocolq/worker/fleet"
	"protocolq/worker/journal"
)

// simAsk is one ask of one asker.
type simAsk struct {
	token    string
	key      journal.Key
	question journal.Hash
	id       journal.Hash
	door     journal.Door
	left     time.Duration
	maxAge   time.Duration
	asker    string
	stored   bool          // in the log
	since    time.Duration // when
	acked    bool          // at the door it came in by
}

// arrive brings an ask, and comes again.
func (w *world) arrive() {
	if w.now > w.lastAsk {
		return
	}
	w.after(w.between(20*time.Millisecond, 500*time.Millisecond), w.arrive)
	w.seen["asked"]++
	a := &simAsk{token: fmt.Sprintf("t%03d", len(w.asks)), key: w.keys[w.draw.IntN(len(w.keys))], door: journal.Await, maxAge: -1}
	a.question = journal.Hash{a.key[0], 1}
	if w.draw.IntN(10) == 0 {
		a.question[1] = 2
	}
	a.id = journal.Hash{1, byte(len(w.asks)), byte(len(w.asks) >> 8)}
	if n := len(w.asks); n > 0 && w.draw.IntN(4) == 0 { // one who asks again
		if o := w.asks[fmt.Sprintf("t%03d", w.draw.IntN(n))]; o.key == a.key && o.question == a.question {
			a.id = o.id
		}
	}
	if w.draw.IntN(w.submits) == 0 {
		a.door = journal.Submit
	}
	if w.draw.IntN(3) == 0 {
		a.left = w.between(200*time.Millisecond, 5*time.Second)
		if w.draw.IntN(3) == 0 {
			a.left = w.between(20*time.Millisecond, 200*time.Millisecond)
		}
	}
	if w.draw.IntN(5) == 0 {
		w.note("refresh", "%s", a.token)
		a.maxAge = 0
	}
	a.asker = fmt.Sprintf("a%d", w.draw.IntN(3))
	w.asks[a.token] = a
	w.deliver(a)
	if a.door == journal.Submit && w.longest() > 0 && w.draw.IntN(3) == 0 {
		w.after(w.between(0, w.longest()), func() { w.hand(a) })
	}
}

// longest is for how long a submitted ask is delivered again once it is in the log: Keep has to be
// longer than that and what a door may take with it.
func (w *world) longest() time.Duration { return max(0, w.o.Keep/2-5*time.Second) }

// deliver brings a submitted ask until it is acknowledged, an awaiting one once.
func (w *world) deliver(a *simAsk) {
	if a.acked || a.stored && w.now-a.since > w.longest() {
		return
	}
	w.hand(a)
	if a.door == journal.Submit {
		w.after(5*time.Second, func() { w.deliver(a) })
	}
}

// hand gives an ask to one of the doors.
func (w *world) hand(a *simAsk) {
	var doors []*proc
	for _, p := range w.procs {
		if !p.dead && p.frozen <= w.now && p.cut <= w.now && !p.draining {
			doors = append(doors, p)
		}
	}
	if len(doors) > 0 && w.away <= w.now {
		p := doors[w.draw.IntN(min(len(doors), w.doors))]
		p.run(func() { p.peer.inbox = append(p.peer.inbox, a) })
	}
}

// compose decides what the next batch says, and sends it now or a little later.
func (m *peer) compose() {
	if m.flight != nil || m.drafting || m.over || m.closed || m.expect == 0 {
		return
	}
	w := m.w
	d := m.own.Draft(m.state, m.number+1)
	m.addAsks(d)
	if len(m.owed) > 0 {
		d.Add(&journal.Told{Entries: m.owed})
		m.owed = nil
	}
	m.flights.Decide(draft{m, d}, w.now)
	m.addCarries(d)
	open := m.flights.Open() > 0
	if m.draining && m.flights.Idle() && len(m.inbox) == 0 && len(m.state.Owed(m.id)) == 0 && len(d.Entries) == 0 {
		d.Add(&journal.Seal{By: m.id})
		m.closed = true
	}
	if len(d.Entries) == 0 && !m.prove && !(open && w.now-m.sentAt > beat) && !m.state.BeatDue(m.own, m.target()) {
		return
	}
	if w.draw.IntN(4) > 0 {
		m.send()
		return
	}
	m.drafting = true // the least gap between two batches: the fold goes on meanwhile
	w.after(w.between(time.Millisecond, 60*time.Millisecond), func() {
		m.run(func() {
			if m.drafting = false; !m.over {
				m.send()
			}
		})
	})
}

func (m *peer) addAsks(d *fleet.Draft) {
	for _, a := range m.inbox {
		if a.acked = a.acked || m.state.Knows(a.token, journal.Near{}); a.acked {
			continue
		}
		d.Add(&journal.Ask{Token: a.token, Query: []byte(a.token), Key: a.key, Question: a.question, ID: a.id, Door: a.door, Left: a.left, MaxAge: a.maxAge, Partner: partnerOf(a.key), Asker: a.asker})
	}
	m.inbox = nil
}

func (m *peer) addCarries(d *fleet.Draft) {
	for _, c := range m.carries {
		if m.state.MayCarry(m.own, c.item, m.w.now) {
			d.Add(m.state.Copy(c.item, c.e, c.by, m.w.now), c.item.Key)
		}
	}
	m.carries = nil
}

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
	for _, e := range b.Entries {
		if e, ok := e.(*journal.Ask); ok {
			w.asks[e.Token].acked = true
		}
	}
	m.flights.Stored(at, b.Entries, w.now)
	m.compose()
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
