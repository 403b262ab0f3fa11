// Flights before the real gate of a halted partner: the probe is made, and decides about the
// others.

package flight_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"protocolq/worker/flight"
	"protocolq/worker/journal"
	"protocolq/worker/partner"
	"protocolq/worker/record"
)

// Thirty keys wait for a halted partner. Each minute one call finds out; once it is a good one, all
// are called at once.
func TestProbeOfAHaltedPartner(t *testing.T) {
	bubble(t, nil, func(m *member) {
		var records record.Memory
		gate := partner.New(partner.Options{Partners: []string{"p"}, Records: &records, Owner: "m1", Resumed: func(name string) {
			go m.loop.Do(func(f *flight.Flights, now time.Duration) { f.Resume(name, now) })
		}})
		stop, err := gate.Watch(m.t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer stop()
		for i := range 5 {
			gate.Note(m.t.Context(), "p", partner.Run{Key: fmt.Sprint(i), Finding: partner.Fault})
		}
		m.set(func() {
			m.gate = func(ctx context.Context, name string) (flight.Admission, error) {
				turn, err := gate.Turn(ctx, name)
				a := flight.Admission{Leave: turn.Leave, After: turn.After}
				if turn.Halted {
					a.Why = "HALTED"
				}
				return a, err
			}
			m.answer = func(n int, _ string) (time.Duration, flight.Outcome) {
				run, o := partner.Run{Key: "k", Finding: partner.Fault}, flight.Outcome{Class: flight.Final, Code: "ILLEGAL_SIGN", Result: []byte("no")}
				if n > 1 {
					run.Finding, o = partner.Good, answered
				}
				time.AfterFunc(9*ms, func() { gate.Note(context.Background(), "p", run) })
				return 10 * ms, o
			}
		})
		for i := range 30 {
			m.ask(fmt.Sprint("t", i), 0, func(a *journal.Ask) { a.Key = numbered(i + 1); submit(a) })
		}
		m.wait(3 * time.Minute)
		if len(m.calls) != 31 {
			t.Fatalf("%d calls, want the probe that failed, and one for each", len(m.calls))
		}
		for i, c := range m.calls {
			const second = 2*time.Minute + 5*time.Second // the first was rejected: others may go before it
			want := second + 9*ms
			switch i {
			case 0:
				want = time.Minute
			case 1:
				want = second
			}
			if late := c.at - want; late < 0 || late > 2*ms {
				t.Errorf("call %d at %v, want %v", i+1, c.at, want)
			}
		}
	})
}
