// What the tables are computed from: medians, ratios within a round, bars, and which lines count.
package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		of   []float64
		want float64
		ok   bool
	}{
		{nil, 0, false}, {[]float64{3}, 3, true}, {[]float64{9, 1, 5}, 5, true}, {[]float64{4, 1, 2, 100}, 3, true},
	} {
		before := slices.Clone(c.of)
		if got, ok := median(c.of); got != c.want || ok != c.ok {
			t.Errorf("median of %v is %v, %v", c.of, got, ok)
		}
		if !slices.Equal(before, c.of) {
			t.Error("median sorted its caller's list")
		}
	}
}

func TestQuantile(t *testing.T) {
	sorted := []float64{1, 2, 3, 4}
	if quantile(nil, .5) != 0 || quantile(sorted, .5) != 3 || quantile(sorted, 1) != 4 || quantile(sorted, 0) != 1 {
		t.Error("quantiles of 1 to 4")
	}
}

// A round in which the machine was half as fast halves both figures: the ratio stays.
func TestRatiosOnlyWithinARound(t *testing.T) {
	us := []row{{"round": 0.0, "x": 50.0}, {"round": 1.0, "x": 25.0}, {"round": 2.0, "x": 70.0}}
	them := []row{{"round": 1.0, "x": 50.0}, {"round": 0.0, "x": 100.0}, {"round": 3.0, "x": 1.0}}
	if got := ratios(us, them, "x"); !slices.Equal(got, []float64{.5, .5}) {
		t.Errorf("ratios %v", got)
	}
	if got := ratios(us, []row{{"round": 0.0, "x": 0.0}}, "x"); got != nil {
		t.Errorf("divided by nothing: %v", got)
	}
}

func line(ct, dist string, workers, round, perSecond float64, more row) row {
	r := row{"contestant": ct, "dist": dist, "workers": workers, "c": 512.0, "round": round, "drained_per_second": perSecond, "issued": 10.0, "answered": 10.0}
	for k, v := range more {
		r[k] = v
	}
	return r
}

