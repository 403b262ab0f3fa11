// What a member that leaves still does, at exact instants.

package flight_test

import (
	"testing"
	"time"

	"protocolq/worker/flight"
)

// A member that leaves begins nothing more, and ends what it has begun.
func TestDrain(t *testing.T) {
	bubble(t, nil, func(m *member) {
		m.ask("t1", 1, nil)
		m.wait(5 * ms)
		idle := func() (idle bool) {
			m.loop.Do(func(f *flight.Flights, _ time.Duration) { idle = f.Idle() })
			return idle
		}
		m.loop.Do(func(f *flight.Flights, _ time.Duration) { f.Drain() })
		m.ask("t2", 2, nil)
		m.wait(ms)
		if idle() {
			t.Error("idle while a call is under way")
		}
		m.wait(time.Second)
		m.wantCalls(0)
		m.wantTold("t1", 10*ms, "answer")
		m.wantWaits("t2")
		if !idle() {
			t.Error("not idle when the call has ended")
		}
	})
}

// Once there is no time left for a call, none begins: a run between two attempts has failed, with
// what the last one came to, and one whose call was not made is left to the next owner.
func TestLastCalls(t *testing.T) {
	for name, c := range map[string]struct {
		after time.Duration // of the last calls
		calls []time.Duration
		told  time.Duration
	}{
		"during a call":          {5 * ms, []time.Duration{0}, 10 * ms},
		"between two attempts":   {60 * ms, []time.Duration{0}, 60 * ms},
		"during the second call": {115 * ms, []time.Duration{0, 110 * ms}, 120 * ms},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, nil, func(m *member) {
				m.answer = func(n int, _ string) (time.Duration, flight.Outcome) {
					if n == 1 {
						return 10 * ms, flight.Outcome{Class: flight.Temporary, Code: "CODE1", Result: []byte("CODE1")}
					}
					return 10 * ms, answered
				}
				m.ask("t1", 1, nil)
				m.wait(ms)
				m.loop.Do(func(f *flight.Flights, _ time.Duration) { f.Drain() })
				m.wait(c.after - ms)
				m.loop.Do(func(f *flight.Flights, now time.Duration) { f.LastCalls(now) })
				m.wait(time.Second)
				m.wantCalls(c.calls...)
				m.loop.Do(func(f *flight.Flights, _ time.Duration) {
					if !f.Idle() {
						t.Error("not idle when the last call has ended")
					}
				})
				m.wantTold("t1", c.told, "answer")
			})
		})
	}
	bubble(t, nil, func(m *member) { // the fence keeps the call from being made
		m.set(func() { m.shut = true })
		m.ask("t1", 1, nil)
		m.wait(10 * ms)
		m.loop.Do(func(f *flight.Flights, now time.Duration) { f.Drain(); f.LastCalls(now) })
		m.wait(time.Second)
		m.wantCalls()
		m.wantWaits("t1")
	})
}
