// Leaving: what the last calls came to is published first.

package member_test

import (
	"fmt"
	"testing"
	"time"

	"protocolq/worker/journal/journaltest"
	"protocolq/worker/member"
)

// A worker that leaves has published what its last calls came to, also if it reads the log late, or
// has to read the texts of its duties again.
func TestLeavingPublishesWhatIsOwed(t *testing.T) {
	for _, late := range []bool{false, true} {
		t.Run(fmt.Sprint("late ", late), func(t *testing.T) {
			bubble(t, func(w *world) {
				w.took = 2300 * time.Millisecond
				a := w.start("a", func(o *member.Options) {
					if !late {
						o.Log, o.Texts = slowLog{Conn: o.Log.(log).Conn, took: 300 * time.Millisecond}, 1
					}
				})
				wait(time.Second)
				for i := range 10 {
					a.ask(fmt.Sprint("t", i), byte(i))
				}
				wait(time.Second)
				if late {
					a.conn.SetFaults(journaltest.Faults{LoseFollowed: 1}) // it reads the log once a second
				}
				a.leave()
				for i := range 10 {
					w.wantReply(fmt.Sprint("t", i), "yes")
				}
				if len(w.runs) != 10 {
					t.Errorf("%d runs are published, want 10", len(w.runs))
				}
			})
		})
	}
}
