// What the flights of a simulated member are given: a gate that is slow and shuts, a gateway that
// fails, reads that are late.

package flight_test

import (
	"errors"
	"fmt"
	"time"

	"protocolq/worker/fleet"
	"protocolq/worker/flight"
	"protocolq/worker/journal"
)

func partnerOf(k journal.Key) string { return fmt.Sprintf("partner%d", k[6]%2) }

const (
	cooldown = 3 * time.Second
	longest  = 4 * time.Second
)

var words = flight.Words{Deadline: "DEADLINE", Conflict: "CONFLICT", Cooling: "COOLING", Overloaded: "OVERLOADED", Crashed: "CRASHED", Forgotten: "FORGOTTEN"}

var errFence = errors.New("the fence is shut")

func (w *world) flights(p *proc) *flight.Flights {
	f, err := flight.New(flight.Options{
		Gate: hands{p}, Caller: hands{p}, Journal: hands{p}, Words: words,
		NewRun: func() string {
			w.names++
			return fmt.Sprintf("r%d", w.names)
		},
		Waits:  w.waits,
		Result: func(code string, _ int) []byte { return []byte(code) },
		Budget: budget{w},
		Ahead: func(asks []*fleet.Ask, e *journal.Answer, at journal.Ref) {
			for _, a := range asks {
				p.peer.ahead(a, at)
			}
		},
		Attempts: w.o.Attempts, Slots: w.slots, Cooldown: cooldown, Longest: longest, AskPatience: w.patience, Patience: 2 * w.patience, Looks: w.looks, Parked: w.parkable,
	}, p.peer.state, p.peer.own)
	if err != nil {
		panic(err)
	}
	return f
}

// waits are drawn from the seed, as retry's are not.
func (w *world) waits() func() time.Duration {
	limit := 100 * time.Millisecond
	return func() time.Duration {
		limit = min(limit*3/2, time.Second)
		return w.between(0, limit)
	}
}

type budget struct{ w *world }

func (budget) Called()       {}
func (b budget) Retry() bool { return !b.w.chance(20) }

// ahead tells an ask before the answer has come back.
func (m *peer) ahead(a *fleet.Ask, at journal.Ref) {
	if m.done[a.First] {
		return
	}
	m.w.seen["early"]++
	m.done[a.First] = true
	m.w.tells(m, a, "answer at "+at.String(), nil)
	m.finish(a.First)
}

func (p *proc) drain() {
	p.draining = true
	p.run(p.flights.Drain)
}

// draft is the batch that a member composes.
type draft struct {
	m *peer
	d *fleet.Draft
}

func (d draft) Entries() []journal.Entry { return d.d.Entries }

func (d draft) Add(e journal.Entry, k journal.Key) error {
	w := d.m.w
	if w.chance(40) {
		w.seen["no room"]++
		return journal.ErrNoRoom
	}
	what := ""
	switch e := e.(type) {
	case *journal.Begin:
		switch {
		case e.Follows != "":
			what = "reran"
		case e.Attempt > 1:
			what = "retried"
		}
	case *journal.Answer:
		what = map[journal.Verdict]string{journal.Conclusive: "answered", journal.Failed: "failed", journal.Crashed: "crashed", journal.Released: "released"}[e.Verdict]
		if open := d.m.state.Open(k); e.Verdict == journal.Conclusive && open != nil && open.Writer != d.m.id {
			w.seen["late answer"]++
		}
	case *journal.Settled:
		if what = e.Why; what == "" {
			what = "served"
		}
	}
	w.seen[what]++
	d.d.Add(e, k)
	return nil
}

// hands are a process's.
type hands struct{ *proc }

// Wake implements [flight.Journal].
func (h hands) Wake() {
	m := h.peer
	if m == nil || m.woken || m.over {
		return
	}
	m.woken = true
	h.w.after(h.w.between(0, 3*time.Millisecond), func() {
		h.run(func() {
			m.woken = false
			m.compose()
		})
	})
}

// Read implements [flight.Journal].
func (h hands) Read(at journal.Ref) {
	w, f := h.w, h.flights
	w.seen["read"]++
	w.after(w.trip(), func() {
		h.run(func() {
			if at.Position < w.first || w.chance(10) {
				w.after(200*time.Millisecond, func() { h.run(func() { f.Read(at, nil, w.now) }) })
				return
			}
			e, _ := w.entry(at)
			f.Read(at, e, w.now)
		})
	})
}

// Try implements [flight.Gate].
func (h hands) Try(partner string) (func(), bool) {
	if h.w.gates == 0 || h.w.draw.IntN(2) == 0 && h.w.gates == 1 {
		return h.turn(partner), true
	}
	return nil, false
}

