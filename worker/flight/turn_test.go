// Turns that come when no call can begin, and slots of partners with and without limits.

package flight_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"protocolq/worker/flight"
	"protocolq/worker/journal"
)

// rated lets a call begin at most every so often.
func rated(every time.Duration) func(context.Context, string) (flight.Admission, error) {
	next := make(chan struct{}, 1)
	next <- struct{}{}
	return func(ctx context.Context, _ string) (flight.Admission, error) {
		select {
		case <-next:
			time.AfterFunc(every, func() { next <- struct{}{} })
			return flight.Admission{Leave: func() {}}, nil
		case <-ctx.Done():
			return flight.Admission{}, ctx.Err()
		}
	}
}

// While the gateway wants no calls, turns within a rate are not saved up for the time after it.
func TestNoBurstAfterAHold(t *testing.T) {
	bubble(t, nil, func(m *member) {
		m.gate = rated(200 * ms)
		m.answer = func(n int, _ string) (time.Duration, flight.Outcome) {
			if n == 1 {
				o := failed(9 * time.Second)
				o.Everybody = true
				return 10 * ms, o
			}
			return 10 * ms, answered
		}
		m.submits(100)
		m.wait(15 * time.Second)
		if by, most := m.bySecond(); most > 6 || by[12] < 4 {
			t.Errorf("calls by second %v, five are allowed", by)
		}
	})
}

// While all slots are in use, one turn waits for a slot and no more.
func TestNoBurstAfterFullSlots(t *testing.T) {
	bubble(t, func(o *flight.Options) { o.Slots = 4 }, func(m *member) {
		m.gate, m.free = rated(time.Second), "q"
		m.answer = func(_ int, q string) (time.Duration, flight.Outcome) {
			if q[0] == 'q' {
				return 7 * time.Second, answered
			}
			return 10 * ms, answered
		}
		for i := range byte(4) {
			m.ask(fmt.Sprint("p", i), i, submit)
		}
		m.wait(100 * ms)
		for i := range byte(4) {
			m.ask(fmt.Sprint("q", i), 10+i, func(a *journal.Ask) { a.Partner = "q" })
		}
		m.wait(20 * time.Second)
		var at []time.Duration
		for i := range 4 {
			at = append(at, m.begun(fmt.Sprint("p", i))...)
		}
		if len(at) != 4 || at[1] != 7100*ms || at[3]-at[1] < time.Second {
			t.Errorf("calls within a rate of one a second began at %v", at)
		}
	})
}

// A partner with limits gets its share of the slots beside the backlog of one without.
func TestLimitedBesideUnlimited(t *testing.T) {
	bubble(t, func(o *flight.Options) { o.Slots = 8 }, func(m *member) {
		m.gate, m.free = places(4, true), "q"
		m.answer = func(n int, _ string) (time.Duration, flight.Outcome) {
			return time.Duration(100+n%17*7) * ms, answered
		}
		for i := range 2000 {
			m.ask(fmt.Sprint("q", i), 0, func(a *journal.Ask) {
				submit(a)
				a.Partner, a.Key = "q", numbered(i+1)
			})
		}
		m.wait(2 * time.Second)
		for i := range byte(5) {
			m.ask(fmt.Sprint("p", i), 0, func(a *journal.Ask) { a.Key = journal.Key{9, i} })
		}
		m.wait(10 * time.Second)
		for i := range 5 {
			if at := m.begun(fmt.Sprint("p", i)); len(at) != 1 || at[0] > 2500*ms {
				t.Errorf("called for at %v, asked at 2s", at)
			}
		}
	})
}

// All turns are given back, whatever becomes of those they were for.
func TestNoTurnIsKeptForEver(t *testing.T) {
	bubble(t, nil, func(m *member) {
		gate := places(8, true)
		m.gate = gate
		m.answer = func(n int, _ string) (time.Duration, flight.Outcome) {
			switch {
			case n%11 == 0:
				o := failed(time.Duration(n%7) * time.Second)
				o.Everybody = true
				return 50 * ms, o
			case n%5 == 0:
				return 100 * ms, failed(0)
			}
			return 100 * ms, answered
		}
		for i := range 600 {
			m.ask(fmt.Sprint("s", i), 0, func(a *journal.Ask) {
				if a.Key = numbered(i + 1); i%3 > 0 {
					submit(a)
				} else {
					a.Left = time.Duration(i%40+1) * 500 * ms
				}
			})
			if i%50 == 49 {
				m.wait(700 * ms)
			}
		}
		m.wait(10 * time.Minute)
		for i := range 8 {
			ctx, cancel := context.WithTimeout(m.t.Context(), time.Second)
			if _, err := gate(ctx, "p"); err != nil {
				t.Fatalf("only %d of 8 turns are free at rest", i)
			}
			cancel()
		}
	})
}
