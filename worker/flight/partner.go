// Partners: a key that waits for a partner's rate, concurrency or halt holds no slot. One turn of a
// partner's concurrency is kept for askers that await their reply.

package flight

import (
	"maps"
	"slices"
	"time"
)

// partner is what is known of a partner.
type partner struct {
	name    string
	turns   []func()      // calls that may begin at once
	asked   int           // turns asked for, without an answer of the gate yet
	calls   int           // with a slot
	most    int           // turns to ask for at once: as many as come within the gate's longest wait
	lasting bool          // its turns are for no particular instant
	awaited time.Duration // when an ask that awaits its reply last waited for a turn; 0: never
	gate    hold          // what the gate says
	gateway hold          // what the gateway asks for; no operator can end it
	resumed uint64        // failures up to this position no longer cool a key down
}

func (f *Flights) partner(name string) *partner {
	p := f.partners[name]
	if p == nil {
		p = &partner{name: name, most: mostAsked}
		f.partners[name] = p
	}
	return p
}

// hold is for how long no call of a partner begins.
type hold struct {
	until time.Duration // 0: it is not held
	why   string        // the code that waiting askers get at once; "": they go on waiting
}

// held reports whether a partner is on hold at present, and why, if askers are to know.
func (f *Flights) held(name string) (why string, held bool) {
	p := f.partners[name]
	if p == nil {
		return "", false
	}
	for _, h := range []hold{p.gate, p.gateway} {
		if h.until > f.now {
			held = true
			if why == "" {
				why = h.why
			}
		}
	}
	return why, held
}

// GatewayRest is for how long the gateway wants no call of a partner.
func (f *Flights) GatewayRest(name string) time.Duration {
	if p := f.partners[name]; p != nil {
		return max(0, p.gateway.until-f.now)
	}
	return 0
}

// turn takes a turn for a call of a partner, if one is there at once.
func (f *Flights) turn(name string) func() {
	p := f.partner(name)
	if _, held := f.held(name); held {
		return nil
	}
	if p.lasting && len(p.turns) > 0 && !f.o.Gate.May(name) {
		f.giveBack(p)
	}
	if n := len(p.turns); n > 0 {
		leave := p.turns[n-1]
		p.turns = p.turns[:n-1]
		return leave
	}
	if p.asked > 0 {
		return nil // others are waiting already
	}
	if leave, ok := f.o.Gate.Try(name); ok {
		return leave
	}
	return nil
}

// grant gives slots to the keys whose turn it is, and asks the gate for turns if there are none.
func (f *Flights) grant() {
	for f.free > 0 && !f.full {
		var leave func()
		fl := f.queue.next(func(name string, door int) bool {
			if p := f.partner(name); door == submitted && len(p.turns) == 1 && f.keeps(p) {
				return false
			}
			leave = f.turn(name)
			return leave != nil
		})
		if fl == nil {
			break
		}
		name := f.partnerOf(fl)
		if !f.look(fl, leave) { // it no longer needs a call
			p := f.partner(name)
			p.turns = append(p.turns, leave)
		}
	}
	f.ask()
}

// ask asks the gate for as many turns as are needed and can be used.
func (f *Flights) ask() {
	waiting := f.queue.partners()
	for _, name := range slices.Sorted(maps.Keys(waiting)) {
		p := f.partner(name)
		if _, held := f.held(name); held {
			continue
		}
		wanted := waiting[name]
		if f.keeps(p) {
			wanted++
		}
		if leave, ok := f.o.Gate.Try(name); ok { // its keys wait for slots alone
			leave()
			continue
		}
		// One turn is asked for while no slot is free: with none in hand the partner would never get a
		// slot beside partners that need no turn.
		for p.asked+len(p.turns) < min(wanted, max(f.free, 1), p.most) {
			p.asked++
			f.o.Gate.Enter(name)
		}
	}
	for _, p := range f.partners {
		if waiting[p.name] == 0 {
			f.giveBack(p)
		}
	}
}

// When a turn is kept: while calls of a partner are under way here, and for a while after an asker
// awaited a reply.
const (
	keepBeside = 3
	keepFor    = 10 * time.Second
)

