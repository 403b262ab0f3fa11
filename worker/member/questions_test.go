// Two questions under one key at the same time.

package member_test

import (
	"fmt"
	"testing"
	"time"

	"protocolq/worker/journal"
	"protocolq/worker/journal/journaltest"
)

// One of them is asked and answered, whichever door each came in by and whoever owns the key. The
// other is refused.
func TestTwoQuestionsOfOneKey(t *testing.T) {
	bubble(t, func(w *world) {
		w.took = 3 * time.Second
		a, b := w.start("a"), w.start("b")
		wait(2 * time.Second)
		a.conn.SetFaults(journaltest.Faults{LoseFollowed: 1}) // it reads the log once a second
		const keys = 20
		for key := range byte(keys) {
			b.ask(fmt.Sprint("one", key), key)
			wait(time.Millisecond) // it is in the log, and a has not read it
			a.ask(fmt.Sprint("two", key), key, func(a *journal.Ask) { a.Question = journal.Hash{key, 2} })
		}
		wait(10 * time.Second)
		w.wantCalls(keys)
		firsts := 0
		for _, c := range w.calls {
			other := "two" + c.query[3:]
			if c.query == other {
				other = "one" + c.query[3:]
			} else {
				firsts++
			}
			w.wantReply(c.query, "yes")
			w.wantReply(other, "CONFLICT")
		}
		if firsts == 0 || firsts == keys {
			t.Errorf("%d of %d first questions were asked, want some of both", firsts, keys)
		}
		a.leave()
		b.leave()
	})
}
