// Bars: what protocolq must reach in comparison with its alternatives, each with the figure that
// shows whether it does.
package main

import (
	"fmt"
	"io"
)

// bar is one row of the table. With atLeast, a figure above its limit is good, otherwise one below
// it. A row with a limit that cannot be missed (at least 0) is for information.
type bar struct {
	measure string
	limit   float64
	atLeast bool
	unit    string // "x" times another contestant, % of a core, ms, MB, calls
	figure  func(*results) (values []float64)
}

const (
	mine        = "protocolq"
	drainedRate = "drained_per_second" // over the time until nothing was owed: postponed work is no speed
)

// bars are in the order of the table.
var bars = []bar{
	{"unique keys, 1 worker, answers/s ÷ micro-kv", 1, true, "x", beside(loaded("unique", 1), "micro-kv", drainedRate)},
	{"unique keys, 2 workers, answers/s ÷ micro-kv", 1, true, "x",
		beside(loaded("unique", 2), "micro-kv", drainedRate)},
	{"unique keys, 4 workers, answers/s ÷ micro-kv", 0.9, true, "x",
		beside(loaded("unique", 4), "micro-kv", drainedRate)},
	{"unique keys, 1 worker, answers/s ÷ bare", 0.65, true, "x", beside(loaded("unique", 1), "bare", drainedRate)},
	{"unique keys, 1 worker, worker CPU per answer ÷ micro-kv", 0.9, false, "x",
		beside(loaded("unique", 1), "micro-kv", "worker_cpu_us_per_answer")},
	{"zipf, 1 worker, answers/s ÷ bare-cache", 0.85, true, "x", beside(loaded("zipf", 1), "bare-cache", drainedRate)},
	{"zipf for 15 s, 1 worker, answers/s ÷ bare-cache", 0.9, true, "x",
		beside(place{dist: "zipf", workers: 1, c: 512, servers: 1, long: true}, "bare-cache", drainedRate)},
	{"zipf, 2 workers, answers/s ÷ bare-cache", 0, true, "x", beside(loaded("zipf", 2), "bare-cache", drainedRate)},
	{"one key, 1 worker, answers/s ÷ bare-cache", 1, true, "x", beside(loaded("same", 1), "bare-cache", drainedRate)},
	{"4,000 queries/s whoever has answered, gateway 20 to 30 ms, p99 ÷ bare", 1.6, false, "x",
		beside(place{dist: "unique", workers: 1, latency: 20, jitter: 10, servers: 1, rate: 4000}, "bare", "p99_ms")},
	{"10,000 askers, unique keys, answers/s ÷ bare", 0.65, true, "x",
		beside(place{dist: "unique", workers: 1, c: 10_000, servers: 1}, "bare", drainedRate)},
	{"calls beyond the first for a key, the most in any run", 0, false, "calls", worst("dup_calls")},
	{"queries without an answer, the most in any run", 0, false, "queries", worst("unanswered")},
	{"messages still owed a minute after the last answer, the most in any run", 0, false, "messages", worst("owed")},
	{"one asker, unique keys, p50 ÷ bare", 2, false, "x",
		beside(place{dist: "unique", workers: 1, c: 1, servers: 1}, "bare", "p50_ms")},
	{"submitted and durably replied ÷ own awaiting door, answers/s", 0.7, true, "x", func(r *results) []float64 {
		at := r.at[loaded("unique", 1)]
		return ratios(at[mine+"-submit"], at[mine], drainedRate)
	}},
	{"cluster of three, sync_interval always, unique keys, answers/s", 2000, true, "/s", func(r *results) []float64 {
		return figures(r.at[synced(1)][mine], drainedRate)
	}},
	{"three servers, every write synced, 1 worker, answers/s ÷ first core", 1.5, true, "x",
		beside(synced(1), firstCore, drainedRate)},
	{"three servers, every write synced, 3 workers, answers/s ÷ first core", 0, true, "x",
		beside(synced(3), firstCore, drainedRate)},
	{"one server, sync_interval always ÷ default, answers/s", 0, true, "x", func(r *results) []float64 {
		return ratios(r.at[place{dist: "unique", workers: 1, c: 512, servers: 1, sync: "always"}][mine],
			r.at[loaded("unique", 1)][mine], drainedRate)
	}},
	{"idle worker, RSS in MB", 30, false, "MB",
		func(r *results) []float64 { return figures(r.at[loaded("unique", 1)][mine], "worker_idle_rss_mb") }},
	{"idle worker, CPU in % of a core", 0.5, false, "%",
		func(r *results) []float64 { return figures(r.at[resting][mine], "worker_idle_cpu_pct") }},
	{"worker with 1,000,000 remembered keys in the stream, RSS in MB", 96, false, "MB",
		func(r *results) []float64 { return figures(r.at[remembering(1e6)][mine], "worker_filled_rss_mb") }},
	{"answers/s with 1,000,000 remembered keys ÷ 10,000", 0.9, true, "x", growth(drainedRate)},
	{"p99 with 1,000,000 remembered keys ÷ 10,000", 1.15, false, "x", growth("p99_ms")},
	{"start with 1,000,000 remembered keys to first answer, ms", 1500, false, "ms",
		func(r *results) []float64 { return figures(r.at[remembering(1e6)][mine], "restart_ms") }},
	{"worker start to first answer, ms", 300, false, "ms",
		func(r *results) []float64 { return figures(r.at[loaded("unique", 1)][mine], "start_ms") }},
	{"p99 of those who waited as a worker was killed, ms (lease 4 s, call time-out 2 s)", 10_000, false, "ms",
		func(r *results) []float64 {
			return figures(r.at[place{dist: "unique", workers: 2, c: 512, latency: 100, servers: 1,
				killAt: 1}][mine+"-short"], "after_death_p99_ms")
		}},
	{"worker stop when idle, ms", 200, false, "ms",
		func(r *results) []float64 { return figures(r.at[loaded("unique", 1)][mine], "stop_ms") }},
}

