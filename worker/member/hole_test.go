// A log with a hole in its middle, as a damaged disk leaves it: nobody can begin to read it.

package member_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"protocolq/worker/journal"
)

// holed is a log with a hole, which a live worker has read before.
func holed(w *world) *one {
	b := w.start("b")
	for i := range 5 {
		b.ask(fmt.Sprint("t", i), byte(i))
		wait(time.Second)
	}
	w.log.Replace(slices.Delete(w.log.Messages(), 3, 4))
	return b
}

// Who operates the log is told what to do, and once that is done the member is in the fleet.
func TestSaidOfAHole(t *testing.T) {
	bubble(t, func(w *world) {
		var said said
		b := holed(w)
		a := w.begin("a", said.logs)
		wait(5 * time.Minute)
		lines := said.lines()
		if n := strings.Count(strings.Join(lines, "\n"), "nats stream purge"); n == 0 || n > 11 || strings.Contains(lines[0], "nats stream purge") {
			t.Errorf("told %d times what to do: %q", n, lines)
		}
		b.leave()
		if err := b.conn.Purge(w.t.Context(), 5); err != nil {
			t.Fatal(err)
		}
		select {
		case <-a.Ready():
		case <-time.After(40 * time.Second):
			t.Error("not ready when the log begins behind the hole")
		}
		a.leave()
	})
}

// A worker that cannot read the log holds up no key of those that have read it.
func TestAHoleHoldsUpNobody(t *testing.T) {
	bubble(t, func(w *world) {
		b := holed(w)
		a := w.begin("a")
		asked := map[string]time.Duration{}
		for i := range 600 {
			token := fmt.Sprint("u", i)
			b.ask(token, byte(i), func(a *journal.Ask) { a.Key[7] = byte(1 + i>>8) })
			asked[token] = time.Since(begun)
			wait(100 * time.Millisecond)
		}
		wait(5 * time.Second)
		late, most := 0, time.Duration(0)
		for token, at := range asked {
			took := w.wantReply(token, "yes").at - at
			if most = max(most, took); took > 200*time.Millisecond {
				late++
			}
		}
		if late > 0 {
			t.Errorf("%d of %d are late, by %v at most", late, len(asked), most)
		}
		a.kill()
		b.leave()
	})
}
