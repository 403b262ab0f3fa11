// Decisions: what to do about a key, from what the fold and the clocks say. The functions here are
// pure.

package flight

import (
	"math"
	"slices"
	"time"

	"protocolq/worker/fleet"
	"protocolq/worker/journal"
	"protocolq/worker/memory"
)

// Do is what to do with a key once Decision.Settle is settled.
type Do uint8

// What to do.
const (
	// Rest: nothing, until Decision.Until or until something changes.
	Rest Do = iota
	// Drop: another member owns the key, or nobody waits for it.
	Drop
	// Queue: a run may begin, once there is a slot and the partner allows it.
	Queue
	// Crash: the cut run ends as crashed.
	Crash
)

// Reason is why asks are settled.
type Reason uint8

// The reasons.
const (
	// ByAnswer: a remembered answer settles them, or a failure in its cool-down, or a final crash.
	ByAnswer Reason = iota
	// ByConflict: they have the same key and another question.
	ByConflict
	// ByDeadline: their time has passed.
	ByDeadline
	// ByHold: they await a reply, and their partner is on hold at present.
	ByHold
	// ByBound: too many are parked, in all or from this asker.
	ByBound
	// ByCrash: the run crashed, and more asks wait for it than its answer can name.
	ByCrash
	// ByPerson: they are about a person who is to be forgotten.
	ByPerson
)

// Settle is the asks to settle, and why.
type Settle struct {
	Asks   []*fleet.Ask
	Reason Reason
}

// Decision is what to do about a key.
type Decision struct {
	Do Do
	// Settle comes first. These asks are done with, whatever Do is.
	Settle []Settle
	// Left are the asks that go on waiting, for Queue and for Crash, in the log's order.
	Left []*fleet.Ask
	// Until is when to look again although nothing has changed; 0: only after a change.
	Until time.Duration
}

// Facts are what a decision is made from, in addition to the fold's turn.
type Facts struct {
	Now time.Duration
	// Waiting are all asks of the key that are not settled. Due says when the time of one has passed,
	// 0: never.
	Waiting []*fleet.Ask
	Due     func(*fleet.Ask) time.Duration
	// Forgotten says whether an ask is about a person who is to be forgotten; nil: none is.
	Forgotten func(*fleet.Ask) bool
	// Drafted says that the batch being composed also has a waiting ask of the key.
	Drafted bool
	// Held says that the partner is on hold at present, and that askers that await a reply get one at
	// once.
	Held bool
	// Room is how many of the asks may be parked; the newest ones beyond it are refused.
	Room int
	// Draining says that no more runs begin: the member is about to leave.
	Draining bool
}

// Decide says what to do about a key.
func Decide(t fleet.Turn, x Facts) Decision {
	d := Decision{Left: x.Waiting}
	switch t.Step {
	case fleet.Nobody, fleet.Elsewhere:
		return Decision{Do: Drop}
	case fleet.Unread, fleet.Unapplied:
		return Decision{} // the fold has to move first
	case fleet.Crash, fleet.Poison:
		most := min(len(t.Asks), journal.MaxFinal)
		d.settle(t.Asks[most:], ByCrash)
		d.Do, d.Left = Crash, t.Asks[:most]
		return d
	}
	if x.Forgotten != nil {
		forgotten := slices.DeleteFunc(slices.Clone(x.Waiting), func(a *fleet.Ask) bool { return !x.Forgotten(a) })
		d.settle(forgotten, ByPerson)
		t.Asks = slices.DeleteFunc(slices.Clone(t.Asks), x.Forgotten)
	}
	switch t.Step {
	case fleet.Conflict:
		d.settle(t.Asks, ByConflict)
	case fleet.Recall, fleet.Serve, fleet.Cool:
		// An ask that comes late still gets the answer, if one is remembered.
		d.settle(t.Asks, ByAnswer)
	}
	d.deadlines(x)
	switch t.Step {
	case fleet.Waiting, fleet.Cool:
		d.until(t.Until)
	case fleet.Begin, fleet.Rerun:
		d.begin(x)
	}
	if t.Step == fleet.Cool && len(d.Left) > x.Room {
		d.settle(slices.Clone(d.Left[x.Room:]), ByBound)
	}
	return d
}

// begin looks at a key whose run could begin.
func (d *Decision) begin(x Facts) {
	switch {
	case x.Draining:
		return
	case x.Held:
		patient := func(a *fleet.Ask) bool { return a.Door != journal.Await }
		d.settle(slices.DeleteFunc(slices.Clone(d.Left), patient), ByHold)
	}
	if len(d.Left) > x.Room {
		d.settle(slices.Clone(d.Left[x.Room:]), ByBound)
	}
	if len(d.Left) > 0 || x.Drafted {
		d.Do = Queue // no call is made if all askers have left
	}
}