// loaded is the place of most bars: 512 askers, a gateway without latency, one server with its
// defaults.
func loaded(dist string, workers float64) place {
	return place{dist: dist, workers: workers, c: 512, servers: 1}
}

// synced is three servers that write to disk before each acknowledgement.
func synced(workers float64) place {
	p := loaded("unique", workers)
	p.servers, p.sync = 3, "always"
	return p
}

// resting is the place of a worker that was left idle first.
var resting = place{dist: "unique", workers: 1, c: 8, servers: 1}

func remembering(keys float64) place {
	p := loaded("unique", 1)
	p.remembered = keys
	return p
}

func beside(p place, other, figure string) func(*results) []float64 {
	return func(r *results) []float64 { return ratios(r.at[p][mine], r.at[p][other], figure) }
}

func growth(figure string) func(*results) []float64 {
	return func(r *results) []float64 {
		return ratios(r.at[remembering(1e6)][mine], r.at[remembering(1e4)][mine], figure)
	}
}

// worst is the largest figure of any run of protocolq, by either door: where even one is too many,
// a median says nothing.
func worst(figure string) func(*results) []float64 {
	return func(r *results) []float64 {
		var v []float64
		for _, at := range r.at {
			for _, ct := range []string{mine, mine + "-submit"} {
				v = append(v, figures(at[ct], figure)...)
			}
		}
		return largest(v)
	}
}

// bound is the bar as the table shows it.
func (b bar) bound() string {
	switch {
	case !b.atLeast:
		return "≤ " + b.say(b.limit)
	case b.limit > 0:
		return "≥ " + b.say(b.limit)
	}
	return ""
}

// reached reports whether the figure is on the good side of the bar.
func (b bar) reached(value float64) bool {
	if b.atLeast {
		return value >= b.limit
	}
	return value <= b.limit
}

// writeBars prints the table and returns how many bars were measured and how many of them reached.
func writeBars(w io.Writer, res *results) (measured, reached int) {
	fmt.Fprint(w,
		"| measure | bar | median | worst to best round | rounds | reached |\n|---|---:|---:|---:|---:|---|\n")
	for _, b := range bars {
		v := b.figure(res)
		m, ok := median(v)
		if !ok {
			fmt.Fprintf(w, "| %s | %s | | | 0 | not measured |\n", b.measure, b.bound())
			continue
		}
		verdict := ""
		if b.bound() != "" {
			measured++
			verdict = "no"
			if b.reached(m) {
				verdict = "yes"
				reached++
			}
		}
		low, high := limits(v)
		if !b.atLeast {
			low, high = high, low
		}
		fmt.Fprintf(w, "| %s | %s | %s | %s to %s | %d | %s |\n", b.measure, b.bound(), b.say(m), b.say(low),
			b.say(high), len(v), verdict)
	}
	return measured, reached
}

// say prints a figure in its unit.
func (b bar) say(v float64) string {
	if b.unit == "x" || b.unit == "%" {
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf("%.0f", v)
}
