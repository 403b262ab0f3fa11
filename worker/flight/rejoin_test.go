// A member that is sealed while it calls, and goes on as another.

package flight_test

import (
	"fmt"
	"testing"
	"time"

	"protocolq/worker/fleet"
	"protocolq/worker/flight"
	"protocolq/worker/journal"
)

// scene is a fold that is written by hand, and the flights of its members "a" and then "a2".
type scene struct {
	t       *testing.T
	state   *fleet.State
	own     *fleet.Own
	flights *flight.Flights
	now     time.Duration
	number  map[journal.Member]uint64
	calls   []flight.Request
	shut    bool            // the fence
	entries []journal.Entry // of the draft
}

func (s *scene) Try(string) (func(), bool) { return func() {}, true }
func (s *scene) May(string) bool           { return true }
func (s *scene) Enter(string)              {}
func (s *scene) Fence() error {
	if s.shut {
		return errFence
	}
	return nil
}
func (s *scene) Call(r flight.Request)    { s.calls = append(s.calls, r) }
func (s *scene) Wake()                    {}
func (s *scene) Read(journal.Ref)         {}
func (s *scene) Entries() []journal.Entry { return s.entries }
func (s *scene) Add(e journal.Entry, _ journal.Key) error {
	s.entries = append(s.entries, e)
	return nil
}

func newScene(t *testing.T) *scene {
	s := &scene{t: t, state: fleet.New(fleetOptions, 1), own: &fleet.Own{ID: "a"}, number: map[journal.Member]uint64{}}
	var err error
	s.flights, err = flight.New(flight.Options{
		Gate: s, Caller: s, Journal: s, Words: words, NewRun: func() string { return "r1" },
		Result: func(string, int) []byte { return nil },
		Waits:  func() func() time.Duration { return func() time.Duration { return 0 } },
	}, s.state, s.own)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// write stores a batch; the flights learn of it where they are to.
func (s *scene) write(m journal.Member, learn bool, entries ...journal.Entry) uint64 {
	s.t.Helper()
	s.number[m]++
	return s.apply(learn, &journal.Batch{
		Head: journal.Head{Number: s.number[m], Read: s.state.Applied()}, Member: m, Entries: entries,
	})
}

// corrupt stores an unreadable batch.
func (s *scene) corrupt(m journal.Member) {
	s.t.Helper()
	s.apply(true, &journal.Batch{Member: m, Corrupt: []byte{1}})
}

func (s *scene) apply(learn bool, b *journal.Batch) uint64 {
	s.t.Helper()
	s.now += 10 * time.Millisecond
	b.Position, b.Stored = s.state.Applied()+1, time.Unix(0, 0).Add(s.now)
	c, err := s.state.Apply(b, fleet.Heard{At: s.now})
	if err != nil {
		s.t.Fatal(err)
	}
	if learn {
		s.flights.Applied(b, c, s.now)
	}
	return b.Position
}

// decide composes a batch and says what the flights put into it.
func (s *scene) decide() (entries []journal.Entry) {
	s.own.Draft(s.state, s.number[s.own.ID]+1)
	s.entries = nil
	s.flights.Decide(s, s.now)
	return s.entries
}

func TestLateAnswer(t *testing.T) {
	for _, c := range []struct {
		name    string
		outcome flight.Outcome
		ended   bool // the next owner has ended the run meanwhile
		want    string
	}{
		{"the gateway's word counts", answered, false, "answer r1 verdict 1"},
		{"unless the run has ended", answered, true, ""},
		{"a failure is left to the next attempt", failed(0), false, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newScene(t)
			s.write("a", true)
			s.write("a", true, &journal.Ask{Token: "t", Key: journal.Key{1}, Door: journal.Await, MaxAge: -1})
			begin := s.decide()
			s.flights.Stored(s.write("a", true, begin...), begin, s.now)
			if len(s.calls) != 1 {
				t.Fatalf("%d calls, want 1", len(s.calls))
			}
			s.write("a", false, &journal.Seal{By: "b"})
			s.own = &fleet.Own{ID: "a2"}
			s.flights.Rejoin(s.state, s.own)
			if s.flights.Idle() {
				t.Error("the call is forgotten")
			}
			s.flights.Ended(s.calls[0], c.outcome, s.now)
			if entries := s.decide(); len(entries) > 0 {
				t.Errorf("%d entries are written before the member has read its own join", len(entries))
			}
			s.write("a2", true)
			if c.ended {
				crashed := &journal.Answer{Key: journal.Key{1}, Run: "r1", Verdict: journal.Crashed, Begun: journal.Ref{Position: 3, Index: 1}}
				s.write("b", true, crashed)
			}
			got := ""
			for _, e := range s.decide() {
				if a, ok := e.(*journal.Answer); ok {
					got += fmt.Sprintf("answer %s verdict %d", a.Run, a.Verdict)
				}
			}
			if got != c.want {
				t.Errorf("%q is written, want %q", got, c.want)
			}
			if len(s.calls) > 1 && !c.ended {
				t.Error("the key is called again beside its open run")
			}
		})
	}
}

