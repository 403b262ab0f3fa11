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
	name     string
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
	near     journal.Near
	copyOf   *simAsk // what its sender stored again; nil: it is the first
}

// piece is how long a token of what senders store again is the same.
const piece = 3 * time.Second

// submit gives an ask the token that it has where it is stored now under a message id.
func (w *world) submit(a *simAsk, id string) {
	hash := func(n time.Duration) (h journal.Hash) {
		copy(h[:], fmt.Sprintf("%s.%d", id, n))
		return h
	}
	n := w.now / piece
	a.token, a.near = journal.TokenOf(hash(n)), journal.Near{Earlier: hash(n - 1), Later: hash(n + 1), Into: w.now % piece}
	w.tokens[a.token] = a
	w.deliver(a)
}

// storeAgain is what a sender does who has no acknowledgement: what it stores within a piece of
// time is the same ask, and another after it.
func (w *world) storeAgain(first *simAsk, id string) {
	again, at := *first, w.now
	w.after(w.between(0, min(2*piece, w.longest())), func() {
		again.stored, again.since, again.acked = false, 0, false
		switch {
		case w.now/piece == at/piece:
			return // it has the same token, as if it were delivered again
		case w.now-at < piece:
			again.copyOf = first
			w.note("stored again", "%s", id)
		default:
			again.name += "-anew"
			w.asks[again.name] = &again
			w.note("stored anew", "%s", id)
		}
		w.submit(&again, id)
	})
}

// of is the ask of a token, whichever copy of it that is.
func (w *world) of(token string) *simAsk {
	a := w.tokens[token]
	if a.copyOf != nil {
		return a.copyOf
	}
	return a
}

// arrive brings an ask, and comes again.
func (w *world) arrive() {
	if w.now > faulty+3*time.Second {
		return
	}
	w.after(w.between(20*time.Millisecond, 500*time.Millisecond), w.arrive)
	n := w.seen["asked"]
	w.seen["asked"]++
	a := &simAsk{name: fmt.Sprintf("t%03d", n), key: w.keys[w.draw.IntN(len(w.keys))], door: journal.Await, maxAge: -1}
	a.question = journal.Hash{a.key[0], 1}
	if w.draw.IntN(10) == 0 {
		a.question[1] = 2
	}
	a.id = journal.Hash{1, byte(n), byte(n >> 8)}
	if n > 0 && w.draw.IntN(4) == 0 { // one who asks again
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
		w.note("refresh", "%s", a.name)
		a.maxAge = 0
	}
	w.asks[a.name], a.token = a, a.name
	if w.tokens[a.token] = a; a.door == journal.Submit && w.longest() > 0 && w.draw.IntN(3) == 0 {
		w.submit(a, a.name)
		w.storeAgain(a, a.name)
		return
	}
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
	if o := w.of(a.token); a.acked || o.stored && w.now-o.since > w.longest() {
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
		if a.acked = a.acked || m.state.Knows(a.token, a.near); a.acked {
			continue
		}
		d.Add(&journal.Ask{Token: a.token, Key: a.key, Question: a.question, ID: a.id, Door: a.door, Left: a.left, MaxAge: a.maxAge, Near: a.near})
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
		a := &journal.Answer{Key: k, Run: t.Run.ID, Verdict: journal.Crashed, Begun: t.Run.First}
		for _, x := range t.Asks {
			a.Question = x.Question
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
			d.Add(m.state.Copy(c.item, c.e, c.by, m.w.now), c.item.Key)
		}
	}
	m.carries = nil
}
