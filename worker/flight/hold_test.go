// Asks that wait for a partner, for a slot, or for the end of a hold, at exact instants.

package flight_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"protocolq/worker/flight"
	"protocolq/worker/journal"
)

func TestResumeEndsCooldown(t *testing.T) {
	bubble(t, nil, func(m *member) {
		m.answer = func(n int, _ string) (time.Duration, flight.Outcome) {
			if n == 1 {
				return 10 * ms, flight.Outcome{Class: flight.Final, Code: "ILLEGAL_SIGN", Result: []byte("no")}
			}
			return 10 * ms, answered
		}
		m.ask("t1", 1, submit)
		m.wait(5 * time.Second)
		m.wantCalls(0)
		m.loop.Do(func(f *flight.Flights, now time.Duration) { f.Resume("p", now) })
		m.wait(time.Second)
		m.wantCalls(0, 5*time.Second)
		m.wantTold("t1", 5010*ms, "answer")
	})
}

// An awaiting ask is told at once that the partner is halted. A submitted ask waits, and is woken
// when the partner is resumed.
func TestHalt(t *testing.T) {
	bubble(t, nil, func(m *member) {
		m.gate = func(context.Context, string) (flight.Admission, error) {
			return flight.Admission{After: time.Minute, Why: "HALTED"}, nil
		}
		m.ask("t1", 1, nil)
		m.ask("t2", 2, submit)
		m.wait(5 * time.Second)
		m.ask("t3", 2, nil)
		m.wait(5 * time.Second)
		m.wantTold("t1", 0, "HALTED")
		m.wantTold("t3", 5*time.Second, "HALTED")
		m.wantWaits("t2")
		m.set(func() { m.gate = nil })
		m.loop.Do(func(f *flight.Flights, now time.Duration) { f.Resume("p", now) })
		m.wait(time.Second)
		m.wantCalls(10 * time.Second)
		m.wantTold("t2", 10010*ms, "answer")
	})
}

// A call of another key does not begin while the gateway wants none for the partner.
func TestEverybodyWaits(t *testing.T) {
	bubble(t, nil, func(m *member) {
		m.answer = func(n int, _ string) (time.Duration, flight.Outcome) {
			if n == 1 {
				o := failed(3 * time.Second)
				o.Everybody = true
				return 10 * ms, o
			}
			return 10 * ms, answered
		}
		m.ask("t1", 1, nil)
		m.wait(time.Second)
		m.ask("t2", 2, nil)
		m.ask("t3", 3, func(a *journal.Ask) { a.Partner = "q" })
		m.wait(10 * time.Second)
		m.wantCalls(0, time.Second, 3010*ms, 3010*ms)
		m.wantTold("t3", 1010*ms, "answer")
	})
}

// An ask that waits for a partner's rate holds no slot.
func TestNoSlotAtTheGate(t *testing.T) {
	bubble(t, func(o *flight.Options) { o.Slots = 1 }, func(m *member) {
		m.gate = func(ctx context.Context, partner string) (flight.Admission, error) {
			if partner == "slow" {
				<-ctx.Done()
				return flight.Admission{}, ctx.Err()
			}
			return flight.Admission{Leave: func() {}}, nil
		}
		m.ask("t1", 1, func(a *journal.Ask) { a.Partner = "slow" })
		m.wait(100 * ms)
		m.ask("t2", 2, nil)
		m.wait(time.Second)
		m.wantTold("t2", 110*ms, "answer")
		m.wantWaits("t1")
	})
}

// A resumed partner does not override the gateway: if the gateway asked for a pause, the key still
// waits.
func TestResumeKeepsRetryAfter(t *testing.T) {
	bubble(t, nil, func(m *member) {
		m.answer = func(n int, _ string) (time.Duration, flight.Outcome) {
			if n == 1 {
				return 10 * ms, failed(40 * time.Second)
			}
			return 10 * ms, answered
		}
		m.ask("t1", 1, submit)
		m.wait(5 * time.Second)
		m.loop.Do(func(f *flight.Flights, now time.Duration) { f.Resume("p", now) })
		m.wait(time.Minute)
		m.wantCalls(0, 40050*ms)
	})
}

// An ask that waits briefly for a partner gets no reply yet, and is called for when that time is
// over.
func TestShortHold(t *testing.T) {
	bubble(t, nil, func(m *member) {
		asked := 0
		m.gate = func(context.Context, string) (flight.Admission, error) {
			if asked++; asked == 1 {
				return flight.Admission{After: 2 * time.Second}, nil
			}
			return flight.Admission{Leave: func() {}}, nil
		}
		m.ask("t1", 1, nil)
		m.wait(time.Minute)
		m.wantCalls(2 * time.Second)
		m.wantTold("t1", 2010*ms, "answer")
	})
}

// More than may be parked are refused, the newest first. Half of the room is one asker's.
func TestParked(t *testing.T) {
	bubble(t, func(o *flight.Options) { o.Parked = 4 }, func(m *member) {
		m.gate = func(context.Context, string) (flight.Admission, error) {
			return flight.Admission{After: time.Minute, Why: "HALTED"}, nil
		}
		for i := range byte(4) {
			m.ask(fmt.Sprint("t", i), i, submit)
			m.wait(ms)
		}
		m.ask("other", 9, func(a *journal.Ask) { submit(a); a.Asker = "b" })
		m.wait(time.Second)
		m.wantWaits("t0")
		m.wantWaits("t1")
		m.wantTold("t2", 2*ms, "OVERLOADED")
		m.wantTold("t3", 3*ms, "OVERLOADED")
		m.wantWaits("other")
	})
}

func TestSlots(t *testing.T) {
	bubble(t, func(o *flight.Options) { o.Slots = 3 }, func(m *member) {
		for i := range byte(20) {
			m.ask(fmt.Sprint("t", i), i, nil)
		}
		m.wait(time.Second)
		if len(m.calls) != 20 || m.most != 3 {
			t.Errorf("%d calls, %d at once, want 20 and 3", len(m.calls), m.most)
		}
		if len(m.told) != 20 {
			t.Errorf("%d askers are told, want 20", len(m.told))
		}
	})
}

// A run that waits between two attempts holds no slot.
func TestNoSlotWhileWaiting(t *testing.T) {
	bubble(t, func(o *flight.Options) { o.Slots = 1 }, func(m *member) {
		m.answer = func(_ int, query string) (time.Duration, flight.Outcome) {
			if query == "t1" {
				return 10 * ms, failed(2 * time.Second)
			}
			return 10 * ms, answered
		}
		m.ask("t1", 1, nil)
		m.wait(500 * ms)
		m.ask("t2", 2, nil)
		m.wait(500 * ms)
		m.wantTold("t2", 510*ms, "answer")
	})
}

// One asker's thousands do not make another wait.
func TestFairShares(t *testing.T) {
	bubble(t, func(o *flight.Options) { o.Slots = 4 }, func(m *member) {
		m.answer = func(int, string) (time.Duration, flight.Outcome) { return 100 * ms, answered }
		for i := range 3000 {
			m.ask(fmt.Sprint("many", i), 0, func(a *journal.Ask) { a.Key, a.Asker = numbered(i+1), "greedy" })
		}
		m.wait(1050 * ms)
		m.ask("t1", 0, func(a *journal.Ask) { a.Asker = "modest" })
		m.ask("t2", 1, func(a *journal.Ask) { a.Asker = "modest"; a.Door = journal.Submit })
		m.wait(time.Second)
		m.wantTold("t1", 1200*ms, "answer")
		m.wantTold("t2", 1300*ms, "answer") // after seven others: the share of the submitted
	})
}
