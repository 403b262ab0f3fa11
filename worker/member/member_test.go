// What a member does over its life.

package member_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"protocolq/worker/flight"
	"protocolq/worker/journal"
	"protocolq/worker/member"
)

func TestAskIsAnsweredOnce(t *testing.T) {
	bubble(t, func(w *world) {
		a, b, c := w.start("a"), w.start("b"), w.start("c")
		wait(time.Second) // each has read of the others
		for i := range 30 {
			for j, x := range []*one{a, b, c} {
				x.ask(fmt.Sprintf("t%d-%d", i, j), byte(i))
			}
		}
		wait(time.Second)
		asked := 0
		for i := range 30 {
			for j := range 3 {
				if r := w.wantReply(fmt.Sprintf("t%d-%d", i, j), "yes"); r.source == "asked" {
					asked++
				}
			}
		}
		if asked != 30 {
			t.Errorf("%d asks set off a run, want 30", asked)
		}
		w.wantCalls(30)
		by := map[string]int{}
		for _, c := range w.calls {
			by[c.by]++
		}
		if len(by) != 3 || len(w.runs) != 30 {
			t.Errorf("calls by %v, %d runs told", by, len(w.runs))
		}
		for _, x := range []*one{a, b, c} {
			if r, ok := x.Remembered(&journal.Ask{Key: journal.Key{7, 7}, Question: journal.Hash{7, 1}, MaxAge: -1}); !ok || string(r.Answer.Result) != "yes" {
				t.Errorf("%s does not remember: %v, %v", x.name, r, ok)
			}
			x.leave()
		}
	})
}

// If a worker leaves, the next owner at once answers the asks that wait for its keys.
func TestLeavingIsNoWait(t *testing.T) {
	bubble(t, func(w *world) {
		a, b := w.start("a"), w.start("b")
		for i := range 20 {
			b.ask(fmt.Sprintf("t%d", i), byte(i))
		}
		time.Sleep(5 * time.Millisecond) // calls are under way
		go a.leave()
		for i := range 20 {
			b.ask(fmt.Sprintf("u%d", i), byte(100+i))
		}
		wait(time.Second)
		for i := range 20 {
			w.wantReply(fmt.Sprintf("t%d", i), "yes")
			w.wantReply(fmt.Sprintf("u%d", i), "yes")
		}
		w.wantCalls(40)
		b.leave()
	})
}

// A worker whose log never was there has nothing to wait for when it leaves.
func TestLeavingBeforeTheLogIsThere(t *testing.T) {
	bubble(t, func(w *world) {
		x := w.begin("a", func(o *member.Options) { o.Log = away{o.Log} })
		wait(time.Minute) // it looks for the log each few seconds by now
		began := time.Now()
		x.leave()
		if took := time.Since(began); took > 100*time.Millisecond {
			t.Errorf("left after %v", took)
		}
	})
}

// away is a log that is not there.
type away struct{ member.Log }

func (away) State(context.Context) (journal.State, error) { return journal.State{}, journal.ErrNoLog }

// A worker that was sealed while it drained is no member any more, and does not become one.
func TestLeavingAfterASeal(t *testing.T) {
	bubble(t, func(w *world) {
		a, b := w.start("a"), w.start("b")
		a.conn.Cut(true)
		w.mu.Lock()
		a.frozen = true
		w.mu.Unlock()
		wait(5 * time.Second) // sealed
		go func() {
			time.Sleep(2 * time.Second)
			a.conn.Cut(false)
		}()
		began := time.Now()
		a.leave()
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("left after %v", took)
		}
		b.leave()
	})
}

// A worker that dies over a call: it is sealed after a moment, and its keys are asked for once more
// when its lease has surely ended.
func TestDeathOverACall(t *testing.T) {
	bubble(t, func(w *world) {
		w.took = time.Second
		a, b := w.start("a"), w.start("b")
		for i := range 10 {
			b.ask(fmt.Sprintf("t%d", i), byte(i))
		}
		wait(100 * time.Millisecond)
		w.wantCalls(10)
		dead := 0
		for _, c := range w.calls {
			if c.by == "a" {
				dead++
			}
		}
		if dead == 0 || dead == 10 {
			t.Fatalf("a called for %d of 10 keys", dead)
		}
		a.kill()
		wait(20 * time.Second)
		for i := range 10 {
			w.wantReply(fmt.Sprintf("t%d", i), "yes")
		}
		w.wantCalls(10 + dead)
		b.leave()
	})
}

// What a dead worker had journalled and not published is published by the next owner.
func TestDeathBeforeTheReply(t *testing.T) {
	bubble(t, func(w *world) {
		a, b := w.start("a"), w.start("b")
		for i := range 10 {
			a.ask(fmt.Sprintf("t%d", i), byte(i))
		}
		wait(time.Second)
		a.kill()
		b.ask("late", 3)
		wait(30 * time.Second)
		w.wantReply("late", "yes")
		w.wantCalls(10)
		b.leave()
	})
}

