// What may happen next in the search of every order.

package fleet_test

import (
	"time"

	"protocolq/worker/fleet"
	"protocolq/worker/journal"
)

// expand visits everything that may happen next.
func (x *search) expand(n *node) {
	moved := false
	for m := range uint8(small) {
		moved = x.end(n, m) || moved
		moved = x.store(n, m) || moved
		moved = x.apply(n, m) || moved
		moved = x.call(n, m) || moved
		moved = x.compose(n, m) || moved
		x.faults(n, m)
		moved = x.seals(n, m) || moved
		moved = x.joins(n, m) || moved
	}
	truth := x.logs[n.log].state
	// Where nothing can happen any more, the ask that is in the log is told, if anybody lives to
	// tell it.
	if !moved && truth.Knows("t", journal.Near{}) && n.told == 0 && x.anybody(n, truth) {
		x.errorf(n, "the ask is never told")
	}
}

func (x *search) anybody(n *node, truth *fleet.State) bool {
	for m := range uint8(small) {
		if o := truth.Member(x.members[m]); n.m[m].status == up && o != nil && o.Sealed == 0 {
			return true
		}
	}
	return false
}

func (x *search) state(n *node, m uint8) *fleet.State {
	return x.logs[x.at(n.log, n.m[m].applied)].state
}

func (x *search) length(n *node) uint8 { return x.logs[n.log].length }

// end is the gateway's answer.
func (x *search) end(n *node, m uint8) bool {
	if n.calling>>m&1 == 0 {
		return false
	}
	c := *n
	c.calling &^= 1 << m
	c.lapsed &^= 1 << m
	if c.m[m].phase == calling {
		c.m[m].phase = ended
	}
	x.visit(c)
	return true
}

// store is the arrival of a batch at the log, and of its acknowledgement.
func (x *search) store(n *node, m uint8) bool {
	e := &n.m[m]
	if !e.flying {
		return false
	}
	c := *n
	o := &c.m[m]
	o.flying, o.flight = false, record{}
	if s := x.logs[n.log].state.Member(x.members[m]); s != nil && s.Sealed > 0 { // refused
		if o.status != dead {
			o.status = over
		}
		if o.phase == writing {
			o.phase = ended
		} else if o.phase == stored {
			o.phase = idle
		}
		x.visit(c)
		return true
	}
	c.log = x.grow(n.log, e.flight)
	at := x.length(&c)
	if e.flight.begin > 0 {
		if open := x.logs[c.log].state.Open(searchKey); e.flight.follows == 0 && (open == nil || open.ID != name(e.flight.begin)) {
			x.errorf(&c, "first begin r%d does not count", e.flight.begin)
		}
		if o.status == up {
			o.phase, o.run, o.follows, o.at = stored, e.flight.begin, e.flight.follows, at
		}
	}
	if e.phase == writing && o.status == up {
		o.phase = idle
		a := x.answer(&e.flight)
		for range x.state(n, m).Ahead(a, journal.Ref{Position: uint64(at), Index: 1}, e.early) {
			x.tell(&c, m, e.flight.answer)
		}
	}
	x.visit(c)
	return true
}

func (x *search) answer(r *record) *journal.Answer {
	for _, e := range x.entries(r) {
		if a, ok := e.(*journal.Answer); ok {
			return a
		}
	}
	return nil
}

// tell tells the ask what a run says.
func (x *search) tell(c *node, m, run uint8) {
	x.told++
	truth := x.logs[c.log].state
	for _, d := range truth.Owed(x.members[m]) {
		if d.Ask != nil && d.Ask.Settled.Run != name(run) {
			x.errorf(c, "%s tells r%d, the log says %s", x.members[m], run, d.Ask.Settled.Run)
		}
	}
	if c.told > 0 && c.told != run {
		x.errorf(c, "the ask is told r%d, and before it r%d", run, c.told)
	}
	c.told = run
}

