// The decisions, case by case.

package flight_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"protocolq/worker/fleet"
	"protocolq/worker/flight"
	"protocolq/worker/journal"
)

func TestDecide(t *testing.T) {
	const now = 100 * time.Second
	waits := func(names string) (asks []*fleet.Ask) {
		for i, name := range strings.Fields(names) {
			a := &fleet.Ask{Token: name, Door: journal.Await, First: journal.Ref{Position: uint64(i + 1), Index: 1}}
			if name[0] == 's' {
				a.Door = journal.Submit
			}
			asks = append(asks, a)
		}
		return asks
	}
	// The time of d… has passed, that of l… passes in 5 s.
	due := func(a *fleet.Ask) time.Duration {
		return map[byte]time.Duration{'d': now, 'l': now + 5*time.Second}[a.Token[0]]
	}
	for _, c := range []struct {
		name    string
		step    fleet.Step
		asks    string // that the turn names, the first ones of those that wait
		waiting string
		change  func(*flight.Facts)
		want    string
	}{
		{"nobody waits", fleet.Nobody, "", "", nil, "drop"},
		{"another owns it", fleet.Elsewhere, "", "a d", nil, "drop"},
		{"a join is not read yet", fleet.Unread, "", "d", nil, "rest"},
		{"an own batch is not applied yet", fleet.Unapplied, "", "d", nil, "rest"},
		{"a run is under way", fleet.UnderWay, "", "a s", nil, "rest left a s"},
		{"a deadline passes meanwhile", fleet.UnderWay, "", "a d l", nil, "deadline d; rest left a l until 5s"},
		{"a cut run's calls may go on", fleet.Waiting, "", "a l", nil, "rest left a l until 3s"},
		{"a conflict", fleet.Conflict, "a", "a b", nil, "conflict a; rest left b"},
		{"an answer serves, late ones too", fleet.Serve, "d", "d a", nil, "answer d; rest left a"},
		{"an answer serves, but not who is late", fleet.Serve, "a", "a d", nil, "answer a; deadline d; rest left"},
		{"a crash is final", fleet.Recall, "a", "a b", nil, "answer a; rest left b"},
		{"a failure cools down", fleet.Cool, "a", "a s", nil, "answer a; rest left s until 3s"},
		{"too many wait in a cool-down", fleet.Cool, "", "s1 s2 s3", func(x *flight.Facts) { x.Room = 2 }, "bound s3; rest left s1 s2 until 3s"},
		{"a run may begin", fleet.Begin, "a s", "a s", nil, "queue left a s"},
		{"a run may begin for some", fleet.Begin, "d a", "d a", nil, "deadline d; queue left a"},
		{"all have left", fleet.Begin, "d", "d", nil, "deadline d; rest left"},
		{"all but who asks in this batch", fleet.Begin, "d", "d", func(x *flight.Facts) { x.Drafted = true }, "deadline d; queue left"},
		{"again after a cut", fleet.Rerun, "a", "a", nil, "queue left a"},
		{"the partner is held", fleet.Begin, "a s", "a s", func(x *flight.Facts) { x.Held = true }, "hold a; queue left s"},
		{"held, and nobody is patient", fleet.Begin, "a", "a", func(x *flight.Facts) { x.Held = true }, "hold a; rest left"},
		{"too many are parked", fleet.Begin, "a1 a2 a3", "a1 a2 a3", func(x *flight.Facts) { x.Room = 1 }, "bound a2 a3; queue left a1"},
		{"the member leaves", fleet.Begin, "a d", "a d", func(x *flight.Facts) { x.Draining = true }, "deadline d; rest left a"},
		{"a person is to be forgotten", fleet.Begin, "f a", "f a", nil, "person f; queue left a"},
		{"though an answer serves", fleet.Serve, "f a", "f a", nil, "person f; answer a; rest left"},
		{"and nobody else waits", fleet.Begin, "f", "f", nil, "person f; rest left"},
		{"no attempt is left", fleet.Crash, "a d", "a d", nil, "crash left a d"},
		{"too many deaths", fleet.Poison, "a", "a", nil, "crash left a"},
	} {
		t.Run(c.name, func(t *testing.T) {
			waiting := waits(c.waiting)
			x := flight.Facts{Now: now, Waiting: waiting, Due: due, Room: 1000}
			x.Forgotten = func(a *fleet.Ask) bool { return a.Token[0] == 'f' }
			if c.change != nil {
				c.change(&x)
			}
			turn := fleet.Turn{Step: c.step, Asks: waiting[:len(strings.Fields(c.asks))], Until: now + 3*time.Second}
			if got := show2(flight.Decide(turn, x), now); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

// More asks than one answer names are settled before it.
func TestManyCrash(t *testing.T) {
	asks := make([]*fleet.Ask, journal.MaxFinal+3)
	for i := range asks {
		asks[i] = &fleet.Ask{}
	}
	d := flight.Decide(fleet.Turn{Step: fleet.Crash, Asks: asks}, flight.Facts{Waiting: asks})
	if len(d.Left) != journal.MaxFinal || len(d.Settle) != 1 || len(d.Settle[0].Asks) != 3 || d.Settle[0].Reason != flight.ByCrash {
		t.Errorf("%d are left and %d settled", len(d.Left), len(d.Settle))
	}
}

func show2(d flight.Decision, now time.Duration) string {
	names := func(asks []*fleet.Ask) (s string) {
		for _, a := range asks {
			s += " " + a.Token
		}
		return s
	}
	s := ""
	for _, x := range d.Settle {
		s += [...]string{"answer", "conflict", "deadline", "hold", "bound", "crash", "person"}[x.Reason] + names(x.Asks) + "; "
	}
	s += [...]string{"rest", "drop", "queue", "crash"}[d.Do]
	if d.Left != nil || len(d.Settle) > 0 {
		s += " left" + names(d.Left)
	}
	if d.Until > 0 {
		s += fmt.Sprint(" until ", d.Until-now)
	}
	return s
}

func TestAfter(t *testing.T) {
	const now = 100 * time.Second
	budget := func(left bool) func() bool { return func() bool { return left } }
	temporary := func(after time.Duration) flight.Outcome {
		return flight.Outcome{Class: flight.Temporary, RetryAfter: after}
	}
	for _, c := range []struct {
		name    string
		outcome flight.Outcome
		change  func(*flight.Made)
		want    flight.Next
	}{
		{"answered", flight.Outcome{Class: flight.Answered, Keep: time.Hour}, nil, flight.Next{Verdict: journal.Conclusive, Keep: time.Hour}},
		{"answered though nobody waits", flight.Outcome{Class: flight.Answered, Keep: time.Hour}, func(m *flight.Made) { m.Wanted = -1 }, flight.Next{Verdict: journal.Conclusive, Keep: time.Hour}},
		{"nothing mends it", flight.Outcome{Class: flight.Final}, nil, flight.Next{Verdict: journal.Failed, Keep: 30 * time.Second}},
		{"with a cool-down of its own", flight.Outcome{Class: flight.Final, Keep: 2 * time.Second}, nil, flight.Next{Verdict: journal.Failed, Keep: 2 * time.Second}},
		{"of no class", flight.Outcome{}, nil, flight.Next{Verdict: journal.Failed, Keep: 30 * time.Second}},
		{"again after the backoff", temporary(0), nil, flight.Next{At: now + time.Second}},
		{"no sooner than is asked for", temporary(3 * time.Second), nil, flight.Next{At: now + 3*time.Second}},
		{"the last attempt", temporary(0), func(m *flight.Made) { m.Attempt = 5 }, flight.Next{Verdict: journal.Failed, Keep: 30 * time.Second}},
		{"all have left", temporary(0), func(m *flight.Made) { m.Wanted = now }, flight.Next{Verdict: journal.Failed, Keep: 30 * time.Second}},
		{"nobody waits for as long", temporary(3 * time.Second), func(m *flight.Made) { m.Wanted = now + 3*time.Second }, flight.Next{Verdict: journal.Failed, Keep: 30 * time.Second}},
		{"somebody does", temporary(3 * time.Second), func(m *flight.Made) { m.Wanted = now + 3001*time.Millisecond }, flight.Next{At: now + 3*time.Second}},
		{"too long for an open run", temporary(41 * time.Second), nil, flight.Next{Verdict: journal.Failed, Keep: 41*time.Second + 50*time.Millisecond}},
		{"a cool-down in whole milliseconds", temporary(40*time.Second + 1), nil, flight.Next{Verdict: journal.Failed, Keep: 40*time.Second + 51*time.Millisecond}},
		{"no budget", temporary(0), func(m *flight.Made) { m.Budget = budget(false) }, flight.Next{Verdict: journal.Failed, Keep: 30 * time.Second}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := flight.Made{
				Now: now, Outcome: c.outcome, Attempt: 4, Attempts: 5, Wanted: flight.Forever, Backoff: time.Second, Longest: 10 * time.Second,
				Cooldown: 30 * time.Second, Budget: budget(true),
			}
			if c.change != nil {
				c.change(&m)
			}
			if got := flight.After(m); got != c.want {
				t.Errorf("%+v, want %+v", got, c.want)
			}
		})
	}
}
