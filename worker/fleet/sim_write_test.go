// What a member of the simulated fleet writes, and what comes of it.

package fleet_test

import (
	"fmt"
	"slices"
	"time"

	"protocolq/worker/fleet"
	"protocolq/worker/journal"
	"protocolq/worker/memory"
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
	stored   bool          // in the log
	since    time.Duration // when
	acked    bool          // at the door it came in by
}

// arrive brings an ask, and comes again.
func (w *world) arrive() {
	if w.now > faulty+3*time.Second {
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
	}
	if w.draw.IntN(5) == 0 {
		w.note("refresh", "%s", a.token)
		a.maxAge = 0
	}
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
	d := m.own.Draft(m.state)
	m.addAsks(d)
	if len(m.owed) > 0 {
		d.Add(&journal.Told{Entries: m.owed})
		m.owed = nil
	}
	m.addLate(d)
	for _, k := range w.keys {
		m.addRun(d, k)
		m.addTurn(d, k)
		m.addDeadlines(d, k)
	}
	m.addCarries(d)
	open := slices.ContainsFunc(w.keys, func(k journal.Key) bool { r := m.runs[k]; return r != nil && !r.at.IsZero() })
	if m.draining && len(m.runs) == 0 && len(m.inbox) == 0 && len(m.state.Owed(m.id)) == 0 && len(d.Entries) == 0 {
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
		if a.acked = a.acked || m.state.Knows(a.token); a.acked {
			continue
		}
		d.Add(&journal.Ask{Token: a.token, Key: a.key, Question: a.question, ID: a.id, Door: a.door, Left: a.left, MaxAge: a.maxAge})
	}
	m.inbox = nil
}

// addLate adds answers to runs of the member that this process was before.
func (m *peer) addLate(d *fleet.Draft) {
	m.late = slices.DeleteFunc(m.late, func(r *run) bool {
		if !r.ended || r.verdict == 0 {
			return r.ended
		}
		if m.state.MayAnswer(r.key, r.begin.Run) && !m.own.Touches(r.key) {
			m.w.note("late answer", "to %s by %s", r.begin.Run, m.id)
			d.Add(m.answer(r), r.key)
		}
		return true
	})
}

func (m *peer) answer(r *run) *journal.Answer {
	a := &journal.Answer{Key: r.key, Question: r.question, Run: r.begin.Run, Verdict: r.verdict, Begun: r.first, Keep: keep}
	if r.verdict == journal.Failed {
		a.Keep = 3 * time.Second
	}
	return a
}

// addRun adds what a run under way needs: its answer, or its next attempt.
func (m *peer) addRun(d *fleet.Draft, k journal.Key) {
	r, w := m.runs[k], m.w
	switch {
	case r == nil || r.at.IsZero() || r.answer != nil:
	case m.state.Applied() >= r.at.Position && !m.state.MayAnswer(k, r.begin.Run):
		delete(m.runs, k) // it was void, or has ended otherwise
	case r.ended && r.verdict != 0:
		r.early = m.state.Early(m.own, k)
		r.answer = m.answer(r)
		d.Add(r.answer, k)
		m.tellEarly(r.answer, journal.Ref{}, r.early)
	case r.retry > 0 && r.retry <= w.now && !m.own.Touches(k):
		if len(m.state.Waiting(k)) == 0 {
			r.ended, r.retry, r.verdict = true, 0, journal.Failed
			return
		}
		w.seen["retried"]++
		next := *r.begin
		next.Attempt, next.Follows = r.begin.Attempt+1, ""
		r.begin, r.at, r.called, r.ended, r.retry = &next, journal.Ref{}, false, false, 0
		d.Add(&next, k)
	case !r.called && len(m.state.Waiting(k)) == 0 && m.state.Applied() >= r.at.Position && r.retry == 0:
		r.called, r.ended, r.verdict = true, true, journal.Released
	}
}

