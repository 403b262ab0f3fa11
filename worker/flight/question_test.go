// A run asks its own question, whatever else its key is asked meanwhile.

package flight_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"protocolq/worker/flight"
	"protocolq/worker/journal"
)

// The asker of a run leaves before its call, and the key is asked another question in that moment:
// the call asks for those who have the run's question. If nobody has, the run is released, and the
// other question has one of its own.
func TestCallAsksTheRunsQuestion(t *testing.T) {
	ask := func(token string, question byte) *journal.Ask {
		return &journal.Ask{Token: token, Key: journal.Key{1}, Question: journal.Hash{question}, Door: journal.Await, MaxAge: -1}
	}
	for _, c := range []struct {
		name  string
		asks  []journal.Entry
		calls string // what is asked, by its place
		wrote string // next
		then  string
	}{
		{"somebody else has it", []journal.Entry{ask("other", 2), ask("again", 1)}, "[4/2]", "CONFLICT of 4/1", ""},
		{"nobody else has it", []journal.Entry{ask("other", 2)}, "[]", "verdict 4", "begin of 4/1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newScene(t)
			s.shut = true
			s.write("a", true)
			first := ask("t", 1)
			first.Left = time.Second
			s.write("a", true, first)
			begin := s.decide()
			s.flights.Stored(s.write("a", true, begin...), begin, s.now)
			s.now += time.Second
			s.flights.Tick(s.now)
			s.write("a", true, append(c.asks, s.decide()...)...) // and the deadline
			s.shut = false
			s.flights.Tick(s.now)
			calls := []string{}
			for _, r := range s.calls {
				calls = append(calls, r.At.String())
			}
			if fmt.Sprint(calls) != c.calls {
				t.Errorf("calls for %v, want %v", calls, c.calls)
			}
			for _, want := range []string{c.wrote, c.then} {
				wrote := ""
				entries := s.decide()
				if len(entries) > 0 {
					entries = entries[:1] // the scene's draft lets a key have two
					wrote = says(entries[0])
				}
				if wrote != want {
					t.Errorf("%q is written, want %q", wrote, want)
				}
				s.flights.Stored(s.write("a", true, entries...), entries, s.now)
			}
		})
	}
}

// A further begin names the ask that started its run, even if that was in the first begin's batch:
// there its place had no position yet.
func TestFurtherBeginNamesItsAsk(t *testing.T) {
	bubble(t, nil, func(m *member) {
		m.answer = func(n int, query string) (time.Duration, flight.Outcome) {
			if query == "t" && n < 4 {
				return 10 * ms, failed(0)
			}
			return 10 * ms, answered
		}
		m.ask("t", 1, nil)
		m.wait(105 * ms)
		m.ask("other", 2, nil) // for the batch of a further begin
		m.wait(time.Second)
		var ask journal.Ref
		var begins []string
		for _, msg := range m.log.Messages() {
			b, err := journal.Decode(msg)
			if err != nil {
				t.Fatal(err)
			}
			for i, e := range b.Entries {
				switch e := e.(type) {
				case *journal.Ask:
					if e.Token == "t" {
						ask = b.Ref(i)
					}
				case *journal.Begin:
					if e.Run == "r1" {
						begins = append(begins, e.Asked.String())
					}
				}
			}
		}
		if got, want := strings.Join(begins, " "), strings.TrimSpace(strings.Repeat(ask.String()+" ", 3)); got != want {
			t.Errorf("the begins name the asks at %s, want %s", got, want)
		}
	})
}

func says(e journal.Entry) string {
	switch e := e.(type) {
	case *journal.Begin:
		return "begin of " + e.Asked.String()
	case *journal.Answer:
		return fmt.Sprint("verdict ", e.Verdict)
	case *journal.Settled:
		return e.Why + " of " + e.Asks[0].String()
	}
	return fmt.Sprintf("%T", e)
}
