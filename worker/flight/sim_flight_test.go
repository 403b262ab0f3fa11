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
	"protocolq/worker/simtest"
)

func partnerOf(k journal.Key) string { return fmt.Sprintf("partner%d", k[6]%2) }

const (
	cooldown = 3 * time.Second
	longest  = 4 * time.Second
)

var words = flight.Words{Deadline: "DEADLINE", Conflict: "CONFLICT", Cooling: "COOLING", Overloaded: "OVERLOADED", Crashed: "CRASHED", Forgotten: "FORGOTTEN"}

var errFence = errors.New("the fence is shut")

// runs are what [simtest.Options] asks for: a process's flights go on with its next member.
func (w *world) runs(m *simtest.Member, former simtest.Runs) simtest.Runs {
	if h, ok := former.(*hands); ok {
		h.flights.Rejoin(m.State, m.Own)
		return h
	}
	h := &hands{Process: m.Process, w: w}
	w.hands = append(w.hands, h)
	f, err := flight.New(flight.Options{
		Gate: h, Caller: h, Journal: h, Words: words,
		NewRun: func() string { return w.Name("r") },
		Waits:  w.waits,
		Result: func(code string, _ int) []byte { return []byte(code) },
		Budget: budget{w},
		Ahead: func(asks []*fleet.Ask, e *journal.Answer, at journal.Ref) {
			for _, a := range asks {
				h.Member.ReplyAhead(a, "answer at "+at.String())
			}
		},
		Attempts: w.Fleet.Attempts, Slots: w.slots, Cooldown: cooldown, Longest: longest, AskPatience: w.patience, Patience: 2 * w.patience, Looks: w.looks, Parked: w.parkable,
	}, m.State, m.Own)
	if err != nil {
		panic(err)
	}
	h.flights = f
	return h
}

// waits are drawn from the seed, as retry's are not.
func (w *world) waits() func() time.Duration {
	limit := 100 * time.Millisecond
	return func() time.Duration {
		limit = min(limit*3/2, time.Second)
		return w.Between(0, limit)
	}
}

type budget struct{ w *world }

func (budget) Called()       {}
func (b budget) Retry() bool { return !b.w.Chance(20) }

// draft is the batch that a member composes.
type draft struct {
	w *world
	m *simtest.Member
	d *fleet.Draft
}

func (d draft) Entries() []journal.Entry { return d.d.Entries }

func (d draft) Add(e journal.Entry, k journal.Key) error {
	w := d.w
	if w.Chance(40) {
		w.Seen["no room"]++
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
		if open := d.m.State.Open(k); e.Verdict == journal.Conclusive && open != nil && open.Writer != d.m.ID {
			w.Seen["late answer"]++
		}
	case *journal.Settled:
		if what = e.Why; what == "" {
			what = "served"
		}
	}
	w.Seen[what]++
	d.d.Add(e, k)
	return nil
}

// hands are a process's: what its flights are given, and what they give.
type hands struct {
	*simtest.Process
	w       *world
	flights *flight.Flights
	woken   *simtest.Member // it is about to compose
	turns   int             // that are not given back
	shut    time.Duration   // until when the fence is
}

// Tick implements [simtest.Runs].
func (h *hands) Tick() { h.flights.Tick(h.w.Now()) }

// Applied implements [simtest.Runs].
func (h *hands) Applied(b *journal.Batch, c *fleet.Changes) { h.flights.Applied(b, c, h.w.Now()) }

// Stored implements [simtest.Runs].
func (h *hands) Stored(at uint64, entries []journal.Entry) { h.flights.Stored(at, entries, h.w.Now()) }

// Decide implements [simtest.Runs].
func (h *hands) Decide(d *fleet.Draft) { h.flights.Decide(draft{h.w, h.Member, d}, h.w.Now()) }

// Open implements [simtest.Runs].
func (h *hands) Open() bool { return h.flights.Open() > 0 }

// Idle implements [simtest.Runs].
func (h *hands) Idle() bool { return h.flights.Idle() }

// Drain implements [simtest.Runs].
func (h *hands) Drain() { h.flights.Drain() }

// Wake implements [flight.Journal].
func (h *hands) Wake() {
	m := h.Member
	if h.woken == m || m.Over() {
		return
	}
	h.woken = m
	h.w.After(h.w.Between(0, 3*time.Millisecond), func() {
		h.Run(func() {
			if h.woken == m {
				h.woken = nil
			}
			m.Compose()
		})
	})
}

// Read implements [flight.Journal].
func (h *hands) Read(at journal.Ref) {
	w, f := h.w, h.flights
	w.Seen["read"]++
	w.After(w.Trip(), func() {
		h.Run(func() {
			e, ok := w.Entry(at)
			if !ok || w.Chance(10) {
				w.After(200*time.Millisecond, func() { h.Run(func() { f.Read(at, nil, w.Now()) }) })
				return
			}
			f.Read(at, e, w.Now())
		})
	})
}

// Try implements [flight.Gate].
func (h *hands) Try(partner string) (func(), bool) {
	if h.w.gates == 0 || h.w.Draw.IntN(2) == 0 && h.w.gates == 1 {
		return h.turn(partner), true
	}
	return nil, false
}

// turn is one that is to be given back once.
func (h *hands) turn(string) func() {
	left := false
	h.turns++
	return func() {
		if left {
			h.w.Errorf("%s gives a turn back twice", h.Name)
		}
		left = true
		h.turns--
	}
}