// keeps reports whether a partner's last turn is kept for askers that will await their reply.
// Otherwise submitted asks would have all turns, and with calls that end together an asker would
// wait for a whole call. At most a quarter of the member's turns is lost to submitted asks that
// way. While an asker is in line nothing is kept: submitted asks have their share of the turns.
func (f *Flights) keeps(p *partner) bool {
	return p.lasting && p.calls >= keepBeside && p.awaited > 0 && f.now-p.awaited < keepFor &&
		!f.queue.waits(awaiting, p.name)
}

// mostAsked is how many turns of one partner the gate may be asked for at once.
const mostAsked = 64

// giveBack gives back turns that are not needed.
func (f *Flights) giveBack(p *partner) {
	for _, leave := range p.turns {
		leave()
	}
	p.turns = nil
}

// partnerOf is the partner of a flight that was taken out of the queue.
func (f *Flights) partnerOf(fl *flight) string {
	if fl.run != nil {
		return fl.run.begin.Partner
	}
	return f.whose(fl, f.state.Waiting(fl.key)).partner
}

// wakeQueue has a batch composed if any key waits for a slot.
func (f *Flights) wakeQueue() {
	if !f.queue.empty() {
		f.o.Journal.Wake()
	}
}

// Admission is a gate's answer: a turn for a call, or none for as long as After. Leave is called
// when the call has ended. Lasts says that the turn is for no particular instant, so that it may be
// kept. Why is the code that askers that await a reply get at once, "" if the wait is short. Behind
// says that there is no turn only because too many have asked for one before, Halted that the
// partner is halted.
type Admission struct {
	Leave  func()
	Lasts  bool
	After  time.Duration
	Why    string
	Behind bool
	Halted bool
}

// Entered takes in the gate's answer to Enter.
func (f *Flights) Entered(name string, t Admission, now time.Duration) {
	f.now = now
	p := f.partner(name)
	p.asked--
	if t.Leave == nil {
		switch {
		case t.Behind && p.asked > 0: // those are the ones before it, and get theirs
			p.most = p.asked
			return
		case t.Halted && f.o.Gate.May(name): // it was resumed while the answer was on its way
			f.wakeQueue()
			return
		}
		f.hold(p, &p.gate, hold{now + max(t.After, time.Millisecond), t.Why})
		return
	}
	p.lasting, p.most = t.Lasts, min(p.most+1, mostAsked)
	needed := f.queue.waits(awaiting, name) || f.queue.waits(submitted, name)
	if _, held := f.held(name); held || !needed || f.free == 0 && len(p.turns) > 0 {
		t.Leave() // turns that nobody can use now would be used all at once
		return
	}
	p.turns = append(p.turns, t.Leave)
	f.o.Journal.Wake()
}

// hold lets no call of a partner begin for a while. Keys with askers that await a reply are looked
// at, so that these get one.
func (f *Flights) hold(p *partner, which *hold, h hold) {
	if h.until <= which.until {
		return
	}
	*which = h
	f.giveBack(p)
	if h.why != "" {
		for _, fl := range f.queue.await(p.name) {
			f.touch(fl)
		}
	}
}

// nextHold is when the first hold ends, Forever if there is none.
func (f *Flights) nextHold() time.Duration {
	next := Forever
	for _, p := range f.partners {
		for _, h := range []hold{p.gate, p.gateway} {
			if h.until > 0 {
				next = min(next, h.until)
			}
		}
	}
	return next
}

// endHolds ends the holds whose time has come.
func (f *Flights) endHolds() {
	for _, p := range f.partners {
		for _, h := range []*hold{&p.gate, &p.gateway} {
			if h.until > 0 && h.until <= f.now {
				*h = hold{}
				f.wakeQueue()
			}
		}
	}
}

// Resume says that the reason for a partner's hold is gone: the partner was resumed, or its signing
// key corrected. All keys that wait for it, also in a cool-down, are looked at now. A Retry-After
// of the gateway still counts.
func (f *Flights) Resume(name string, now time.Duration) {
	f.now = now
	p := f.partner(name)
	p.resumed = f.state.Applied()
	p.gate = hold{}
	f.wakeQueue()
	for _, k := range f.inOrder() {
		if asks := f.state.Waiting(k); len(asks) > 0 && asks[0].Partner == name {
			f.touch(f.keys[k])
		}
	}
}
