// Duties whose texts are gone.

package member_test

import (
	"slices"
	"testing"
	"time"

	"protocolq/worker/journal"
)

// decoded is a message of the log as a batch.
func decoded(t *testing.T, m journal.Message) *journal.Batch {
	t.Helper()
	b, err := journal.Decode(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The log has lost its end, with the entry that an ask is told, but not what was purged after that:
// the answer. The ask's duty is over, and said so again.
func TestToldIsLost(t *testing.T) {
	bubble(t, func(w *world) {
		a := w.start("a")
		a.ask("t1", 1)
		wait(time.Second)
		a.ask("t2", 1, func(a *journal.Ask) { a.Door = journal.Submit })
		wait(time.Second)
		a.leave()
		var answered, settled uint64
		var asked journal.Ref
		all := w.log.Messages()
		for _, m := range all {
			for i, e := range decoded(t, m).Entries {
				switch e := e.(type) {
				case *journal.Ask:
					if e.Token == "t2" {
						asked = journal.Ref{Position: m.Position, Index: uint16(i + 1)}
					}
				case *journal.Answer:
					answered = m.Position
				case *journal.Settled:
					settled = m.Position
				}
			}
		}
		w.log.Replace(slices.DeleteFunc(all, func(m journal.Message) bool { return m.Position <= answered || m.Position > settled }))
		b := w.start("b")
		wait(time.Minute)
		if held := b.Held(); held != "" {
			t.Errorf("at rest: %s", held)
		}
		told := false
		for _, m := range w.log.Messages() {
			for _, e := range decoded(t, m).Entries {
				e, ok := e.(*journal.Told)
				told = told || ok && slices.Contains(e.Entries, asked)
			}
		}
		if !told {
			t.Errorf("the log does not say that %v is told", asked)
		}
		b.leave()
	})
}