func TestBars(t *testing.T) {
	res := gather([]row{
		line("micro-kv", "unique", 1, 0, 100, nil), line(mine, "unique", 1, 0, 74, nil), line(again, "unique", 1, 0, 205, nil), line("bare", "unique", 1, 0, 200, nil),
		line(firstCore, "unique", 1, 0, 100, row{"servers": 3.0, "sync": "always"}), line(mine, "unique", 1, 0, 140, row{"servers": 3.0, "sync": "always"}),
		line(mine+"-short", "unique", 2, 0, 1, row{"gw_latency_ms": 100.0, "kill_at_s": 1.0, "after_death_p99_ms": 8000.0, "answered": 1.0}),
		line(mine, "unique", 1, 0, 1, row{"c": 8.0, "worker_idle_cpu_pct": 0.25}),
		line("micro-kv", "unique", 2, 0, 100, nil), line(mine, "unique", 2, 0, 100, nil),
		line("bare-cache", "zipf", 1, 0, 8, row{"max_s": 15.0}), line(mine, "zipf", 1, 0, 4, row{"max_s": 15.0, "owed": 2.0}),
		line("bare", "unique", 1, 0, 1, row{"c": 0.0, "rate": 4000.0, "gw_latency_ms": 20.0, "gw_jitter_ms": 10.0, "p99_ms": 40.0}),
		line(mine, "unique", 1, 0, 1, row{"c": 0.0, "rate": 4000.0, "gw_latency_ms": 20.0, "gw_jitter_ms": 10.0, "p99_ms": 60.0}),
		line(mine, "same", 1, 0, 75, row{"dup_calls": 1.0}), line(mine, "unique", 1, 0, 37, row{"sync": "always"}), line(mine, "same", 1, 1, 75, nil), line(mine+"-submit", "unique", 1, 0, 74, row{"answered": 7.0}),
	}, "")
	var b strings.Builder
	if err := report(&b, res, "micro-kv", true, true); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"| unique keys, 1 worker, answers/s ÷ micro-kv | ≥ 1.00 | 0.74 | 0.74 to 0.74 | 1 | no |",
		"| unique keys, 2 workers, answers/s ÷ micro-kv | ≥ 1.00 | 1.00 | 1.00 to 1.00 | 1 | yes |",
		"| three servers, every write synced, 1 worker, answers/s ÷ first core | ≥ 1.50 | 1.40 | 1.40 to 1.40 | 1 | no |",
		"| p99 of those who waited as a worker was killed, ms (lease 4 s, call time-out 2 s) | ≤ 10000 | 8000 |",
		"| idle worker, CPU in % of a core | ≤ 0.50 | 0.25 |",
		"gateway 100 ms, a worker killed after 1 s\n",
		"| zipf for 15 s, 1 worker, answers/s ÷ bare-cache | ≥ 0.90 | 0.50 |",
		"| 4,000 queries/s whoever has answered, gateway 20 to 30 ms, p99 ÷ bare | ≤ 1.60 | 1.50 |",
		"| messages still owed a minute after the last answer, the most in any run | ≤ 0 | 2 |",
		"| zipf, 1 worker, answers/s ÷ bare-cache | ≥ 0.85 | | | 0 | not measured |",
		"| calls beyond the first for a key, the most in any run | ≤ 0 | 1 | 1 to 1 | 1 | no |",
		"| queries without an answer, the most in any run | ≤ 0 | 3 | 3 to 3 | 1 | no |",
		"| submitted and durably replied ÷ own awaiting door, answers/s | ≥ 0.70 | 1.00 |",
		"| one server, sync_interval always ÷ default, answers/s |  | 0.50 | 0.50 to 0.50 | 1 |  |",
		"| idle worker, RSS in MB | ≤ 30 | | | 0 | not measured |",
		"bare ÷ itself is 1.02",
		"### unique, 2 worker(s), 512 askers, gateway 0 ms",
		"### unique, 1 worker(s), 4000 queries/s, gateway 20 ms to 30 ms\n",
		"### zipf, 1 worker(s), 512 askers, gateway 0 ms, 10 s and more\n",
		"| bare | 200 | 2.00 |",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the report lacks %q", want)
		}
	}
	if t.Failed() {
		t.Log(b.String())
	}
}

func TestNoResults(t *testing.T) {
	if err := report(&strings.Builder{}, gather(nil, ""), "bare", true, true); err == nil {
		t.Error("an empty file gave a report")
	}
}

func TestGather(t *testing.T) {
	res := gather([]row{
		line("bare", "unique", 1, 0, 1, row{"build": "old"}),
		line("bare", "unique", 1, 0, 2, row{"build": "new", "tag": "other"}),
		{"cell": "a", "build": "new", "failed": "no answer"},
		line("bare", "unique", 1, 0, 3, row{"build": "new", "cell": "a"}),
		{"cell": "b", "build": "new", "failed": "no answer"},
	}, "")
	if got := figures(res.at[loaded("unique", 1)]["bare"], "drained_per_second"); !slices.Equal(got, []float64{3}) || res.failed != 1 {
		t.Errorf("took %v, %d failed; want the line of this tag and of the last build, and one failure", got, res.failed)
	}
}

func TestResume(t *testing.T) {
	path := filepath.Join(t.TempDir(), "results.jsonl")
	if done, err := finished(path); err != nil || len(done) != 0 {
		t.Fatalf("without a file: %v, %v", done, err)
	}
	if err := os.WriteFile(path, []byte(`{"cell":"a"}`+"\n"+`{"cell":"b","failed":"x"}`+"\n"+`{"cell":"c","per_`), 0o600); err != nil {
		t.Fatal(err)
	}
	done, err := finished(path)
	if err != nil || !done["a"] || done["b"] || done["c"] {
		t.Errorf("done %v, %v: want a alone, b failed and c was cut short", done, err)
	}
}
