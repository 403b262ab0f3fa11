//go:build unix

// The checks of load (I8): what the gateway is asked while it fails and when it has recovered, and
// the limits that it was promised.

package verdict

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"protocolq/gateway/simulator"
)

// LoadBounds are the promises to the gateway.
type LoadBounds struct {
	Cooldown    time.Duration // how long a key rests after its last failed attempt
	Workers     int           // each has its own budget of retries; 0: there is no storm
	Goodput     time.Duration // from the gateway's return until askers are served as before; 0: no bound
	Rate        float64       // calls a second over all workers; 0: any
	Concurrency int           // calls at once over all workers; 0: any
	Call        time.Duration // one call, as the gateway sees it; 0: any
}

// Second is one, in the microseconds in which the evidence counts.
const Second = int64(1_000_000)

const (
	retryShare   = 1.1             // calls for each key and cool-down: each adds a tenth of a call to the budget
	retryBudget  = 10              // further calls, for each worker
	tolerance    = 1.05            // how far a fleet's rate may deviate
	rateWindow   = 5 * time.Second // over which a rate is taken
	served       = 5 * time.Second // the time in which an ask must have a result to count as good
	goodShare    = 0.95
	reached      = 0.85 // share of a limit that counts as reached
	goodBucket   = Second
	leastFaults  = 20
	leastStormed = 50 // with fewer calls there was no storm
)

// load compares the gateway's log and the askers' logs with the promises about load.
func (v *Verdict) load(t *Evidence, b *LoadBounds) {
	if b == nil {
		return
	}
	if b.Workers > 0 {
		v.amplification(t, b)
	}
	if b.Goodput > 0 {
		v.goodput(t, b)
	}
	if b.Rate > 0 {
		v.rate(t.Calls, b.Rate)
	}
	if b.Concurrency > 0 {
		v.concurrency(t.Calls, b.Concurrency)
	}
	if b.Call > 0 {
		v.longest(t.Calls, b.Call)
	}
}

// amplification counts the calls while the gateway fails, and how many of them its failures may
// have caused: each key is called once, and once more for each cool-down that passed since, plus
// the budgets of retries.
func (v *Verdict) amplification(t *Evidence, b *LoadBounds) {
	for _, f := range t.Faults {
		if f.Kind != Storm {
			continue
		}
		first, calls := map[string]int64{}, 0
		for _, c := range t.Calls {
			if c.Started < f.At || c.Started > f.Until {
				continue
			}
			calls++
			if at, called := first[c.Partner+" "+c.Key]; !called || c.Started < at {
				first[c.Partner+" "+c.Key] = c.Started
			}
		}
		runs := 0
		for _, at := range first {
			runs += 1 + int((f.Until-at)/b.Cooldown.Microseconds())
		}
		allowed := int(retryShare*float64(runs)) + retryBudget*b.Workers
		v.figure("calls while the gateway fails",
			fmt.Sprintf("%d for %d keys in %.0f s", calls, len(first), float64(f.Until-f.At)/float64(Second)),
			fmt.Sprintf("%d: 1.1 x %d keys and cool-downs + %d x %d workers", allowed, runs, retryBudget, b.Workers))
		if calls > allowed {
			v.breaks("%d calls while the gateway fails, at most %d", calls, allowed)
		}
		if calls < leastStormed {
			v.breaks("only %d calls while the gateway fails: nothing is proved", calls)
		}
	}
}

// goodput measures from the gateway's return to the time from which on nearly all asks of each
// second get an answer that settles something, and soon.
func (v *Verdict) goodput(t *Evidence, b *LoadBounds) {
	mended, harmed := int64(0), int64(0)
	for _, f := range t.Faults {
		if f.Kind == Storm {
			mended = max(mended, f.Until)
			harmed = f.At
		}
	}
	asked, good := map[int64]int{}, map[int64]int{}
	before, goodBefore := 0, 0
	for _, a := range t.Asks {
		well := 0
		if len(a.Replies) > 0 && a.Replies[0].At-a.Sent <= served.Microseconds() && a.Replies[0].settles() {
			well = 1
		}
		switch bucket := (a.Sent - mended) / goodBucket; {
		case a.Sent >= mended:
			asked[bucket]++
			good[bucket] += well
		case a.Sent < harmed-served.Microseconds()/2: // later asks may have been affected by the storm
			before++
			goodBefore += well
		}
	}
	back, last := int64(0), int64(-1)
	for bucket, n := range asked {
		last = max(last, bucket)
		if float64(good[bucket]) < goodShare*float64(n) {
			back = max(back, bucket+1)
		}
	}
	took := time.Duration(back*goodBucket) * time.Microsecond
	v.figure("goodput at 95 % again", took.String()+" after the gateway's return", b.Goodput.String())
	switch {
	case before == 0 || float64(goodBefore) < goodShare*float64(before):
		v.breaks("goodput was %d of %d before the storm: nothing to come back to", goodBefore, before)
	case last < 0 || back > last:
		v.breaks("goodput was not back when the load ended, %d s after the gateway", last+1)
	case took > b.Goodput:
		v.breaks("goodput back after %v, at most %v", took, b.Goodput)
	}
}