// A worker that is cut off for a while is sealed, makes no call, and comes back as another.
func TestCutOff(t *testing.T) {
	bubble(t, func(w *world) {
		a, b := w.start("a"), w.start("b")
		a.conn.Cut(true)
		w.mu.Lock()
		a.frozen = true
		w.mu.Unlock()
		for i := range 10 {
			b.ask(fmt.Sprintf("t%d", i), byte(i))
			a.ask(fmt.Sprintf("u%d", i), byte(50+i))
		}
		wait(10 * time.Second)
		for i := range 10 {
			w.wantReply(fmt.Sprintf("t%d", i), "yes")
		}
		w.wantCalls(10)
		a.conn.Cut(false)
		w.mu.Lock()
		a.frozen = false
		w.mu.Unlock()
		wait(10 * time.Second)
		for i := range 10 {
			w.wantReply(fmt.Sprintf("u%d", i), "yes")
		}
		w.wantCalls(20)
		a.leave()
		b.leave()
	})
}

// The log is deleted and made anew: everything is forgotten, and asked for again once a lease has
// passed.
func TestLogMadeAnew(t *testing.T) {
	bubble(t, func(w *world) {
		a, b := w.start("a"), w.start("b")
		a.ask("t", 1)
		wait(time.Second)
		w.wantReply("t", "yes")
		w.log.Delete()
		wait(time.Second)
		w.log.Create()
		b.ask("u", 1)
		wait(60 * time.Second)
		w.wantReply("u", "yes")
		w.wantCalls(2)
		a.leave()
		b.leave()
	})
}

// All workers die. The next one replays the log, seals those before it and goes on.
func TestAllDie(t *testing.T) {
	bubble(t, func(w *world) {
		w.took = time.Second
		a, b := w.start("a"), w.start("b")
		for i := range 10 {
			a.ask(fmt.Sprintf("t%d", i), byte(i))
		}
		wait(100 * time.Millisecond)
		a.kill()
		b.kill()
		wait(5 * time.Minute)
		c := w.start("c")
		wait(30 * time.Second)
		for i := range 10 {
			w.wantReply(fmt.Sprintf("t%d", i), "DEADLINE") // 30 s without a deadline of its own
		}
		w.wantCalls(10)
		c.leave()
	})
}

// An asker that is told of a failure is told when to come back: by the key's cool-down, or by what
// the gateway asks of all.
func TestWhenToComeBack(t *testing.T) {
	bubble(t, func(w *world) {
		a := w.start("a")
		w.what = flight.Outcome{Class: flight.Temporary, Code: "429", Result: []byte("no"), RetryAfter: time.Minute, Everybody: true}
		a.ask("t", 1)
		a.ask("joined", 1)
		wait(10 * time.Second)
		a.ask("again", 1)
		a.ask("other", 2)
		wait(time.Second)
		w.wantCalls(1)
		for token, c := range map[string]struct {
			what  string
			after time.Duration
		}{"t": {"no", time.Minute}, "joined": {"no", time.Minute}, "again": {"no", 50 * time.Second}, "other": {"COOLING", 50 * time.Second}} {
			if r := w.wantReply(token, c.what); r.after < c.after || r.after > c.after+100*time.Millisecond {
				t.Errorf("%s may ask again after %v, want %v", token, r.after, c.after)
			}
		}
		a.leave()
	})
}

// Whose deadline passes in a cool-down is told what the last attempt came to.
func TestDeadlineInACoolDown(t *testing.T) {
	bubble(t, func(w *world) {
		a := w.start("a")
		w.what = flight.Outcome{Class: flight.Final, Code: "SYSTEM_ERROR", Result: []byte("no")}
		a.ask("t", 1, func(a *journal.Ask) { a.Door, a.Left = journal.Submit, 5*time.Second })
		wait(10 * time.Second)
		w.wantCalls(1)
		if r := w.wantReply("t", "DEADLINE"); r.last != "SYSTEM_ERROR" {
			t.Errorf("the last code is %q", r.last)
		}
		a.leave()
	})
}

// A key over which three workers die one after the other is given up.
func TestPoison(t *testing.T) {
	bubble(t, func(w *world) {
		w.took = 5 * time.Second
		x := w.start("w0")
		x.ask("t", 1, func(a *journal.Ask) { a.Door = journal.Submit })
		for i := range 3 {
			wait(time.Second)
			w.wantCalls(i + 1)
			next := w.start(fmt.Sprintf("w%d", i+1))
			x.kill()
			x = next
			for n := 0; n < 100 && w.called() == i+1; n++ {
				wait(200 * time.Millisecond)
			}
		}
		w.wantReply("t", "CRASHED")
		w.wantCalls(3)
		x.ask("later", 1) // begins anew
		wait(10 * time.Second)
		w.wantReply("later", "yes")
		x.leave()
	})
}
