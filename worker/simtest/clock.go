// The clock of a simulation: what is to happen is a queue, and time goes from event to event.

package simtest

import (
	"container/heap"
	"time"
)

type clock struct {
	now   time.Duration
	queue events
	count uint64 // of events
}

// Now is how long the simulation has run, by its own clock.
func (c *clock) Now() time.Duration { return c.now }

// After has something happen later.
func (c *clock) After(d time.Duration, do func()) {
	c.count++
	heap.Push(&c.queue, event{c.now + d, c.count, do})
}

// next has the next event happen; false: there is none.
func (c *clock) next() bool {
	if len(c.queue) == 0 {
		return false
	}
	e := heap.Pop(&c.queue).(event)
	c.now = e.at
	e.do()
	return true
}

// event is something that happens at a time; of two at the same time the one put in first.
type event struct {
	at time.Duration
	n  uint64
	do func()
}

type events []event

func (e events) Len() int { return len(e) }
func (e events) Less(i, j int) bool {
	return e[i].at < e[j].at || e[i].at == e[j].at && e[i].n < e[j].n
}
func (e events) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)   { *e = append(*e, x.(event)) }
func (e *events) Pop() any {
	old := *e
	x := old[len(old)-1]
	*e = old[:len(old)-1]
	return x
}