// apply is a member's reading of the next batch, and what it tells because of it.
func (x *search) apply(n *node, m uint8) bool {
	e := &n.m[m]
	if e.status != up || e.applied >= x.length(n) {
		return false
	}
	c := *n
	o := &c.m[m]
	o.applied++
	s := x.state(&c, m)
	if me := s.Member(x.members[m]); me != nil && me.Sealed > 0 && !e.flying {
		o.status = over
		if o.phase == stored {
			o.phase = idle
		}
	}
	if o.status == up {
		for _, d := range s.Owed(x.members[m]) {
			if d.Ask != nil {
				var run uint8
				for run = 1; name(run) != d.Ask.Settled.Run; run++ {
				}
				x.tell(&c, m, run)
			}
		}
	}
	x.visit(c)
	return true
}

// call is the first byte of a call.
func (x *search) call(n *node, m uint8) bool {
	e := &n.m[m]
	if e.phase != stored || e.status != up {
		return false
	}
	s := x.state(n, m)
	b := &journal.Begin{Key: searchKey, Run: name(e.run), Follows: name(e.follows)}
	if !s.MayCall(b, journal.Ref{Position: uint64(e.at), Index: 1}) {
		if e.applied >= e.at && !s.MayAnswer(searchKey, name(e.run)) {
			c := *n
			c.m[m].phase = idle
			x.visit(c)
			return true
		}
		return false
	}
	if n.leaseEnd>>m&1 == 1 {
		return false // the fence
	}
	x.calls++
	if n.calling&^n.lapsed != 0 {
		x.errorf(n, "%s calls while another does", x.members[m])
	}
	if open := x.logs[n.log].state.Open(searchKey); open == nil || open.ID != name(e.run) {
		x.errorf(n, "%s calls for r%d, which is not open", x.members[m], e.run)
	}
	c := *n
	c.m[m].phase = calling
	c.calling |= 1 << m
	x.visit(c)
	return true
}

// compose is a member's next batch: with the ask or without it, with what it may decide or without
// it.
func (x *search) compose(n *node, m uint8) bool {
	e := &n.m[m]
	if e.status != up || e.flying {
		return false
	}
	s, moved := x.state(n, m), false
	for _, ask := range []bool{false, true} {
		if ask && (n.asked || s.Member(x.members[m]) == nil) {
			continue
		}
		for _, decide := range []bool{false, true} {
			c := *n
			o := &c.m[m]
			own := x.own(n, m)
			d := own.Draft(s, 1000)
			r := record{m: m, read: e.applied, ask: ask}
			c.asked = c.asked || ask
			if ask {
				d.Add(&journal.Ask{Token: "t", Key: searchKey, Door: journal.Submit, MaxAge: -1})
			}
			x.finish(&c, m, own, s, &r)
			if decide && !x.decide(&c, m, own, s, &r) {
				continue
			}
			if !ask && r.answer == 0 && r.begin == 0 {
				if decide || !s.BeatDue(own, 0) {
					continue
				}
				r.beat = true
			}
			o.flying, o.flight = true, r
			moved = true
			x.visit(c)
		}
	}
	return moved
}

// own is what a member knows of its batches that it has not applied.
func (x *search) own(n *node, m uint8) *fleet.Own {
	o, number := &fleet.Own{ID: x.members[m]}, uint64(0)
	for at := uint8(1); at <= x.length(n); at++ {
		l := &x.logs[x.at(n.log, at)]
		if l.m != m || l.seal {
			continue
		}
		number++
		d := o.Draft(x.logs[x.at(n.log, l.read)].state, number)
		for _, e := range x.entries(&l.record) {
			if e.Kind() == journal.KindAsk {
				d.Add(e)
			} else {
				d.Add(e, searchKey)
			}
		}
		o.Sent()
		if at <= n.m[m].applied {
			o.Applied(d.Head.Number)
		}
	}
	return o
}

