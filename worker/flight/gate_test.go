// Flights behind a partner's real gate: its rate, its concurrency and its halt.

package flight_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"protocolq/worker/flight"
	"protocolq/worker/journal"
	"protocolq/worker/partner"
	"protocolq/worker/record"
)

// behind puts a member behind the gate of partner "p".
func (m *member) behind(l partner.Limits, records partner.Records) *partner.Gate {
	g := partner.New(partner.Options{Partners: []string{"p"}, Limits: map[string]partner.Limits{"p": l}, Records: records, Owner: "m1",
		Resumed: func(name string) {
			m.loop.Do(func(f *flight.Flights, now time.Duration) { f.Resume(name, now) })
		}})
	m.set(func() {
		m.may = g.Open
		m.gate = func(ctx context.Context, name string) (flight.Admission, error) {
			turn, err := g.Turn(ctx, name)
			a := flight.Admission{Leave: turn.Leave, Lasts: turn.Lasts, After: turn.After}
			switch {
			case turn.Halted:
				a.Why, a.Halted = "HALTED", true
			case turn.Leave == nil:
				a.Why, a.Behind = "OVERLOADED", true
			}
			return a, err
		}
	})
	return g
}

// submits journals so many submitted asks of different keys.
func (m *member) submits(n int) {
	for i := range n {
		m.ask(fmt.Sprint("s", i), 0, func(a *journal.Ask) { submit(a); a.Key = numbered(i + 1) })
	}
}

// bySecond is how many calls began in each second, and the most of them.
func (m *member) bySecond() (by map[time.Duration]int, most int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	by = map[time.Duration]int{}
	for _, c := range m.calls {
		by[c.at/time.Second]++
		most = max(most, by[c.at/time.Second])
	}
	return by, most
}

// With more keys in line than get a turn within the gate's longest wait, a rate is used and kept.
func TestRateWithABacklog(t *testing.T) {
	for _, rate := range []int{1, 3, 5, 10} {
		t.Run(fmt.Sprint(rate), func(t *testing.T) {
			bubble(t, nil, func(m *member) {
				m.behind(partner.Limits{Rate: rate}, &record.Memory{})
				m.submits(11 * rate * 10)
				m.wait(time.Minute)
				by, most := m.bySecond()
				if calls := len(m.calls); most > rate+1 || calls < 58*rate {
					t.Errorf("%d calls in a minute, by second %v: a rate of %d", calls, by, rate)
				}
			})
		})
	}
}

// An asker that awaits its reply comes before submitted asks, so that it is refused nothing on
// account of theirs.
func TestAwaitingBesideARatedBacklog(t *testing.T) {
	bubble(t, nil, func(m *member) {
		m.behind(partner.Limits{Rate: 5}, &record.Memory{})
		m.submits(300)
		for i := range byte(10) {
			m.wait(3 * time.Second)
			m.ask(fmt.Sprint("a", i), 0, func(a *journal.Ask) { a.Key = journal.Key{9, i} })
		}
		m.wait(30 * time.Second)
		m.mu.Lock()
		defer m.mu.Unlock()
		for i := range 10 {
			came := time.Duration(i+1) * 3 * time.Second
			if h := m.told[fmt.Sprint("a", i)]; len(h.what) < 6 || h.what[:6] != "answer" || h.at-came > time.Second {
				t.Errorf("an asker that came at %v is told %q at %v", came, h.what, h.at)
			}
		}
	})
}

// A halt ends the turns of those that wait for the concurrency or the rate, and the one that is
// kept: no call begins after it.
func TestHaltWhileTurnsWait(t *testing.T) {
	for name, limits := range map[string]partner.Limits{"concurrency": {Concurrency: 4}, "rate": {Rate: 5}} {
		t.Run(name, func(t *testing.T) {
			bubble(t, nil, func(m *member) {
				records := &record.Memory{}
				gate := m.behind(limits, records)
				stop, err := gate.Watch(m.t.Context())
				if err != nil {
					t.Fatal(err)
				}
				defer stop()
				m.answer = func(int, string) (time.Duration, flight.Outcome) { return 5 * time.Second, answered }
				m.wait(100 * ms)
				m.ask("a0", 250, nil)
				m.submits(100)
				m.wait(6 * time.Second)
				halt := partner.Halt{Halted: true, By: partner.ByOperator}
				if err := partner.WriteHalt(m.t.Context(), records, "p", halt); err != nil {
					t.Fatal(err)
				}
				m.mu.Lock()
				before := len(m.calls)
				m.mu.Unlock()
				m.ask("a1", 251, nil)
				m.wait(5 * time.Minute)
				m.mu.Lock()
				defer m.mu.Unlock()
				if len(m.calls) > before {
					t.Errorf("called after an operator's halt: %v", m.calls[before:])
				}
			})
		})
	}
}

// A partner is resumed while the answer that it is halted is on its way: its asks wait no minute.
func TestResumedBeforeTheHaltIsHeard(t *testing.T) {
	bubble(t, nil, func(m *member) {
		var asked atomic.Int32
		m.gate = func(context.Context, string) (flight.Admission, error) {
			if asked.Add(1) > 1 {
				return flight.Admission{Leave: func() {}}, nil
			}
			m.loop.Do(func(f *flight.Flights, now time.Duration) { f.Resume("p", now) })
			return flight.Admission{After: time.Minute, Why: "HALTED", Halted: true}, nil
		}
		m.ask("t1", 1, submit)
		m.ask("t2", 2, nil)
		m.wait(time.Second)
		m.wantTold("t1", 10*ms, "answer")
		m.wantTold("t2", 10*ms, "answer")
	})
}

// slowRecords need a while for each write, as in an election.
type slowRecords struct{ record.Memory }

func (r *slowRecords) Put(ctx context.Context, name string, data []byte, expect uint64) (uint64, error) {
	time.Sleep(500 * ms)
	return r.Memory.Put(ctx, name, data, expect)
}

// The process ends while the probe's call notes that the partner is well again.
func TestEndBesideAProbe(t *testing.T) {
	bubble(t, nil, func(m *member) {
		gate := m.behind(partner.Limits{}, &slowRecords{})
		for i := range 5 {
			gate.Note(m.t.Context(), "p", partner.Run{Key: fmt.Sprint(i), Finding: partner.Fault})
		}
		m.set(func() {
			m.noted = func() {
				gate.Note(context.WithoutCancel(m.t.Context()), "p", partner.Run{Key: "k", Finding: partner.Good})
			}
		})
		m.ask("t1", 1, submit)
		m.wait(50 * time.Second)
		for len(m.begun("t1")) == 0 {
			m.wait(10 * ms)
		}
		m.wait(20 * ms) // its call has ended, and the note is being written
	})
}