// A batch with an answer is unreadable, which is read before or after the batch is acknowledged.
// The next member journals the answer again.
func TestCorruptAnswer(t *testing.T) {
	for _, readFirst := range []bool{false, true} {
		t.Run(fmt.Sprintf("read first %v", readFirst), func(t *testing.T) {
			s := newScene(t)
			s.write("a", true)
			s.write("a", true, &journal.Ask{Token: "t", Key: journal.Key{1}, Door: journal.Await, MaxAge: -1})
			begin := s.decide()
			s.flights.Stored(s.write("a", true, begin...), begin, s.now)
			s.flights.Ended(s.calls[0], answered, s.now)
			answer, at := s.decide(), s.state.Applied()+1
			if !readFirst {
				s.flights.Stored(at, answer, s.now)
			}
			s.corrupt("a")
			if readFirst {
				s.flights.Stored(at, answer, s.now)
			}
			s.own = &fleet.Own{ID: "a2"}
			s.flights.Rejoin(s.state, s.own)
			s.write("a2", true)
			again := s.decide()
			if len(again) != 1 || says(again[0]) != "verdict 1" {
				t.Errorf("%d entries are written, want the answer", len(again))
			}
		})
	}
}

// The call of a begin that follows a cut run waits until the begin is applied: another may have
// been first.
func TestCallOfRerun(t *testing.T) {
	s := newScene(t)
	ask := &journal.Ask{Token: "t", Key: journal.Key{1}, Door: journal.Await, MaxAge: -1}
	s.write("z", true, ask, &journal.Begin{Key: journal.Key{1}, Run: "r0", Attempt: 1})
	s.write("a", true)
	s.write("z", true)
	s.write("z", true, &journal.Seal{By: "a"})
	if entries := s.decide(); len(entries) > 0 {
		t.Errorf("%d entries before the calls of z have ended", len(entries))
	}
	s.now += fleetOptions.Lease + fleetOptions.Grace
	s.flights.Tick(s.now)
	begin := s.decide()
	if b, ok := begin[0].(*journal.Begin); !ok || b.Follows != "r0" || b.Attempt != 2 || b.Deaths != 1 {
		t.Fatalf("%+v, want the begin that follows", begin[0])
	}
	s.flights.Stored(s.state.Applied()+1, begin, s.now)
	if len(s.calls) != 0 {
		t.Error("called before the begin is applied")
	}
	s.write("a", true, begin...)
	if len(s.calls) != 1 {
		t.Errorf("%d calls when it is, want 1", len(s.calls))
	}
}

// A begin that is being released allows no call, even if another ask comes meanwhile.
func TestNoCallOfReleased(t *testing.T) {
	s := newScene(t)
	s.shut = true
	s.write("a", true)
	s.write("a", true, &journal.Ask{Token: "t", Key: journal.Key{1}, Door: journal.Await, MaxAge: -1, Left: time.Second})
	begin := s.decide()
	s.flights.Stored(s.write("a", true, begin...), begin, s.now)
	s.now += time.Second
	s.flights.Tick(s.now)
	s.write("a", true, s.decide()...) // the deadline
	released := s.decide()
	if a, ok := released[0].(*journal.Answer); !ok || a.Verdict != journal.Released {
		t.Fatalf("%+v, want the run released", released[0])
	}
	s.write("a", true, &journal.Ask{Token: "u", Key: journal.Key{1}, Door: journal.Await, MaxAge: -1})
	s.shut = false
	s.flights.Tick(s.now)
	if len(s.calls) != 0 {
		t.Error("called for a run that is released")
	}
	s.flights.Stored(s.write("a", true, released...), released, s.now)
	begin = s.decide()
	s.flights.Stored(s.write("a", true, begin...), begin, s.now)
	if len(s.calls) != 1 {
		t.Errorf("%d calls for who came meanwhile, want 1", len(s.calls))
	}
}