// finish adds the answer that a member has in hand, of its own run or of the member that it was.
func (x *search) finish(c *node, m uint8, own *fleet.Own, s *fleet.State, r *record) {
	o := &c.m[m]
	if o.phase == ended {
		o.early = s.Early(own, searchKey)
		o.phase = writing
		r.answer, r.verdict, r.from = o.run, uint8(journal.Conclusive), o.at
		return
	}
	if o.former == 0 {
		return
	}
	if f := &c.m[o.former-1]; f.phase == ended {
		f.phase = idle
		if s.MayAnswer(searchKey, name(f.run)) && !own.Touches(searchKey) {
			r.answer, r.verdict, r.from = f.run, uint8(journal.Conclusive), f.at
		}
	}
}

// decide adds what the fold lets a member decide, and reports whether that is anything.
func (x *search) decide(c *node, m uint8, own *fleet.Own, s *fleet.State, r *record) bool {
	if r.answer > 0 || c.m[m].phase != idle {
		return false
	}
	// The lease of a sealed member is over once it calls no more, or whenever it is late for a call
	// that it makes all the same.
	now := time.Duration(0)
	cut := uint8(0)
	if open := s.Open(searchKey); open != nil && s.Cut(open) {
		for w := range uint8(small) {
			if x.members[w] == open.Writer && (c.calling&^c.lapsed)>>w&1 == 0 {
				now, cut = time.Minute, 1<<w
			}
		}
	}
	t := s.Turn(own, searchKey, now, nil)
	switch t.Step {
	case fleet.Begin, fleet.Rerun:
		c.m[m].begins++
		r.begin = m*8 + c.m[m].begins
		if t.Run != nil {
			for w := range uint8(small * 8) {
				if name(w) == t.Run.ID {
					r.follows = w
				}
			}
			c.leaseEnd |= cut
		}
		return true
	case fleet.Crash:
		for w := range uint8(small * 8) {
			if name(w) == t.Run.ID {
				r.answer = w
			}
		}
		r.verdict, r.from = uint8(journal.Crashed), uint8(t.Run.First.Position)
		c.leaseEnd |= cut
		return true
	}
	return false
}

// faults are crashes.
func (x *search) faults(n *node, m uint8) {
	if n.left.crashes == 0 || n.m[m].status != up {
		return
	}
	c := *n
	c.left.crashes--
	o := &c.m[m]
	o.status, o.phase = dead, idle
	x.visit(c)
	o.flying, o.flight = false, record{} // or its batch is lost with it
	x.visit(c)
}

// seals ends a member that is dead or over, or for nothing while the budget lasts.
func (x *search) seals(n *node, m uint8) bool {
	truth := x.logs[n.log].state.Member(x.members[m])
	if truth == nil || truth.Sealed > 0 {
		return false
	}
	gone := n.m[m].status == dead || n.m[m].status == over
	if !gone && n.left.seals == 0 {
		return false
	}
	for o := range uint8(small) {
		if o != m && n.m[o].status == up {
			c := *n
			if !gone {
				c.left.seals--
			}
			c.log = x.grow(n.log, record{m: m, seal: true})
			x.visit(c)
			return gone
		}
	}
	return false
}

// joins begins a member, a new one or one that a process was before.
func (x *search) joins(n *node, m uint8) bool {
	if n.m[m].status != absent || m > 0 && n.m[m-1].status == absent {
		return false
	}
	join := func(former uint8) {
		c := *n
		c.m[m] = one{status: up, applied: x.length(n), former: former, flying: true, flight: record{m: m, read: x.length(n), beat: true}}
		if former == 0 {
			c.left.joins--
		}
		x.visit(c)
	}
	if n.left.joins > 0 {
		join(0)
	}
	for f := range uint8(small) {
		if n.m[f].status == over {
			join(f + 1)
			return true
		}
	}
	return false
}
