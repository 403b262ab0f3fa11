// Timers: when to look at a key again although nothing in the log has changed.

package flight

import (
	"container/heap"
	"time"

	"protocolq/worker/fleet"
	"protocolq/worker/journal"
)

// timers are the flights that have a time, the earliest first.
type timers []*flight

func (t timers) Len() int           { return len(t) }
func (t timers) Less(i, j int) bool { return t[i].wake < t[j].wake }
func (t timers) Swap(i, j int) {
	t[i], t[j] = t[j], t[i]
	t[i].timer, t[j].timer = int32(i)+1, int32(j)+1
}
func (t *timers) Push(x any) {
	f := x.(*flight)
	*t = append(*t, f)
	f.timer = int32(len(*t))
}
func (t *timers) Pop() any {
	old := *t
	f := old[len(old)-1]
	old[len(old)-1] = nil
	*t = old[:len(old)-1]
	f.timer = 0
	return f
}

// set sets a flight's time; 0 removes it.
func (t *timers) set(f *flight, at time.Duration) {
	switch {
	case at == f.wake && (at == 0) == (f.timer == 0):
	case at == 0:
		f.wake = 0
		heap.Remove(t, int(f.timer)-1)
	case f.timer == 0:
		f.wake = at
		heap.Push(t, f)
	default:
		f.wake = at
		heap.Fix(t, int(f.timer)-1)
	}
}

// due takes out a flight whose time has come, or gives nil if there is none.
func (t *timers) due(now time.Duration) *flight {
	if len(*t) == 0 || (*t)[0].wake > now {
		return nil
	}
	f := heap.Pop(t).(*flight)
	f.wake = 0
	return f
}

// due is when an ask's time has passed: at its deadline, or without one when the patience of its
// door ends.
func (o *Options) due(a *fleet.Ask) time.Duration {
	if a.Due > 0 {
		return a.Due
	}
	if a.Door == journal.Await {
		return max(1, a.Stored+o.AskPatience)
	}
	return max(1, a.Stored+o.Patience)
}

// wanted is until when an asker waits, below 0 if none does.
func (o *Options) wanted(asks []*fleet.Ask) time.Duration {
	until := time.Duration(-1)
	for _, a := range asks {
		until = max(until, o.due(a))
	}
	return until
}
