// Load: the callers, each of which asks, waits for the answer and asks again; or queries at a fixed
// rate, whether answers come or not.
package main

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"protocolq/cmd/peerbench/payload"
)

// tally is what one caller saw; only that caller writes it.
type tally struct {
	lat     []float64 // ms
	kinds   [kinds]int
	refused int
	note    string
	asked   map[uint64]struct{}
	last    time.Time
	// when a worker was killed, in Unix nanoseconds; 0 before that, nil if none will be
	died  *atomic.Int64
	after []float64 // ms from then to the right answers of those who waited then
}

func (t *tally) add(out outcome, began time.Time) {
	now := time.Now()
	t.kinds[out.kind]++
	if out.kind != answered {
		if out.note != "" {
			t.note = out.note
		}
		return
	}
	t.lat = append(t.lat, float64(now.Sub(began).Nanoseconds())/1e6)
	t.last = now
	if at := t.death(); began.Before(at) && now.After(at) && out.ok {
		t.after = append(t.after, float64(now.Sub(at).Nanoseconds())/1e6)
	}
	if !out.ok {
		t.refused++
		t.note = out.note
	}
}

// death is when a worker was killed, or the zero time.
func (t *tally) death() time.Time {
	if t.died == nil || t.died.Load() == 0 {
		return time.Time{}
	}
	return time.Unix(0, t.died.Load())
}

// keysOf returns the key numbers of one caller: i counts the queries of all callers.
func keysOf(o *options, caller int) func(i int64) uint64 {
	switch o.dist {
	case "unique":
		return func(i int64) uint64 { return uint64(i) }
	case "zipf":
		z := rand.NewZipf(rand.New(rand.NewPCG(uint64(caller), o.seed)), o.zipfS, 1, uint64(o.keys-1))
		return func(int64) uint64 { return z.Uint64() }
	}
	return func(int64) uint64 { return 0 }
}

// load sends the queries and gathers the outcomes. died says when a worker is killed meanwhile.
func load(cl *client, o *options, died *atomic.Int64) *result {
	base := rand.New(rand.NewPCG(o.seed, 0)).Uint64N(100_000_000_000)
	ask := func(i int64, k uint64) outcome {
		return cl.ask(strconv.FormatInt(i, 10), payload.Key(base+k), o.timeout)
	}
	if o.rate > 0 {
		return openLoop(o, died, ask)
	}
	return closedLoop(o, died, ask)
}

// closedLoop has -c callers, each of which waits for its answer before it asks again: slow answers
// mean fewer questions.
func closedLoop(o *options, died *atomic.Int64, ask func(i int64, key uint64) outcome) *result {
	var next atomic.Int64
	tallies := make([]tally, o.c)
	var wg sync.WaitGroup
	t0 := time.Now()
	for caller := range o.c {
		t := &tallies[caller]
		t.asked, t.died = map[uint64]struct{}{}, died
		key := keysOf(o, caller)
		wg.Go(func() {
			for {
				i := next.Add(1) - 1
				if i >= int64(o.n) || time.Since(t0) > o.maxTime {
					return
				}
				k := key(i)
				t.asked[k] = struct{}{}
				began := time.Now()
				t.add(ask(i, k), began)
			}
		})
	}
	wg.Wait()
	return sum(tallies, t0, time.Since(t0))
}

// openLoop asks -rate times a second, each query in its own goroutine. A query's latency counts
// from when it was due, also if the bench itself sent it late, or if it waited behind others.
func openLoop(o *options, died *atomic.Int64, ask func(i int64, key uint64) outcome) *result {
	var mu sync.Mutex // guards t
	t := tally{asked: map[uint64]struct{}{}, died: died}
	key := keysOf(o, 0)
	var wg sync.WaitGroup
	t0 := time.Now()
	for i := range min(int64(o.n), int64(o.rate*o.maxTime.Seconds())) {
		due := t0.Add(time.Duration(float64(i) / o.rate * 1e9))
		time.Sleep(time.Until(due))
		k := key(i)
		wg.Go(func() {
			out := ask(i, k)
			mu.Lock()
			defer mu.Unlock()
			t.asked[k] = struct{}{}
			t.add(out, due)
		})
	}
	wg.Wait()
	return sum([]tally{t}, t0, time.Since(t0))
}

// sum adds the callers' tallies.
func sum(tallies []tally, t0 time.Time, wall time.Duration) *result {
	r := &result{Wall: wall.Seconds()}
	var lat, after []float64
	last := t0
	asked := map[uint64]struct{}{}
	for i := range tallies {
		t := &tallies[i]
		lat, after = append(lat, t.lat...), append(after, t.after...)
		for k := range t.asked {
			asked[k] = struct{}{}
		}
		for _, n := range t.kinds {
			r.Issued += n
		}
		r.Answered += t.kinds[answered]
		r.Timeouts += t.kinds[timedOut]
		r.BadReply += t.kinds[badReply]
		r.OtherErr += t.kinds[otherErr]
		r.Refused += t.refused
		if t.note != "" {
			r.Example = t.note
		}
		if t.last.After(last) {
			last = t.last
		}
	}
	r.AskedKeys = len(asked)
	r.Seconds = last.Sub(t0).Seconds()
	r.AnsweredRate = float64(r.Answered) / r.Wall
	if slices.Sort(after); len(after) > 0 {
		p99 := quantile(after, .99)
		r.AfterDeathP99 = &p99
	}
	slices.Sort(lat)
	r.P50, r.P99, r.P999, r.Max = quantile(lat, .5), quantile(lat, .99), quantile(lat, .999), quantile(lat, 1)
	return r
}

// quantile reads the sorted list; 0 when it is empty.
func quantile(sorted []float64, q float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}
