// What is run, and in which order.
package main

import (
	"maps"
	"slices"
	"testing"
)

func TestPlansAreWhole(t *testing.T) {
	seen := map[string]bool{}
	for _, name := range planNames() {
		for _, c := range planned[name] {
			if seen[c.String()] {
				t.Errorf("%s: %s is measured twice", name, c)
			}
			seen[c.String()] = true
			if len(c.contestants) == 0 {
				t.Errorf("%s: nobody in %s", name, c)
			}
			for _, ct := range c.contestants {
				o := options{contestant: ct}
				if _, err := o.pick(); err != nil {
					t.Error(err)
				}
			}
			var o options
			if err := o.flagSet().Parse(c.flags()); err != nil {
				t.Fatal(err)
			}
			if err := o.validate(); err != nil {
				t.Errorf("%s: %v", c, err)
			}
		}
	}
}

// Each bar finds its figure in what the plans measure.
func TestEveryBarIsPlanned(t *testing.T) {
	cells, err := plans(planNames())
	if err != nil {
		t.Fatal(err)
	}
	var rows []row
	for _, c := range cells {
		for _, ct := range c.contestants {
			rows = append(rows, row{"contestant": ct, "dist": c.dist, "workers": float64(c.workers), "c": float64(c.c), "gw_latency_ms": float64(c.latency.Milliseconds()),
				"rate": float64(c.rate), "gw_jitter_ms": float64(c.jitter.Milliseconds()), "max_s": c.max.Seconds(), "owed": 0.0, "servers": float64(c.servers), "sync": c.sync, "remembered": float64(c.remembered), "round": 0.0,
				"kill_at_s": c.killAt.Seconds(), "after_death_p99_ms": 1.0, "worker_idle_cpu_pct": 1.0, "restart_ms": 1.0,
				"issued": 1.0, "dup_calls": 0.0, "worker_idle_rss_mb": 1.0, "worker_filled_rss_mb": 1.0, "start_ms": 1.0, "stop_ms": 1.0,
				"drained_per_second": 1.0, "p50_ms": 1.0, "p99_ms": 1.0, "worker_cpu_us_per_answer": 1.0})
		}
	}
	res := gather(rows, "")
	for _, b := range bars {
		if len(b.figure(res)) == 0 {
			t.Errorf("no plan measures %q", b.measure)
		}
	}
}

func TestOrderIsBySeed(t *testing.T) {
	c := planned["bars"][0]
	orders := map[string]int{}
	for seed := range uint64(4) {
		for round := range 5 {
			s := schedule{seed: seed}
			got := s.order(round, c)
			if !slices.Equal(got, s.order(round, c)) {
				t.Fatal("one seed, two orders")
			}
			if !slices.Equal(slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(c.contestants))) {
				t.Fatalf("order %v of %v", got, c.contestants)
			}
			orders[got[0]]++
		}
	}
	if len(orders) < 3 {
		t.Errorf("20 rounds began with %v only", slices.Collect(maps.Keys(orders)))
	}
}

func TestParseRounds(t *testing.T) {
	s, err := parseRounds([]string{"-contestants", "bare,protocolq@/tmp/old", "-dists", "zipf,same", "-workers", "1,2", "-external", `mine -worker-cmd "x y"`})
	if err != nil || len(s.cells) != 4 || s.cells[3].String() != "same 2w 512c 0s" || !slices.Equal(s.cells[0].contestants, []string{"bare", "protocolq@/tmp/old", "mine"}) {
		t.Errorf("%+v, %v", s.cells, err)
	}
	for _, wrong := range [][]string{{"-contestants", "nobody"}, {"-contestants", "bare", "-workers", "x"}, {"-contestants", "bare", "-latencies", "3"}, {"-plan", "none"}} {
		if _, err := parseRounds(wrong); err == nil {
			t.Errorf("%v was taken", wrong)
		}
	}
}

func TestPick(t *testing.T) {
	o := options{contestant: "protocolq@/tmp/old"}
	if ct, err := o.pick(); err != nil || o.protocolq != "/tmp/old" || ct.beside == "" {
		t.Errorf("%+v with %s, %v", ct, o.protocolq, err)
	}
	o = options{contestant: "protocolq-submit#2", noRecorder: true}
	if ct, err := o.pick(); err != nil || o.protocolq != "bin/protocolq" || ct.beside != "" || ct.ingest != js || ct.replyBy != byField {
		t.Errorf("%+v with %s, %v", ct, o.protocolq, err)
	}
	for _, wrong := range []options{{contestant: "nobody"}, {contestant: "x", workerCmd: " "}, {contestant: "bare", ingest: "y"}, {contestant: "watermill", replyBy: "z"}} {
		if _, err := wrong.pick(); err == nil {
			t.Errorf("%+v was taken", wrong)
		}
	}
}
