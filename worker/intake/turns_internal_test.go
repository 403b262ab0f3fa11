// Whose ask goes next.

package intake

import (
	"fmt"
	"strings"
	"testing"
)

// TestTurns says in which order asks go; each is an asker and a number, and takes a quarter of the
// way.
func TestTurns(t *testing.T) {
	for name, c := range map[string]struct{ come, want string }{
		"all at once":             {"a1 a2 b1", "a1 a2 b1"},
		"in the order of coming":  {"a1 a2 a3 a4 a5 a6", "a1 a2 a3 a4 a5 a6"},
		"one after the other":     {"a1 a2 a3 a4 a5 a6 a7 b1 b2 c1", "a1 a2 a3 a4 a5 b1 c1 a6 b2 a7"},
		"who comes again is last": {"a1 a2 a3 a4 b1 a5 b2", "a1 a2 a3 a4 b1 a5 b2"},
	} {
		t.Run(name, func(t *testing.T) {
			turns, onWay, names := newTurns(), []*held{}, map[*held]string{}
			for _, ask := range strings.Fields(c.come) {
				h := &held{who: who{asker: ask[:1]}, bytes: mostOnWay / 4}
				if names[h] = ask; turns.enter(h) {
					onWay = append(onWay, h)
				}
			}
			var got []string
			for len(onWay) > 0 {
				if len(onWay) > 4 {
					t.Fatalf("%d are on their way", len(onWay))
				}
				got = append(got, names[onWay[0]])
				turns.leave(onWay[0])
				onWay = onWay[1:]
				for h := turns.next(); h != nil; h = turns.next() {
					onWay = append(onWay, h)
				}
			}
			if s := strings.Join(got, " "); s != c.want {
				t.Errorf("%s, want %s", s, c.want)
			}
			if turns.onWay != 0 || len(turns.lanes)+len(turns.by) != 0 {
				t.Errorf("left behind: %s", fmt.Sprint(turns.onWay, turns.lanes, turns.by))
			}
		})
	}
}

// What is longer than the way goes alone.
func TestTurnOfALongAsk(t *testing.T) {
	turns, long, short := newTurns(), &held{bytes: 2 * mostOnWay}, &held{bytes: 1}
	if !turns.enter(long) || turns.enter(short) || turns.next() != nil {
		t.Fatal("a long ask does not go, or not alone")
	}
	if !turns.leave(long) || turns.next() != short || turns.leave(short) {
		t.Error("who waited does not go")
	}
}

// An asker who always waits does not leave room behind for all that it has ever asked.
func TestTurnsOfOneWhoAlwaysWaits(t *testing.T) {
	turns := newTurns()
	ask := func() *held { return &held{who: who{asker: "a"}, bytes: mostOnWay} }
	onWay := ask()
	turns.enter(onWay)
	for range 10 {
		turns.enter(ask())
	}
	for range 10_000 {
		turns.enter(ask())
		turns.leave(onWay)
		if onWay = turns.next(); onWay == nil {
			t.Fatal("nobody goes")
		}
	}
	if most := cap(turns.by[who{asker: "a"}].asks); most > 100 {
		t.Errorf("room for %d asks, of which 10 wait", most)
	}
}