// turn is one that may be given back once.
func (h hands) turn(string) func() {
	left := false
	h.w.turns++
	return func() {
		if left {
			h.w.errorf("%s gives a turn back twice", h.name)
		}
		left = true
		h.w.turns--
	}
}

// Enter implements [flight.Gate].
func (h hands) Enter(partner string) {
	w := h.w
	t := flight.Admission{}
	took := w.between(0, 30*time.Millisecond)
	switch {
	case w.chance(8):
		t.After, t.Why = w.between(100*time.Millisecond, 8*time.Second), "HALTED"
		w.seen["halted"]++
	case w.chance(8):
		t.After = w.between(0, time.Second)
	case w.chance(8):
		took = w.between(time.Second, 5*time.Second)
	}
	w.after(took, func() {
		h.run(func() {
			if t.After == 0 {
				t.Leave = h.turn(partner)
			}
			h.flights.Entered(partner, t, w.now)
			if t.After > 0 && w.draw.IntN(3) == 0 {
				w.after(w.between(0, t.After), func() {
					h.run(func() {
						w.note("resumed", "%s at %s", partner, h.name)
						h.flights.Resume(partner, w.now)
					})
				})
			}
		})
	})
}

// Fence implements [flight.Caller].
func (h hands) Fence() error {
	m := h.peer
	if m.over || !m.fence.MayCall(h.w.now, h.w.now+m.wall) {
		h.w.seen["fenced"]++
		return errFence
	}
	return nil
}

// Call implements [flight.Caller].
func (h hands) Call(r flight.Request) {
	w, m := h.w, h.peer
	if r.Ask == nil && r.At.IsZero() {
		w.errorf("%s calls for %s and does not know what to ask", m.id, r.Run)
	}
	for _, q := range []string{string(m.id) + string(r.Key[:]), m.name + r.Partner} {
		if until := w.quiet[q]; w.now < until { // what is on its way already has begun
			w.errorf("%s calls for %s, and the gateway wants to be left alone until %v", m.id, r.Run, until)
		}
	}
	dial := w.between(0, 5*time.Millisecond)
	if w.chance(10) {
		dial = w.between(time.Second, 3*time.Second)
	}
	w.after(dial, func() {
		h.run(func() {
			if m.over || !m.fence.MayCall(w.now, w.now+m.wall) {
				w.seen["unsent"]++
				h.flights.Ended(r, flight.Outcome{Class: flight.Unsent}, w.now)
				return
			}
			h.ask(m, r)
		})
	})
}

// ask is the call from its first byte on.
func (h hands) ask(m *peer, r flight.Request) {
	w := h.w
	took := w.between(5*time.Millisecond, 300*time.Millisecond)
	if w.draw.IntN(3) == 0 {
		took = w.between(callTime/2, callTime)
	}
	w.called(&call{key: r.Key, run: r.Run, attempt: r.Attempt, from: w.now, to: w.now + took, by: m})
	switch { // the worst moment
	case w.chance(w.worst):
		w.die(m.proc)
	case w.chance(w.worst): // it wakes when it is sealed and the next is about to call
		w.freeze(m.proc, w.between(4*time.Second, 8*time.Second))
	}
	o := w.outcome()
	w.after(took, func() {
		h.run(func() {
			if o.RetryAfter > 0 {
				q := string(m.id) + string(r.Key[:])
				w.quiet[q] = max(w.quiet[q], w.now+o.RetryAfter)
				if q = m.name + r.Partner; o.Everybody {
					w.quiet[q] = max(w.quiet[q], w.now+o.RetryAfter)
				}
			}
			h.flights.Ended(r, o, w.now)
		})
	})
}

// outcome is what a call comes to.
func (w *world) outcome() flight.Outcome {
	o := flight.Outcome{Class: flight.Answered, Keep: w.keep, Result: []byte("yes")}
	switch n := w.draw.IntN(10); {
	case w.now > calm+10*time.Second: // all are to be answered by the end
	case n == 9:
		o = flight.Outcome{Class: flight.Final, Code: "FINAL", Result: []byte("no answer")}
	case n >= 6:
		o = flight.Outcome{Class: flight.Temporary, Code: "TEMPORARY", Result: []byte("no answer")}
		if w.chance(3) {
			w.seen["retry after"]++
			o.RetryAfter, o.Everybody = w.between(time.Millisecond, 8*time.Second), w.draw.IntN(2) == 0
		}
	}
	return o
}
