// Plan: the cells of the tables, each with the contestants that it compares.
package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"
)

// cell is one load in one world; its contestants run one after another.
type cell struct {
	dist            string
	workers, c      int
	rate            int // queries a second, instead of c
	latency, jitter time.Duration
	timeout, max    time.Duration // if they are not the bench's own
	// when the first worker dies, how long the workers rest before the load; 0: not at all
	killAt, idle time.Duration
	servers      int    // 3 is a cluster, anything else one server
	sync         string // of the servers
	remembered   int
	once         bool // only in the first round: its counts need no median
	contestants  []string
}

func (c cell) String() string {
	s := fmt.Sprintf("%s %dw %dc %v", c.dist, c.workers, c.c, c.latency)
	if c.rate > 0 {
		s = fmt.Sprintf("%s %dw %d/s %v", c.dist, c.workers, c.rate, c.latency)
	}
	if c.jitter > 0 {
		s += fmt.Sprintf("+%v", c.jitter)
	}
	if c.max > 0 {
		s += fmt.Sprintf(" for %v", c.max)
	}
	if c.killAt > 0 {
		s += fmt.Sprintf(" kill %v", c.killAt)
	}
	if c.idle > 0 {
		s += fmt.Sprintf(" idle %v", c.idle)
	}
	if c.servers > 1 {
		s += fmt.Sprintf(" R%d", c.servers)
	}
	if c.sync != "" {
		s += " " + c.sync
	}
	if c.remembered > 0 {
		s += fmt.Sprintf(" %d keys", c.remembered)
	}
	return s
}

// flags are the cell's own, for the command cell. Zero values keep the command's defaults.
func (c cell) flags() []string {
	f := []string{"-dist", c.dist, "-workers", strconv.Itoa(c.workers), "-latency", c.latency.String()}
	add := func(given bool, name, value string) {
		if given {
			f = append(f, name, value)
		}
	}
	add(c.c > 0, "-c", strconv.Itoa(c.c))
	add(c.rate > 0, "-rate", strconv.Itoa(c.rate))
	add(c.jitter > 0, "-jitter", c.jitter.String())
	add(c.timeout > 0, "-timeout", c.timeout.String())
	add(c.max > 0, "-max", c.max.String())
	add(c.killAt > 0, "-kill-at", c.killAt.String())
	add(c.idle > 0, "-idle", c.idle.String())
	add(c.servers > 1, "-servers", strconv.Itoa(c.servers))
	add(c.sync != "", "-sync", c.sync)
	add(c.remembered > 0, "-remembered", strconv.Itoa(c.remembered))
	return f
}

// again is the baseline once more under a second name: its distance from itself shows the precision
// of the other ratios.
const again = "bare#2"

