// What a member's flights do, at exact instants.

package flight_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"protocolq/worker/fleet"
	"protocolq/worker/flight"
	"protocolq/worker/journal"
	"protocolq/worker/journal/journaltest"
)

const ms = time.Millisecond

// An ask and the begin that it sets off share a batch where the door owns the key.
func TestTwoHops(t *testing.T) {
	bubble(t, nil, func(m *member) {
		m.ask("t1", 1, nil)
		m.wait(time.Second)
		m.wantCalls(0)
		m.wantTold("t1", 10*ms, "answer")
		var shape []string
		for _, msg := range m.log.Messages() {
			b, err := journal.Decode(msg)
			if err != nil {
				t.Fatal(err)
			}
			kinds := ""
			for _, e := range b.Entries {
				kinds += fmt.Sprint(e.Kind())
			}
			shape = append(shape, kinds)
		}
		if got, want := fmt.Sprint(shape[:3]), "[ 12 3]"; got != want { // and what is told
			t.Errorf("batches %s, want %s", got, want)
		}
	})
}

func TestAttempts(t *testing.T) {
	for _, c := range []struct {
		name  string
		fail  int
		after time.Duration
		calls []time.Duration
		told  time.Duration
	}{
		{"the second answers", 1, 0, []time.Duration{0, 110 * ms}, 120 * ms},
		{"none is left", 9, 0, []time.Duration{0, 110 * ms, 220 * ms, 330 * ms, 440 * ms}, 450 * ms},
		{"no sooner than the gateway wants", 1, 3 * time.Second, []time.Duration{0, 3010 * ms}, 3020 * ms},
		{"the backoff where it is longer", 1, 50 * ms, []time.Duration{0, 110 * ms}, 120 * ms},
		{"it wants too long", 1, 11 * time.Second, []time.Duration{0}, 10 * ms},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, nil, func(m *member) {
				m.answer = func(n int, _ string) (time.Duration, flight.Outcome) {
					if n <= c.fail {
						return 10 * ms, failed(c.after)
					}
					return 10 * ms, answered
				}
				m.ask("t1", 1, nil)
				m.wait(10 * time.Second)
				m.wantCalls(c.calls...)
				m.wantTold("t1", c.told, "answer")
			})
		})
	}
}

// What attempt n came to stands in begin n+1, and of the last one in the answer.
func TestOutcomesAreJournalled(t *testing.T) {
	bubble(t, nil, func(m *member) {
		m.answer = func(n int, _ string) (time.Duration, flight.Outcome) {
			o := failed(0)
			o.Code = fmt.Sprint("CODE", n)
			return 10 * ms, o
		}
		m.ask("t1", 1, nil)
		m.wait(time.Second)
		var got []string
		for _, msg := range m.log.Messages() {
			b, _ := journal.Decode(msg)
			for _, e := range b.Entries {
				switch e := e.(type) {
				case *journal.Begin:
					got = append(got, fmt.Sprint("begin ", e.Attempt, e.Before.Code))
				case *journal.Answer:
					got = append(got, fmt.Sprint("answer ", e.Verdict, e.Attempts[0].Code))
				}
			}
		}
		for i, c := range m.calls {
			if c.attempt != i+1 {
				t.Errorf("call %d was given the number %d", i+1, c.attempt)
			}
		}
		if want := "[begin 1 begin 2CODE1 begin 3CODE2 begin 4CODE3 begin 5CODE4 answer 2CODE5]"; fmt.Sprint(got) != want {
			t.Errorf("%v, want %s", got, want)
		}
	})
}

// Nobody is told late because a call hangs, and a call does not end because an asker leaves.
func TestDeadline(t *testing.T) {
	bubble(t, nil, func(m *member) {
		m.answer = func(int, string) (time.Duration, flight.Outcome) { return 5 * time.Second, answered }
		m.ask("t1", 1, left(2*time.Second))
		m.ask("t2", 1, left(3*time.Second))
		m.ask("t3", 1, nil)
		m.wait(10 * time.Second)
		m.wantCalls(0)
		m.wantTold("t1", 2*time.Second, "DEADLINE")
		m.wantTold("t2", 3*time.Second, "DEADLINE")
		m.wantTold("t3", 5*time.Second, "answer")
	})
}

// No call is made for an ask whose time had passed at the door.
func TestLate(t *testing.T) {
	bubble(t, nil, func(m *member) {
		m.wait(ms)
		m.ask("t1", 1, left(ms))
		m.ask("t2", 2, func(a *journal.Ask) { submit(a); a.Left = ms })
		m.wait(time.Second)
		m.wantCalls()
		m.wantTold("t1", ms, "DEADLINE")
		m.wantTold("t2", ms, "DEADLINE")
	})
}

