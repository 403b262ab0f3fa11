// Promises about time, on the clock of a bubble: to the instant, and whatever the servers' clocks
// show.

package member_test

import (
	"fmt"
	"testing"
	"time"

	"protocolq/worker/journal"
	"protocolq/worker/member"
)

// No call is made for an ask whose deadline had passed when it came, by either door.
func TestPromiseNoCallForWhoIsLate(t *testing.T) {
	bubble(t, func(w *world) {
		a, b := w.start("a"), w.start("b")
		wait(time.Second)
		for i, x := range []*one{a, b} {
			for j, door := range []journal.Door{journal.Await, journal.Submit} {
				x.ask(fmt.Sprintf("t%d%d", i, j), byte(10*i+j), func(a *journal.Ask) { a.Door, a.Left = door, time.Millisecond })
			}
		}
		wait(time.Second)
		for i := range 2 {
			for j := range 2 {
				w.wantReply(fmt.Sprintf("t%d%d", i, j), "DEADLINE")
			}
		}
		w.wantCalls(0)
		a.leave()
		b.leave()
	})
}

// DEADLINE comes exactly at the deadline, whichever ask caused the call that hangs. A more patient
// asker gets the call's answer.
func TestPromiseDeadlineToTheInstant(t *testing.T) {
	bubble(t, func(w *world) {
		w.took = 7 * time.Second
		a, b := w.start("a"), w.start("b")
		begun := time.Since(begun)
		until := func(d time.Duration) func(*journal.Ask) { return func(a *journal.Ask) { a.Left = d } }
		for i := range 10 {
			a.ask(fmt.Sprintf("first%d", i), byte(i), until(5*time.Second))
			b.ask(fmt.Sprintf("joins%d", i), byte(i), until(2*time.Second))
			b.ask(fmt.Sprintf("waits%d", i), byte(i), until(20*time.Second))
		}
		wait(10 * time.Second)
		for i := range 10 {
			for token, at := range map[string]time.Duration{"first": 5 * time.Second, "joins": 2 * time.Second} {
				if r := w.wantReply(fmt.Sprint(token, i), "DEADLINE"); r.at-begun != at {
					t.Errorf("%s%d was told %v after it had asked, want %v", token, i, r.at-begun, at)
				}
			}
			w.wantReply(fmt.Sprintf("waits%d", i), "yes")
		}
		w.wantCalls(10)
		a.leave()
		b.leave()
	})
}

// The servers' clocks differ, by seconds or by an hour, and the leader moves from one to another
// while everything goes on. An ask for a fresh answer is one call for all askers, and an answer is
// remembered for its time and no longer.
func TestPromiseOneCallWhateverTheServersClocksShow(t *testing.T) {
	for _, off := range []time.Duration{6 * time.Second, -6 * time.Second, time.Hour, -time.Hour} {
		t.Run(off.String(), func(t *testing.T) {
			bubble(t, func(w *world) {
				a, b := w.start("a"), w.start("b")
				ask := func(what string, calls int, with ...func(*journal.Ask)) {
					t.Helper()
					for i := range 10 {
						a.ask(fmt.Sprint("a", what, i), byte(i), with...)
						b.ask(fmt.Sprint("b", what, i), byte(i), with...)
					}
					wait(time.Second)
					for i := range 10 {
						w.wantReply(fmt.Sprint("a", what, i), "yes")
						w.wantReply(fmt.Sprint("b", what, i), "yes")
					}
					w.wantCalls(calls)
				}
				fresh := func(a *journal.Ask) { a.MaxAge = 0 }
				ask("first", 10)
				w.log.SetClock(off)
				wait(10 * time.Second)
				ask("fresh", 20, fresh)
				w.log.SetClock(0)
				wait(10 * time.Second)
				ask("again", 30, fresh)
				w.log.SetClock(off)
				ask("young", 30, fresh) // no age is limited below 2 s
				wait(40 * time.Second)
				ask("remembered", 30)
				wait(20 * time.Second) // a minute is over since the last call
				ask("expired", 40)
				a.leave()
				b.leave()
			})
		})
	}
}

// A member that starts after a change of the leader's clock takes remembered answers as too old
// rather than as younger than they are.
func TestPromiseNoAnswerOutlivesItsTimeByAClock(t *testing.T) {
	for _, off := range []time.Duration{time.Hour, -time.Hour} {
		t.Run(off.String(), func(t *testing.T) {
			bubble(t, func(w *world) {
				a := w.start("a")
				a.ask("t", 1)
				wait(30 * time.Second)
				w.log.SetClock(off)
				b := w.start("b")
				wait(30 * time.Second) // the answer's minute is over
				for _, x := range []*one{a, b} {
					if r, ok := x.Remembered(&journal.Ask{Key: journal.Key{1, 1}, Question: journal.Hash{1, 1}, MaxAge: -1}); ok {
						t.Errorf("%s remembers %+v", x.name, r)
					}
				}
				b.ask("u", 1)
				wait(time.Second)
				w.wantReply("u", "yes")
				w.wantCalls(2)
				a.leave()
				b.leave()
			})
		})
	}
}