var planned = map[string][]cell{
	// What the bars are about.
	"bars": {
		{dist: "unique", workers: 1, c: 512,
			contestants: []string{"bare", again, "micro-kv", "protocolq", "protocolq-submit", "watermill-cache"}},
		{dist: "unique", workers: 2, c: 512, contestants: []string{"bare", "micro-kv", "protocolq"}},
		{dist: "zipf", workers: 1, c: 512, contestants: []string{"bare-cache", "micro-kv", "protocolq"}},
		{dist: "zipf", workers: 2, c: 512, contestants: []string{"bare-cache", "micro-kv", "protocolq"}},
		{dist: "same", workers: 1, c: 512,
			contestants: []string{"bare-cache", "micro-kv", "protocolq", "watermill-cache"}},
		{dist: "unique", workers: 1, c: 1, contestants: []string{"bare", "micro-kv", "protocolq"}},
	},
	// Zipf, long enough that most answers come from memory.
	"long": {
		{dist: "zipf", workers: 1, c: 512, max: 15 * time.Second,
			contestants: []string{"bare-cache", "micro-kv", "protocolq"}},
	},
	// Many askers: more than there is room for at once, at a rate that no slowness lowers, before four
	// workers. A query behind 10,000 others waits for seconds, and counts with its answer.
	"crowd": {
		{dist: "unique", workers: 1, rate: 4000, latency: 20 * time.Millisecond, jitter: 10 * time.Millisecond,
			timeout: 30 * time.Second, contestants: []string{"bare", "micro-kv", "protocolq"}},
		{dist: "unique", workers: 1, c: 10_000, timeout: 30 * time.Second, contestants: []string{"bare", "protocolq"}},
		{dist: "unique", workers: 4, c: 512, contestants: []string{"micro-kv", "protocolq"}},
	},
	// Loads for which only the calls are counted.
	"duplicates": duplicates(),
	// The cost of syncing each write, on one server and on three. With a slow disk 512 askers wait
	// longer than the bench's own two seconds.
	"durable": {
		{dist: "unique", workers: 1, c: 512, sync: "always", timeout: 30 * time.Second,
			contestants: []string{"protocolq", "micro-kv"}},
		{dist: "unique", workers: 1, c: 512, servers: 3, sync: "always", timeout: 30 * time.Second,
			contestants: []string{"protocolq", "micro-kv", firstCore}},
		{dist: "unique", workers: 3, c: 512, servers: 3, sync: "always", timeout: 30 * time.Second,
			contestants: []string{"protocolq", firstCore}},
	},
	// A worker dies during calls and is started again; an asker whose query had reached only that
	// worker waits in vain.
	"death": {
		{dist: "unique", workers: 2, c: 512, latency: 100 * time.Millisecond, killAt: time.Second,
			timeout: 30 * time.Second, contestants: []string{"protocolq-short"}},
	},
	// The cost of an idle worker.
	"idle": {
		{dist: "unique", workers: 1, c: 8, idle: 20 * time.Second, contestants: []string{"protocolq"}},
	},
	// The cost of many remembered answers.
	"growth": {
		{dist: "unique", workers: 1, c: 512, remembered: 10_000, contestants: []string{"protocolq"}},
		{dist: "unique", workers: 1, c: 512, remembered: 1_000_000, contestants: []string{"protocolq"}},
	},
}

// duplicates are the loads that repeat keys, on one to three workers, and unique keys on three,
// unless the bars have them.
func duplicates() (cells []cell) {
	for _, latency := range []time.Duration{0, 20 * time.Millisecond} {
		for _, dist := range []string{"unique", "zipf", "same"} {
			for workers := 1; workers <= 3; workers++ {
				if latency == 0 && workers < 3 && !(dist == "same" && workers == 2) {
					continue
				}
				cells = append(cells, cell{dist: dist, workers: workers, c: 512, latency: latency, once: true,
					contestants: []string{"protocolq"}})
			}
		}
	}
	return cells
}

func planNames() []string { return slices.Sorted(maps.Keys(planned)) }

// plans puts the named plans together.
func plans(names []string) (cells []cell, err error) {
	for _, name := range names {
		if planned[name] == nil {
			err = errors.Join(err, fmt.Errorf("no such -plan %q", name))
		}
		cells = append(cells, planned[name]...)
	}
	if len(cells) == 0 {
		err = errors.Join(err, errors.New("nothing to run"))
	}
	return cells, err
}

// cross makes a cell for each combination.
func cross(contestants, dists, latencies, callers, workers []string) (cells []cell, err error) {
	for _, latency := range latencies {
		for _, w := range workers {
			for _, c := range callers {
				for _, dist := range dists {
					d, bad := time.ParseDuration(latency)
					err = errors.Join(err, bad)
					nw, bad := strconv.Atoi(w)
					err = errors.Join(err, bad)
					nc, bad := strconv.Atoi(c)
					err = errors.Join(err, bad)
					cells = append(cells, cell{dist: dist, workers: nw, c: nc, latency: d, contestants: contestants})
				}
			}
		}
	}
	return cells, err
}
