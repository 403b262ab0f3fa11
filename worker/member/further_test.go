// A worker that knows only the further begins of a run.

package member_test

import (
	"fmt"
	"testing"
	"time"

	"protocolq/worker/flight"
	"protocolq/worker/journal"
	"protocolq/worker/member"
)

// A worker joins when the log no longer has the first begin of a run, and owes its line and the
// reply to its asker: both are of the ask that started the run, which was in that begin's batch.
func TestRunWhoseFirstBeginIsPurged(t *testing.T) {
	bubble(t, func(w *world) {
		short := func(o *member.Options) {
			o.Fleet.Keep, o.Fleet.Lag, o.Tail = 10*time.Second, time.Second, 1
			o.Flights.Waits = func() func() time.Duration { return func() time.Duration { return 40 * time.Second } }
		}
		w.what = flight.Outcome{Class: flight.Temporary, Code: "TEMPORARY", Result: []byte("no")}
		a := w.start("a", short)
		a.ask("first", 1, func(e *journal.Ask) { e.Left = 10 * time.Minute })
		for i := range 100 {
			wait(time.Second)
			a.ask(fmt.Sprint("other", i), byte(2+i))
		}
		for _, msg := range w.log.Messages() {
			b, err := journal.Decode(msg)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range b.Entries {
				if e, ok := e.(*journal.Begin); ok && e.Key == (journal.Key{1, 1}) && e.Attempt == 1 {
					t.Fatal("the first begin is not purged")
				}
			}
		}
		w.start("b", short)
		wait(2 * time.Second)
		w.mu.Lock()
		w.what = flight.Outcome{Class: flight.Answered, Keep: time.Minute, Result: []byte("yes")}
		w.mu.Unlock()
		a.kill()
		wait(time.Minute)
		if r := w.wantReply("first", "yes"); r.source != "asked" {
			t.Errorf("the asker is told that its answer was %s", r.source)
		}
	})
}