// A member that has joined begins nothing until the members before it have read the join, and then
// without any other reason to look.
func TestJoinerWaits(t *testing.T) {
	s := newScene(t)
	s.write("z", true)
	s.write("a", true)
	k := journal.Key{}
	for s.state.Owner(k) != "a" {
		k[0]++
	}
	ask := &journal.Ask{Token: "t", Key: k, Door: journal.Await, MaxAge: -1}
	s.number["z"]++ // of a batch that was composed before z had read of a
	c, err := s.state.Apply(&journal.Batch{
		Head: journal.Head{Number: s.number["z"], Read: 1}, Member: "z", Position: 3, Entries: []journal.Entry{ask}, Stored: time.Unix(0, 0),
	}, fleet.Heard{At: s.now})
	if err != nil {
		t.Fatal(err)
	}
	s.flights.Applied(&journal.Batch{Member: "z", Position: 3}, c, s.now)
	if entries := s.decide(); len(entries) > 0 {
		t.Errorf("%d entries before z has read the join", len(entries))
	}
	s.write("z", true)
	if entries := s.decide(); len(entries) != 1 {
		t.Errorf("%d entries when it has, want the begin", len(entries))
	}
}

// When a member is sealed its keys are looked at by who owns them now.
func TestSealedOwner(t *testing.T) {
	s := newScene(t)
	s.write("z", true)
	s.write("a", true)
	k := journal.Key{}
	for s.state.Owner(k) != "z" {
		k[0]++
	}
	s.write("z", true, &journal.Ask{Token: "t", Key: k, Door: journal.Await, MaxAge: -1})
	if entries := s.decide(); len(entries) > 0 {
		t.Errorf("%d entries about a key of z", len(entries))
	}
	s.write("z", true, &journal.Seal{By: "a"})
	if entries := s.decide(); len(entries) != 1 {
		t.Errorf("%d entries when z is sealed, want the begin", len(entries))
	}
}

// A partner is resumed, and then the log is made anew: failures in the new log cool down.
func TestResumedInAReplacedLog(t *testing.T) {
	for _, resumed := range []bool{false, true} {
		s := newScene(t)
		for range 50 {
			s.write("a", true)
		}
		if resumed {
			s.flights.Resume("p", s.now)
		}
		s.state, s.own = fleet.New(fleetOptions, 1), &fleet.Own{ID: "a2"}
		s.flights.Rejoin(s.state, s.own)
		s.write("a2", true)
		s.write("a2", true, &journal.Ask{Token: "t", Key: journal.Key{1}, Door: journal.Submit, Partner: "p", MaxAge: -1})
		for range 5 {
			begin := s.decide()
			if len(begin) == 0 {
				break
			}
			s.flights.Stored(s.write("a2", true, begin...), begin, s.now)
			if n := len(s.calls); n > 0 {
				s.flights.Ended(s.calls[n-1], flight.Outcome{Class: flight.Final, Code: "X", Result: []byte("x")}, s.now)
			}
			end := s.decide()
			s.flights.Stored(s.write("a2", true, end...), end, s.now)
		}
		if len(s.calls) != 1 {
			t.Errorf("resumed %v: %d calls within %v, want 1 within the cool-down of 30 s", resumed, len(s.calls), s.now)
		}
	}
}

// A run follows one that was cut, and its own call is not made because its asker leaves. It owes
// the line and the event of the call that was cut.
func TestCutCallStaysVisible(t *testing.T) {
	s := newScene(t)
	s.write("z", true, &journal.Ask{Token: "t", Key: journal.Key{1}, Door: journal.Await, MaxAge: -1, Left: 20 * time.Second},
		&journal.Begin{Key: journal.Key{1}, Run: "r0", Attempt: 1})
	s.write("a", true)
	s.write("z", true)
	s.write("z", true, &journal.Seal{By: "a"})
	s.now += fleetOptions.Lease + fleetOptions.Grace
	s.flights.Tick(s.now)
	s.shut = true // the lease leaves no time for a call
	begin := s.decide()
	s.flights.Stored(s.write("a", true, begin...), begin, s.now)
	s.now += 10 * time.Second
	s.flights.Tick(s.now)
	s.write("a", true, s.decide()...) // the deadline
	end := s.decide()
	if a, ok := end[0].(*journal.Answer); !ok || a.Verdict != journal.Failed || a.Code != words.Cooling {
		t.Errorf("%+v, want the end of a run that has failed", end[0])
	}
}