// kept looks for turns that are not given back although nothing needs one.
func (w *world) kept() (wrong string) {
	for _, h := range w.hands {
		h.Run(func() { // unless it is dead
			if h.turns > 0 && h.flights.Keys() == 0 && h.flights.Idle() {
				wrong = fmt.Sprintf("%s needs no turn, and keeps %d", h.Name, h.turns)
			}
		})
	}
	return wrong
}

// May implements [flight.Gate].
func (h *hands) May(string) bool { return h.w.Draw.IntN(8) > 0 }

// Enter implements [flight.Gate].
func (h *hands) Enter(partner string) {
	w := h.w
	t := flight.Admission{}
	took := w.Between(0, 30*time.Millisecond)
	switch {
	case w.Chance(8):
		t.After, t.Why, t.Halted = w.Between(100*time.Millisecond, 8*time.Second), "HALTED", w.Draw.IntN(2) == 0
		w.Seen["halted"]++
	case w.Chance(8):
		t.After = w.Between(0, time.Second)
		if t.Behind = t.After < 500*time.Millisecond; t.Behind {
			w.Seen["behind"]++
		}
	case w.Chance(8):
		took = w.Between(time.Second, 5*time.Second)
	}
	w.After(took, func() {
		h.Run(func() {
			if t.After == 0 {
				t.Leave, t.Lasts = h.turn(partner), w.Draw.IntN(2) == 0
			}
			h.flights.Entered(partner, t, w.Now())
			if t.After > 0 && w.Draw.IntN(3) == 0 {
				w.After(w.Between(0, t.After), func() {
					h.Run(func() {
						w.Note("resumed", "%s at %s", partner, h.Name)
						h.flights.Resume(partner, w.Now())
					})
				})
			}
		})
	})
}

// Fence implements [flight.Caller].
func (h *hands) Fence() error {
	w, m := h.w, h.Member
	if w.Chance(100) { // as if acknowledgements were late
		h.shut = w.Now() + w.Between(time.Second, 6*time.Second)
	}
	if !m.MayCall() || w.Now() < h.shut {
		w.Seen["fenced"]++
		return errFence
	}
	return nil
}

// Call implements [flight.Caller].
func (h *hands) Call(r flight.Request) {
	w, m := h.w, h.Member
	if r.Ask == nil && r.At.IsZero() {
		w.Errorf("%s calls for %s and does not know what to ask", m.ID, r.Run)
	}
	for _, q := range []string{string(m.ID) + string(r.Key[:]), m.Name + r.Partner} {
		if until := w.quiet[q]; w.Now() < until { // what is on its way already has begun
			w.Errorf("%s calls for %s, and the gateway wants to be left alone until %v", m.ID, r.Run, until)
		}
	}
	dial := w.Between(0, 5*time.Millisecond)
	if w.Chance(10) {
		dial = w.Between(time.Second, 3*time.Second)
	}
	w.After(dial, func() {
		h.Run(func() {
			if !m.MayCall() {
				w.Seen["unsent"]++
				h.flights.Ended(r, flight.Outcome{Class: flight.Unsent}, w.Now())
				return
			}
			h.ask(m, r)
		})
	})
}

// question is what a call asks; zero: its text is purged.
func (w *world) question(r flight.Request) journal.Hash {
	asked := r.Ask
	if asked == nil {
		e, _ := w.Entry(r.At)
		if c, ok := e.(*journal.Carried); ok {
			e = c.Entry
		}
		asked, _ = e.(*journal.Ask)
	}
	if asked == nil {
		return journal.Hash{}
	}
	return asked.Question
}

// ask is the call from its first byte on.
func (h *hands) ask(m *simtest.Member, r flight.Request) {
	w := h.w
	took := w.Between(5*time.Millisecond, 300*time.Millisecond)
	if w.Draw.IntN(3) == 0 {
		took = w.Between(simtest.CallTime/2, simtest.CallTime)
	}
	m.Calls(simtest.Call{Key: r.Key, Run: r.Run, Attempt: r.Attempt, Question: w.question(r), Took: took, Worst: w.Worst})
	o := w.outcome()
	w.After(took, func() {
		h.Run(func() {
			if o.RetryAfter > 0 {
				q := string(m.ID) + string(r.Key[:])
				w.quiet[q] = max(w.quiet[q], w.Now()+o.RetryAfter)
				if q = m.Name + r.Partner; o.Everybody {
					w.quiet[q] = max(w.quiet[q], w.Now()+o.RetryAfter)
				}
			}
			h.flights.Ended(r, o, w.Now())
		})
	})
}

// outcome is what a call comes to.
func (w *world) outcome() flight.Outcome {
	o := flight.Outcome{Class: flight.Answered, Keep: w.keep, Result: []byte("yes")}
	switch n := w.Draw.IntN(10); {
	case w.Now() > simtest.Calm+10*time.Second: // all are to be answered by the end
	case n == 9:
		o = flight.Outcome{Class: flight.Final, Code: "FINAL", Result: []byte("no answer")}
	case n >= 6:
		o = flight.Outcome{Class: flight.Temporary, Code: "TEMPORARY", Result: []byte("no answer")}
		if w.Chance(3) {
			w.Seen["retry after"]++
			o.RetryAfter, o.Everybody = w.Between(time.Millisecond, 8*time.Second), w.Draw.IntN(2) == 0
		}
	}
	return o
}