// addTurn adds what the fold lets the member decide about a key.
func (m *peer) addTurn(d *fleet.Draft, k journal.Key) {
	w := m.w
	if m.runs[k] != nil || m.draining {
		return
	}
	t := m.state.Turn(m.own, k, w.now, func(a *fleet.Ask, kept memory.Answer) bool { return w.fresh(a, kept.At) })
	switch t.Step {
	case fleet.Serve, fleet.Cool:
		if len(t.Asks) > 0 {
			w.seen[map[fleet.Step]string{fleet.Serve: "served", fleet.Cool: "cooled"}[t.Step]]++
			e := &journal.Settled{Asks: refs(t.Asks), Run: w.answerAt(t.Answer.At).Run, Answer: t.Answer.At}
			d.Add(e, k)
			m.tellEarly(e, journal.Ref{}, true)
		}
	case fleet.Conflict:
		w.seen["conflict"]++
		d.Add(&journal.Settled{Asks: refs(t.Asks), Why: "CONFLICT"}, k)
	case fleet.Recall:
		w.seen["recalled"]++
		d.Add(&journal.Settled{Asks: refs(t.Asks), Run: w.answerAt(t.Answer.At).Run, Answer: t.Answer.At}, k)
	case fleet.Begin, fleet.Rerun:
		if w.draw.IntN(3) == 0 && !w.well { // no slot is free
			return
		}
		w.names++
		b := &journal.Begin{Key: k, Run: fmt.Sprintf("r%d", w.names), Attempt: t.Attempt, Deaths: t.Deaths}
		if t.Run != nil {
			b.Follows = t.Run.ID
			w.note("reran", "%s after %s", b.Run, b.Follows)
		}
		m.runs[k] = &run{key: k, begin: b, question: asks(d, t, k)}
		d.Add(b, k)
	case fleet.Crash, fleet.Poison:
		w.seen[map[fleet.Step]string{fleet.Crash: "crashed", fleet.Poison: "poison"}[t.Step]]++
		a := &journal.Answer{Key: k, Question: t.Asks[0].Question, Run: t.Run.ID, Verdict: journal.Crashed, Begun: t.Run.First}
		for _, x := range t.Asks {
			a.Final = append(a.Final, journal.Final{Token: x.Token, ID: x.ID})
		}
		d.Add(a, k)
	}
}

// asks is the question that a begin is for: of the first ask that waits, or of one in the draft.
func asks(d *fleet.Draft, t fleet.Turn, k journal.Key) journal.Hash {
	if len(t.Asks) > 0 {
		return t.Asks[0].Question
	}
	for _, e := range d.Entries {
		if a, ok := e.(*journal.Ask); ok && a.Key == k && a.Door == journal.Await {
			return a.Question
		}
	}
	panic("a begin for nobody")
}

func refs(asks []*fleet.Ask) (refs []journal.Ref) {
	for _, a := range asks {
		refs = append(refs, a.First)
	}
	return refs
}

func (m *peer) addDeadlines(d *fleet.Draft, k journal.Key) {
	if !m.state.May(m.own, k) {
		return
	}
	var due []*fleet.Ask
	for _, a := range m.state.Waiting(k) {
		if a.Due > 0 && a.Due <= m.w.now {
			due = append(due, a)
		}
	}
	if len(due) > 0 {
		m.w.seen["deadline"]++
		d.Add(&journal.Settled{Asks: refs(due), Why: "DEADLINE"}, k)
	}
}

func (m *peer) addCarries(d *fleet.Draft) {
	for _, c := range m.carries {
		if m.state.MayCarry(m.own, c.item, m.w.now) {
			d.Add(c.item.Copy(c.e, c.by, m.w.now), c.item.Key)
		}
	}
	m.carries = nil
}

// send sends the draft.
func (m *peer) send() {
	w := m.w
	d := m.own.Sent()
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
			w.asks[e.Token].acked = true
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