// An awaiting ask without a deadline has the door's patience.
func TestPatience(t *testing.T) {
	bubble(t, func(o *flight.Options) { o.AskPatience = time.Second }, func(m *member) {
		m.answer = func(int, string) (time.Duration, flight.Outcome) { return 5 * time.Second, answered }
		m.ask("t1", 1, nil)
		m.ask("t2", 1, submit)
		m.wait(10 * time.Second)
		m.wantTold("t1", time.Second, "DEADLINE")
		m.wantTold("t2", 5*time.Second, "answer")
	})
}

// All have left when the call fails: no further one is made, and the key cools down all the same.
func TestCooldownWithoutAskers(t *testing.T) {
	bubble(t, nil, func(m *member) {
		m.answer = func(int, string) (time.Duration, flight.Outcome) { return 3 * time.Second, failed(0) }
		m.ask("t1", 1, left(time.Second))
		m.wait(10 * time.Second)
		m.wantTold("t1", time.Second, "DEADLINE")
		m.wantCalls(0)
		m.ask("t2", 1, nil)
		m.wait(time.Second)
		m.wantTold("t2", 10*time.Second, "answer") // the failure
		m.wantCalls(0)
		m.wait(23 * time.Second)
		m.ask("t3", 1, left(time.Second))
		m.wait(time.Second)
		m.wantCalls(0, 34*time.Second)
	})
}

// A submitted ask stays open through the cool-down, an awaiting one is told of the failure.
func TestCooldown(t *testing.T) {
	bubble(t, nil, func(m *member) {
		m.answer = func(n int, _ string) (time.Duration, flight.Outcome) {
			if n == 1 {
				return 10 * ms, failed(40 * time.Second)
			}
			return 10 * ms, answered
		}
		m.ask("t1", 1, nil)
		m.ask("t2", 1, submit)
		m.wait(time.Minute)
		m.wantTold("t1", 10*ms, "answer")
		m.wantCalls(0, 40050*ms) // no sooner than the gateway wants: the memory counts in ticks
		m.wantTold("t2", 40060*ms, "answer")
	})
}

// No call begins while the fence is shut, and the begin still allows it when it opens.
func TestFence(t *testing.T) {
	bubble(t, nil, func(m *member) {
		m.set(func() { m.shut = true })
		m.ask("t1", 1, nil)
		m.wait(4750 * ms)
		m.wantCalls()
		m.set(func() { m.shut = false })
		m.wait(time.Second)
		m.wantCalls(5 * time.Second) // with the next beat
		m.wantTold("t1", 5010*ms, "answer")
	})
}

// A begin whose call was not made when all had left ends as released: the next ask is not held up
// by a cool-down.
func TestRelease(t *testing.T) {
	bubble(t, nil, func(m *member) {
		m.set(func() { m.shut = true })
		m.ask("t1", 1, left(time.Second))
		m.wait(2 * time.Second)
		m.wantTold("t1", time.Second, "DEADLINE")
		m.set(func() { m.shut = false })
		m.wait(time.Second)
		m.wantCalls()
		m.ask("t2", 1, nil)
		m.wait(time.Second)
		m.wantCalls(3 * time.Second)
		m.wantTold("t2", 3010*ms, "answer")
	})
}

// What is remembered serves without a call, and what is asked under a key that has another question
// is refused.
func TestMemory(t *testing.T) {
	bubble(t, nil, func(m *member) {
		m.ask("t1", 1, nil)
		m.wait(time.Second)
		m.ask("t2", 1, nil)
		m.ask("t3", 1, func(a *journal.Ask) { a.Question = journal.Hash{9} })
		m.wait(time.Second)
		m.wantTold("t2", time.Second, "answer")
		m.wantTold("t3", time.Second, "CONFLICT")
		m.wantCalls(0)
	})
}

// One refresh serves all who want one; an answer that is young enough serves without.
func TestRefresh(t *testing.T) {
	fresh := func(a *journal.Ask) { a.MaxAge = 0 }
	bubble(t, nil, func(m *member) {
		m.ask("t1", 1, nil)
		m.wait(time.Second)
		m.ask("t2", 1, fresh)
		m.wait(4 * time.Second)
		m.wantTold("t2", time.Second, "answer") // younger than MinAge
		m.wantCalls(0)
		for i := range 5 {
			m.ask(fmt.Sprint("f", i), 1, fresh)
		}
		m.ask("old", 1, nil)
		m.wait(time.Second)
		m.wantCalls(0, 5*time.Second)
		m.wantTold("f4", 5010*ms, "answer")
		m.wantTold("old", 5*time.Second, "answer")
	})
}