// deadlines settles the asks whose time has passed, and notes when the next one's time passes.
func (d *Decision) deadlines(x Facts) {
	var late []*fleet.Ask
	for _, a := range d.Left {
		switch due := x.Due(a); {
		case due == 0:
		case due <= x.Now:
			late = append(late, a)
		default:
			d.until(due)
		}
	}
	d.settle(late, ByDeadline)
}

func (d *Decision) until(at time.Duration) {
	if d.Until == 0 || at < d.Until {
		d.Until = at
	}
}

// settle removes asks from those that are left.
func (d *Decision) settle(asks []*fleet.Ask, by Reason) {
	if len(asks) == 0 {
		return
	}
	d.Settle = append(d.Settle, Settle{asks, by})
	if len(asks) == len(d.Left) {
		d.Left = nil
		return
	}
	gone := make(map[*fleet.Ask]bool, len(asks))
	for _, a := range asks {
		gone[a] = true
	}
	d.Left = slices.DeleteFunc(slices.Clone(d.Left), func(a *fleet.Ask) bool { return gone[a] })
}

// Class is what a call's outcome allows.
type Class uint8

// The classes. The zero Class is of no outcome.
const (
	// Answered: the gateway's answer, which is remembered.
	Answered Class = 1
	// Temporary: another attempt may help.
	Temporary Class = 2
	// Final: no attempt can help. The key cools down.
	Final Class = 3
	// Unsent: the fence did not let the call's first byte leave, so the gateway knows nothing of
	// it.
	Unsent Class = 4
)

// Outcome is the result of one call.
type Outcome struct {
	Class Class
	// Code is the code that an asker gets, Result the encoded Result that askers get, Detail what the
	// query log shows about the call; the last two are opaque here.
	Code   string
	Result []byte
	Detail []byte
	// Keep is how long an answer is remembered. For a failure it is how long its key cools down at
	// least; 0: for Options.Cooldown.
	Keep time.Duration
	// RetryAfter is for how long the gateway wants no call for this key, or if Everybody is set for
	// its partner; 0: it did not say.
	RetryAfter time.Duration
	Everybody  bool
}

// Made is what is known about a run when one of its calls has ended.
type Made struct {
	Now     time.Duration
	Outcome Outcome
	// Attempt counts the calls so far, Attempts bounds them.
	Attempt, Attempts int
	// Wanted is until when an asker waits: below 0 if none does, [Forever] if one has no deadline.
	Wanted time.Duration
	// Backoff is the next wait between attempts, Longest the longest wait that the gateway may ask for
	// without ending the run.
	Backoff, Longest time.Duration
	// Cooldown is for how long a key cools down after a failure.
	Cooldown time.Duration
	// Budget takes a further attempt from the budget of retries, and says whether there was one. It is
	// called last.
	Budget func() bool
}

// Forever is no deadline.
const Forever time.Duration = math.MaxInt64

// Next is what comes after a call.
type Next struct {
	// Verdict ends the run; 0: there is another attempt, not before At.
	Verdict journal.Verdict
	At      time.Duration
	// Keep is for how long the answer is remembered, or the key cools down. It is in whole
	// milliseconds, rounded up.
	Keep time.Duration
}

// After says what comes after a call.
func After(c Made) Next {
	if c.Outcome.Class == Answered {
		return Next{Verdict: journal.Conclusive, Keep: milliseconds(c.Outcome.Keep)}
	}
	keep := c.Outcome.Keep
	if keep == 0 {
		keep = c.Cooldown
	}
	// However short the cool-down, no call is made for as long as the gateway asks, even if nobody
	// waits any more.
	failed := Next{Verdict: journal.Failed, Keep: cooldown(keep, c.Outcome.RetryAfter)}
	at := c.Now + max(c.Backoff, c.Outcome.RetryAfter)
	switch {
	case c.Outcome.Class != Temporary, c.Attempt >= c.Attempts, c.Wanted <= c.Now:
		return failed
	case c.Outcome.RetryAfter > c.Longest, c.Outcome.RetryAfter > 0 && c.Wanted <= at:
		return failed
	case !c.Budget():
		return failed
	}
	return Next{At: at}
}

// cooldown is for how long a key cools down: our own time, or as long as the gateway asks. The
// memory must not cut the latter short by a tick.
func cooldown(ours, asked time.Duration) time.Duration {
	if asked > 0 {
		asked += memory.Tick
	}
	return milliseconds(max(ours, asked))
}

// milliseconds rounds up to the journal's resolution.
func milliseconds(d time.Duration) time.Duration {
	return (d + time.Millisecond - 1).Truncate(time.Millisecond)
}
