// Fairness, slot by slot.

package flight

import (
	"fmt"
	"strings"
	"testing"

	"protocolq/worker/journal"
)

// TestQueue says who is given slots in which order. A waiter is door, partner, asker and a number.
func TestQueue(t *testing.T) {
	many := func(prefix string, n int) (names []string) {
		for i := range n {
			names = append(names, fmt.Sprint(prefix, i))
		}
		return names
	}
	for _, c := range []struct {
		name  string
		share int
		put   []string
		held  string
		want  string
	}{
		{"in the order of coming", 0, many("apx", 3), "", "apx0 apx1 apx2"},
		{"one asker after the other", 0, append(many("apx", 4), many("apy", 2)...), "", "apx0 apy0 apx1 apy1 apx2 apx3"},
		{"one partner after the other", 0, append(many("apx", 3), "aqy0", "aqz0"), "", "apx0 aqy0 apx1 aqz0 apx2"},
		{"awaiting first", 0, append(many("spx", 2), many("apx", 2)...), "", "apx0 apx1 spx0 spx1"},
		{"a share for the submitted", 3, append(many("spx", 3), many("apx", 6)...), "", "apx0 apx1 spx0 apx2 apx3 spx1 apx4 apx5 spx2"},
		{"not whose partner is held", 0, append(many("apx", 2), "aqx0", "sqx0"), "p", "aqx0 sqx0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			q, of := queue{share: c.share}, map[*flight]string{}
			for _, name := range c.put {
				f := &flight{key: journal.Key{byte(len(of))}}
				of[f] = name
				q.put(f, strings.Index("as", name[:1]), who{name[1:2], name[2:3]})
			}
			var got []string
			ready := func(p string, _ int) bool { return p != c.held }
			for f := q.next(ready); f != nil; f = q.next(ready) {
				got = append(got, of[f])
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("%v, want %s", got, c.want)
			}
			if left := len(c.put) - len(got); (left == 0) != q.empty() || q.partners()[c.held] != left {
				t.Errorf("%d are left, and the queue says %v", left, q.partners())
			}
		})
	}
}

// However many slots submitted asks have had, one that is awaited comes next.
func TestAwaitedAfterSubmitted(t *testing.T) {
	ready := func(string, int) bool { return true }
	for had := range 9 {
		q, awaited := queue{share: 4}, &flight{}
		for range 20 {
			q.put(&flight{}, submitted, who{"p", "x"})
		}
		for range had {
			q.next(ready)
		}
		q.put(awaited, awaiting, who{"p", "y"})
		if q.next(ready) != awaited {
			t.Errorf("after %d slots another goes to a submitted ask", had)
		}
	}
}

// Submitted asks of a partner with one turn at a time have their share of its turns, though another
// partner's submitted asks have slots between.
func TestSubmittedBesideAnotherPartner(t *testing.T) {
	q, turns := queue{share: 8}, 0
	for range 1000 {
		q.put(&flight{}, awaiting, who{"p", "x"})
		q.put(&flight{}, submitted, who{"p", "y"})
	}
	ready := func(partner string, _ int) bool {
		turns--
		return partner == "q" || turns >= 0
	}
	behind := q.doors[submitted].by["p"]
	for range 800 {
		turns = 1
		q.next(ready)
		q.put(&flight{}, submitted, who{"q", "z"})
		q.next(ready)
	}
	if n := 1000 - behind.flights; n != 100 {
		t.Errorf("%d of 800 turns went to submitted asks, want 100", n)
	}
}

// A flight waits in one place, also when it is put somewhere else.
func TestQueueMoves(t *testing.T) {
	q, all := queue{}, []*flight{{}, {}, {}}
	for _, f := range all {
		q.put(f, submitted, who{"p", "x"})
	}
	q.put(all[0], submitted, who{"p", "x"}) // keeps its place
	q.put(all[1], awaiting, who{"p", "y"})
	q.remove(all[2])
	q.remove(all[2])
	ready := func(string, int) bool { return true }
	if got := []*flight{q.next(ready), q.next(ready), q.next(ready)}; got[0] != all[1] || got[1] != all[0] || got[2] != nil {
		t.Errorf("%p %p %p, want the one that is awaited, the one that came first, and no more", got[0], got[1], got[2])
	}
	if len(q.doors[0].by)+len(q.doors[1].by) != 0 {
		t.Error("an empty queue keeps partners")
	}
}