// The first byte does not leave where the fence has shut since the call began, and the attempt is
// not used up.
func TestFenceAtTheFirstByte(t *testing.T) {
	bubble(t, nil, func(m *member) {
		m.dial = 100 * ms
		m.ask("t1", 1, nil)
		m.wait(50 * ms)
		m.set(func() { m.shut = true })
		m.wait(time.Second)
		m.wantCalls()
		m.set(func() { m.shut = false })
		m.wait(time.Second)
		m.wantCalls(1600 * ms) // begun with the beat after that
		m.wantTold("t1", 1610*ms, "answer")
		if b, _ := journal.Decode(m.log.Messages()[1]); b.Entries[1].(*journal.Begin).Attempt != 1 {
			t.Error("the first begin is not of attempt 1")
		}
	})
}

// What no batch takes is not what ends a run: its asker is told that there is no answer.
func TestTooLong(t *testing.T) {
	bubble(t, nil, func(m *member) {
		m.answer = func(int, string) (time.Duration, flight.Outcome) {
			o := answered
			o.Result = make([]byte, 1<<20)
			return 10 * ms, o
		}
		m.ask("t1", 1, nil)
		m.wait(time.Second)
		m.wantCalls(0)
		m.wantTold("t1", 10*ms, "answer")
		b, _ := journal.Decode(m.log.Messages()[2])
		if a := b.Entries[0].(*journal.Answer); a.Verdict != journal.Failed || a.Code != "OVERLOADED" {
			t.Errorf("verdict %d, code %s", a.Verdict, a.Code)
		}
	})
}

func TestForgotten(t *testing.T) {
	bubble(t, nil, func(m *member) {
		m.gate = func(context.Context, string) (flight.Admission, error) {
			return flight.Admission{After: time.Minute}, nil
		}
		person := func(a *journal.Ask) { a.Persons[0] = journal.Hash{7} }
		m.ask("t1", 1, person)
		m.ask("t2", 1, nil)
		m.wait(time.Second)
		if err := m.writer.Append(&journal.Forget{Person: journal.Hash{7}}, nil); err != nil {
			t.Fatal(err)
		}
		m.wait(time.Second)
		m.wantTold("t1", time.Second, "FORGOTTEN")
		m.wantWaits("t2")
	})
}

// Until it is noticed that the log was replaced, another's ask may be in the place of the one to
// ask for: the gateway is not asked for it.
func TestNoCallForAnother(t *testing.T) {
	bubble(t, nil, func(m *member) {
		read := 0
		m.swap = func(e journal.Entry) {
			read++
			e.(*journal.Ask).Key = journal.Key{9}
		}
		m.ask("t1", 1, submit)
		m.wait(10 * time.Second)
		if m.wantCalls(); read == 0 {
			t.Error("nothing was read")
		}
	})
}

// A call that the former member of a process began does not leave under the fence of the next.
func TestCallOfFormerMember(t *testing.T) {
	bubble(t, nil, func(m *member) {
		m.dial = 100 * ms
		m.ask("t1", 1, nil)
		m.wait(50 * ms)
		m.loop.Do(func(*flight.Flights, time.Duration) {
			m.own = &fleet.Own{ID: "m2"}
			m.loop.Rejoin(m.state, m.own, flight.Member{Waker: m.writer, Fence: func() error { return nil }})
		})
		m.wait(time.Second)
		m.wantCalls()
	})
}

// Requests, acknowledgements and followed messages are lost: each key is called once, and every ask
// is told.
func TestLossyLog(t *testing.T) {
	for range 20 {
		bubble(t, func(o *flight.Options) { o.Slots = 8 }, func(m *member) {
			m.conn.SetFaults(journaltest.Faults{Delay: 20 * ms, LoseRequest: 0.1, LoseReply: 0.1, Refuse: 0.1, LoseFollowed: 0.1, Late: 0.1, LateBy: time.Second})
			for i := range byte(60) {
				m.ask(fmt.Sprint("t", i), i%40, nil)
				m.wait(20 * ms)
			}
			m.wait(20 * time.Second)
			if len(m.calls) != 40 || len(m.told) != 60 {
				t.Errorf("%d calls for 40 keys, %d of 60 askers are told", len(m.calls), len(m.told))
			}
			for token, h := range m.told {
				if !strings.HasPrefix(h.what, "answer") {
					t.Errorf("%s was told %s", token, h.what)
				}
			}
		})
	}
}
