// What a member reads late: because it was cut off, or stood still.

package member_test

import (
	"testing"
	"time"

	"protocolq/worker/journal"
)

// cutOff cuts a worker off from the servers, or lets it back.
func (x *one) cutOff(cut bool) {
	x.conn.Cut(cut)
	x.w.mu.Lock()
	defer x.w.mu.Unlock()
	x.frozen = cut
}

// A worker that was cut off takes an answer from that time for as old as it is, by its doors and as
// its key's owner. A clock that is wrong by an hour makes it older by the time of the cut at most.
func TestAnswerReadLate(t *testing.T) {
	for _, c := range []struct {
		name     string
		cut, off time.Duration
		most     time.Duration // that an asker lets the answer's age be; below 0: any
		serves   bool
	}{
		{"expired", 30 * time.Minute, 0, -1, false},
		{"too old", 30 * time.Second, 0, 10 * time.Second, false},
		{"not expired", 30 * time.Second, 0, -1, true},
		{"not too old", 30 * time.Second, 0, 40 * time.Second, true},
		{"a clock ahead", 30 * time.Second, time.Hour, 40 * time.Second, true},
		{"a clock behind", 30 * time.Second, -time.Hour, 40 * time.Second, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(w *world) {
				a, b := w.start("a"), w.start("b")
				wait(10 * time.Second)
				a.cutOff(true)
				w.log.SetClock(c.off)
				b.ask("t", 1)
				wait(c.cut)
				w.wantReply("t", "yes")
				a.cutOff(false)
				wait(1500 * time.Millisecond) // it has read on
				for i := range 20 {
					ask := &journal.Ask{Key: journal.Key{1, 1}, Question: journal.Hash{1, 1}, MaxAge: c.most}
					if _, ok := a.Remembered(ask); ok != c.serves {
						t.Errorf("look %d: a door answers: %v", i, ok)
					}
					wait(20 * time.Millisecond)
				}
				a.ask("u", 1, func(a *journal.Ask) { a.MaxAge = c.most })
				wait(time.Second)
				w.wantReply("u", "yes")
				calls := 2
				if c.serves {
					calls = 1
				}
				w.wantCalls(calls)
				a.leave()
				b.leave()
			})
		})
	}
}
