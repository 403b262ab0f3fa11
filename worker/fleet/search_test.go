// Every order of events in a very small fleet: one key, one ask, two members and a third that may
// join, whatever may be lost or late. Time is abstract: a lease ends when its holder calls no more,
// and until then it may be late by anything.

package fleet_test

import (
	"fmt"
	"testing"
	"time"

	"protocolq/worker/fleet"
	"protocolq/worker/journal"
	"protocolq/worker/simtest"
)

func TestEveryOrder(t *testing.T) {
	for _, c := range []struct {
		name  string
		start budget
		fail  bool
		limit int
	}{
		{"join", budget{joins: 1}, false, 600_000},
		{"seal and rejoin", budget{seals: 1}, false, 600_000},
		{"join and seal", budget{joins: 1, seals: 1}, false, 120_000},
		{"crash and seal", budget{seals: 1, crashes: 1}, false, 120_000},
		{"seal, fail after a crash", budget{seals: 1}, true, 120_000},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := newSearch(c.fail)
			states, whole := x.run(c.start, c.limit/simtest.Slower)
			if x.wrong != "" {
				t.Fatalf("after %d states: %s", states, x.wrong)
			}
			if states < 1000 || x.calls == 0 || x.told == 0 {
				t.Errorf("%d states, %d calls, told %d times: the search does not search", states, x.calls, x.told)
			}
			t.Logf("%d states, all of them: %v", states, whole)
		})
	}
}

const small = 3 // members, in all

// budget is what may still happen.
type budget struct{ joins, seals, crashes uint8 }

// record is a batch in few bytes: it is part of a state, and states are compared.
type record struct {
	m, read               uint8
	seal, ask, beat       bool
	begin, follows        uint8 // runs
	answer, verdict, from uint8 // run, what it says, where it began
}

const (
	absent = iota
	up
	over
	dead
)

// one is a member in a state.
type one struct {
	status, applied, former, begins uint8
	flying                          bool
	flight                          record
	phase                           uint8 // of its run
	run, follows, at                uint8
	early                           bool
}

const (
	idle    = iota
	stored  // its begin is acknowledged
	calling // its call is under way
	ended   // its call has an answer
	writing // which is on its way
)

// node is everything at one moment.
type node struct {
	log                       int32
	m                         [small]one
	calling, lapsed, leaseEnd uint8 // members: who calls, whose call is after its lease, whose lease has ended
	asked                     bool
	told                      uint8
	left                      budget
}

// search explores nodes breadth first.
type search struct {
	o       fleet.Options
	logs    []logNode
	logOf   map[logKey]int32
	wrong   string
	calls   int
	told    int
	visit   func(node)
	members [small]journal.Member
}

type logKey struct {
	parent int32
	record
}

// logNode is a log: all before it and one record, with its fold.
type logNode struct {
	parent int32
	length uint8
	record
	state *fleet.State
}

var searchKey = journal.Key{1, 2, 3, 4, 5, 6, 7, 8}

func newSearch(fail bool) *search {
	x := &search{o: fleet.Options{Lease: time.Second, Grace: time.Second, Keep: time.Hour, Attempts: 9, Deaths: 9, Fail: fail}, logOf: map[logKey]int32{}}
	x.logs = []logNode{{parent: -1, state: fleet.New(x.o, 1)}}
	x.members = [small]journal.Member{"a", "b", "c"}
	return x
}

// grow is the log with a record more.
func (x *search) grow(log int32, r record) int32 {
	k := logKey{log, r}
	n, ok := x.logOf[k]
	if !ok {
		n = int32(len(x.logs))
		x.logOf[k] = n
		x.logs = append(x.logs, logNode{parent: log, length: x.logs[log].length + 1, record: r})
		x.logs[n].state = x.fold(n)
	}
	return n
}

// at is the log up to a position.
func (x *search) at(log int32, position uint8) int32 {
	for x.logs[log].length > position {
		log = x.logs[log].parent
	}
	return log
}

func (x *search) fold(log int32) *fleet.State {
	var path []int32
	for l := log; l > 0; l = x.logs[l].parent {
		path = append(path, l)
	}
	s := fleet.New(x.o, 1)
	for i := range path {
		if _, err := s.Apply(x.batch(path[len(path)-1-i]), fleet.Heard{}); err != nil {
			panic(err)
		}
	}
	return s
}

func (x *search) batch(log int32) *journal.Batch {
	l := &x.logs[log]
	number := uint64(1)
	for p := l.parent; p > 0; p = x.logs[p].parent {
		if x.logs[p].m == l.m && !x.logs[p].seal {
			number++
		}
	}
	b := &journal.Batch{Head: journal.Head{Number: number, Read: uint64(l.read)}, Member: x.members[l.m], Position: uint64(l.length)}
	if l.seal {
		b.Entries = []journal.Entry{&journal.Seal{By: "x"}}
		return b
	}
	b.Entries = x.entries(&l.record)
	return b
}

func name(run uint8) string {
	if run == 0 {
		return ""
	}
	return fmt.Sprint("r", run)
}

func (x *search) entries(r *record) (entries []journal.Entry) {
	if r.ask {
		entries = append(entries, &journal.Ask{Token: "t", Key: searchKey, Door: journal.Submit, MaxAge: -1})
	}
	if r.answer > 0 {
		a := &journal.Answer{Key: searchKey, Run: name(r.answer), Verdict: journal.Verdict(r.verdict), Begun: journal.Ref{Position: uint64(r.from), Index: 1}, Keep: 1000 * time.Hour}
		if a.Verdict == journal.Crashed {
			a.Final = []journal.Final{{Token: "t"}}
		}
		entries = append(entries, a)
	}
	if r.begin > 0 {
		entries = append(entries, &journal.Begin{Key: searchKey, Run: name(r.begin), Attempt: 1, Follows: name(r.follows)})
	}
	return entries
}

// run visits up to so many nodes and reports how many there were, and whether these were all.
func (x *search) run(left budget, limit int) (int, bool) {
	start := node{left: left}
	for m := range uint8(2) {
		start.log = x.grow(start.log, record{m: m, beat: true, read: 2}) // as if each had said once more what it read
		start.m[m] = one{status: up, applied: 2}
	}
	seen := map[node]struct{}{start: {}}
	todo := []node{start}
	whole := true
	x.visit = func(n node) {
		if _, ok := seen[n]; ok {
			return
		}
		if len(seen) >= limit {
			whole = false
			return
		}
		seen[n] = struct{}{}
		todo = append(todo, n)
	}
	for len(todo) > 0 && x.wrong == "" {
		n := todo[0]
		todo = todo[1:]
		x.expand(&n)
	}
	return len(seen), whole
}

func (x *search) errorf(n *node, format string, args ...any) {
	x.wrong = fmt.Sprintf(format, args...)
	for l := n.log; l > 0; l = x.logs[l].parent {
		x.wrong += fmt.Sprintf("\n\t%d %+v", x.logs[l].length, x.logs[l].record)
	}
}