// settles says that the answer is the gateway's.
func (t reply) settles() bool { return t.Outcome != "unknown" && t.Outcome != "refused" }

// rate looks for the fastest seconds.
func (v *Verdict) rate(calls []simulator.Call, allowed float64) {
	var starts []int64
	for _, c := range calls {
		starts = append(starts, c.Started)
	}
	slices.Sort(starts)
	fastest := 0
	for from, to := 0, 0; to < len(starts); to++ {
		for starts[to]-starts[from] >= rateWindow.Microseconds() {
			from++
		}
		fastest = max(fastest, to-from+1)
	}
	rate := float64(fastest) / rateWindow.Seconds()
	v.figure("calls a second over all workers, the fastest 5 s", fmt.Sprintf("%.1f", rate),
		fmt.Sprintf("%.0f + 5 %%", allowed))
	if rate > allowed*tolerance {
		v.breaks("%.1f calls a second over all workers, at most %.0f and 5 %%", rate, allowed)
	}
	if rate < allowed*reached {
		v.breaks("at most %.1f calls a second, never the %.0f that are allowed: nothing is proved", rate, allowed)
	}
}

// concurrency finds the largest number of calls at once. The gateway sees slightly late that a
// caller has left.
func (v *Verdict) concurrency(calls []simulator.Call, allowed int) {
	type edge struct {
		at   int64
		step int
	}
	var edges []edge
	for _, c := range calls {
		edges = append(edges, edge{c.Started, 1}, edge{max(c.Started+1, c.Ended-leaving), -1})
	}
	slices.SortFunc(edges, func(x, y edge) int { return cmp.Or(cmp.Compare(x.at, y.at), cmp.Compare(x.step, y.step)) })
	under, most := 0, 0
	for _, e := range edges {
		under += e.step
		most = max(most, under)
	}
	v.figure("calls under way over all workers, at most", fmt.Sprint(most), fmt.Sprint(allowed))
	if most > allowed {
		v.breaks("%d calls under way over all workers, at most %d", most, allowed)
	}
	if float64(most) < float64(allowed)*reached {
		v.breaks("at most %d calls under way, never the %d that are allowed: nothing is proved", most, allowed)
	}
}

// longest finds the call that lasted longest.
func (v *Verdict) longest(calls []simulator.Call, allowed time.Duration) {
	most, left := time.Duration(0), 0
	for _, c := range calls {
		most = max(most, time.Duration(c.Ended-c.Started)*time.Microsecond)
		if c.Fault != "" {
			left++
		}
	}
	v.figure("calls that met a fault; the longest call",
		fmt.Sprintf("%d of %d; %v", left, len(calls), most.Round(time.Millisecond)), allowed.String())
	if most > allowed {
		v.breaks("a call of %v, at most %v", most.Round(time.Millisecond), allowed)
	}
	if left < leastFaults {
		v.breaks("only %d calls met a fault: nothing is proved", left)
	}
}

// lied counts the false answers; that none of them was believed is counted by answers and records.
func (v *Verdict) lied(t *Evidence, lies bool) {
	if !lies {
		return
	}
	untrue, kinds := 0, map[string]bool{}
	for _, c := range t.Calls {
		if c.Fault != "" {
			untrue++
			kinds[c.Fault] = true
		}
	}
	v.figure("false answers by the gateway; believed",
		fmt.Sprintf("%d of %d kinds; %d", untrue, len(kinds), v.FalseNo+v.FalseYes+v.Unfounded), "0")
	if untrue < leastFaults || len(kinds) < 12 {
		v.breaks("only %d false answers of %d kinds: nothing is proved", untrue, len(kinds))
	}
}

// figure notes a measurement.
func (v *Verdict) figure(what, value, bound string) {
	v.Figures = append(v.Figures, Figure{What: what, Value: value, Bound: bound})
}

// breaks notes a broken bound.
func (v *Verdict) breaks(format string, args ...any) {
	v.Broken = append(v.Broken, fmt.Sprintf(format, args...))
}