// A crash is final for ten minutes, for any asker that asks again with the same id, also at a
// worker that started later.
func TestPromiseCrashedIsFinalForTenMinutes(t *testing.T) {
	fail := func(o *member.Options) { o.Fleet.Fail = true }
	bubble(t, func(w *world) {
		w.took = time.Second
		a, b := w.start("a", fail), w.start("b", fail)
		id := func(i int) func(*journal.Ask) { return func(a *journal.Ask) { a.ID = journal.Hash{9, byte(i)} } }
		for i := range 20 {
			b.ask(fmt.Sprintf("t%d", i), byte(i), id(i))
		}
		wait(100 * time.Millisecond)
		a.kill()
		wait(20 * time.Second)
		crashed, calls := 0, 20
		for i := range 20 {
			if w.first(fmt.Sprintf("t%d", i)) == "CRASHED" {
				crashed++
			}
		}
		if crashed == 0 || crashed == 20 {
			t.Fatalf("%d of 20 have crashed", crashed)
		}
		c := w.start("c", fail)
		for n := range 5 { // the last time nearly ten minutes after
			for i := range 20 {
				if w.first(fmt.Sprintf("t%d", i)) != "CRASHED" {
					continue
				}
				for _, x := range []*one{b, c} {
					door := []journal.Door{journal.Await, journal.Submit}[n%2]
					x.ask(fmt.Sprint(x.name, n, "-", i), byte(i), id(i), func(a *journal.Ask) { a.Door = door })
				}
			}
			wait(time.Second)
			for i := range 20 {
				if w.first(fmt.Sprintf("t%d", i)) == "CRASHED" {
					w.wantReply(fmt.Sprint("b", n, "-", i), "CRASHED")
					w.wantReply(fmt.Sprint("c", n, "-", i), "CRASHED")
				}
			}
			wait(2*time.Minute + 20*time.Second)
		}
		w.wantCalls(calls)
		b.leave()
		c.leave()
	})
}

// first is what an asker was given first, "" where that was nothing.
func (w *world) first(token string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if got := w.replies[token]; len(got) > 0 {
		return got[0].what
	}
	return ""
}

// What is owed is published once by the next worker, however long all workers were away.
func TestPromiseWhatIsOwedOutlivesEverybody(t *testing.T) {
	bubble(t, func(w *world) {
		w.away = true // the streams of events, lines and replies
		a, b := w.start("a"), w.start("b")
		for i := range 20 {
			a.ask(fmt.Sprintf("t%d", i), byte(i))
		}
		wait(time.Second)
		a.kill()
		b.kill()
		wait(24 * time.Hour)
		w.mu.Lock()
		w.away = false
		clear(w.replies)
		clear(w.runs)
		w.mu.Unlock()
		c := w.start("c")
		wait(time.Minute)
		for i := range 20 {
			w.wantReply(fmt.Sprintf("t%d", i), "yes")
		}
		for run, n := range w.runs {
			if n != 1 {
				t.Errorf("run %s was published %d times", run, n)
			}
		}
		if len(w.runs) != 20 {
			t.Errorf("%d runs were published, want 20", len(w.runs))
		}
		w.wantCalls(20)
		c.leave()
	})
}

// A run that ends when no ask waits any more keeps its result: the next asker is told it, and there
// is no call in the cool-down.
func TestPromiseCoolDownHoldsWhenAllHaveLeft(t *testing.T) {
	bubble(t, func(w *world) {
		w.took = time.Minute // it hangs
		a, b := w.start("a"), w.start("b")
		for i := range 10 {
			for n := range 3 {
				x := []*one{a, b}[n%2]
				x.ask(fmt.Sprint(i, "-", n), byte(i), func(a *journal.Ask) { a.Left = time.Second })
			}
		}
		wait(10 * time.Second)
		for i := range 10 {
			for n := range 3 {
				w.wantReply(fmt.Sprint(i, "-", n), "DEADLINE")
			}
			b.ask(fmt.Sprint("next", i), byte(i))
		}
		wait(25 * time.Second)
		for i := range 10 {
			w.wantReply(fmt.Sprint("next", i), "no") // the last call's word
		}
		w.wantCalls(10)
		wait(5 * time.Second)
		b.ask("later", 1)
		wait(5 * time.Second)
		w.wantCalls(11)
		a.leave()
		b.leave()
	})
}
