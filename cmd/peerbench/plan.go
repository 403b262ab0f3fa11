// Plan: which cells make the tables, each with the contestants that it compares.
package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"
)

// cell is one load in one world; its contestants run one after the other.
type cell struct {
	dist        string
	workers, c  int
	latency     time.Duration
	servers     int    // 3 is a cluster, all else one server
	sync        string // of the servers
	remembered  int
	once        bool // in the first round only: what is counted there needs no median
	contestants []string
}

func (c cell) String() string {
	s := fmt.Sprintf("%s %dw %dc %v", c.dist, c.workers, c.c, c.latency)
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

// flags are the cell's own, for the command cell.
func (c cell) flags() []string {
	f := []string{"-dist", c.dist, "-workers", strconv.Itoa(c.workers), "-c", strconv.Itoa(c.c), "-latency", c.latency.String()}
	if c.servers > 1 {
		f = append(f, "-servers", strconv.Itoa(c.servers))
	}
	if c.sync != "" {
		f = append(f, "-sync", c.sync)
	}
	if c.remembered > 0 {
		f = append(f, "-remembered", strconv.Itoa(c.remembered))
	}
	return f
}

// again is the baseline once more under a second name: how far it is from itself says how much the other ratios can.
const again = "bare#2"

var planned = map[string][]cell{
	// What the bars are about.
	"bars": {
		{dist: "unique", workers: 1, c: 512, contestants: []string{"bare", again, "micro-kv", "protocolq", "protocolq-submit", "watermill-cache"}},
		{dist: "unique", workers: 2, c: 512, contestants: []string{"bare", "micro-kv", "protocolq"}},
		{dist: "zipf", workers: 1, c: 512, contestants: []string{"bare-cache", "micro-kv", "protocolq"}},
		{dist: "zipf", workers: 2, c: 512, contestants: []string{"bare-cache", "micro-kv", "protocolq"}},
		{dist: "same", workers: 1, c: 512, contestants: []string{"bare-cache", "micro-kv", "protocolq", "watermill-cache"}},
		{dist: "unique", workers: 1, c: 1, contestants: []string{"bare", "micro-kv", "protocolq"}},
	},
	// Loads under which only the calls are counted.
	"duplicates": duplicates(),
	// What syncing each write costs, on one server and on three.
	"durable": {
		{dist: "unique", workers: 1, c: 512, sync: "always", contestants: []string{"protocolq", "micro-kv"}},
		{dist: "unique", workers: 1, c: 512, servers: 3, sync: "always", contestants: []string{"protocolq"}},
	},
	// What many remembered answers cost.
	"growth": {
		{dist: "unique", workers: 1, c: 512, remembered: 10_000, contestants: []string{"protocolq"}},
		{dist: "unique", workers: 1, c: 512, remembered: 1_000_000, contestants: []string{"protocolq"}},
	},
}

// duplicates are the loads that repeat keys, on one to three workers, and unique keys on three, as far as the bars have them not.
func duplicates() (cells []cell) {
	for _, latency := range []time.Duration{0, 20 * time.Millisecond} {
		for _, dist := range []string{"unique", "zipf", "same"} {
			for workers := 1; workers <= 3; workers++ {
				if latency == 0 && workers < 3 && !(dist == "same" && workers == 2) {
					continue
				}
				cells = append(cells, cell{dist: dist, workers: workers, c: 512, latency: latency, once: true, contestants: []string{"protocolq"}})
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

// cross makes a cell of each combination.
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
