// For how long answers serve, whatever the log's own time is.

package fleet_test

import (
	"testing"
	"time"

	"protocolq/worker/fleet"
	"protocolq/worker/journal"
)

// Copies are stored long after they were composed, as no server was there: the answer serves no
// longer for it.
func TestCopiesThatComeLateDoNotLengthenALife(t *testing.T) {
	x := newTape(t, settings, "a")
	a := answer("r1", journal.Conclusive)
	a.Keep = time.Hour
	x.write("a", ask("s"), begin("r1", 1, ""))
	x.write("a", a)
	first, _ := x.state.Answers().Get(someKey)
	for n := range 3 {
		items := x.state.Carry(&fleet.Own{ID: "a"}, x.state.Applied()+1, x.now, 10)
		if len(items) != 1 {
			t.Fatalf("carries %+v", items)
		}
		c := x.state.Copy(items[0], a, "a", x.now)
		x.now += 5 * time.Minute
		x.write("a", c)
		if kept, _ := x.state.Answers().Get(someKey); kept.Expires > first.Expires {
			t.Errorf("after copy %d it expires %v later", n+1, kept.Expires-first.Expires)
		}
	}
}
