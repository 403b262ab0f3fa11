// Lines: the file of results, read back, and computations over its rounds.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"slices"
)

// row is one line of a file. It stays a map, so that lines of an older or newer bench can be read,
// too.
type row map[string]any

func (r row) number(k string) float64 { v, _ := r[k].(float64); return v }
func (r row) text(k string) string    { v, _ := r[k].(string); return v }

// readLines reads a file. It skips invalid lines, such as the last line of a run that was killed.
func readLines(path string) (rows []row, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	s := bufio.NewScanner(f)
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		var r row
		if json.Unmarshal(s.Bytes(), &r) == nil && r != nil {
			rows = append(rows, r)
		}
	}
	if err := s.Err(); err != nil {
		return rows, fmt.Errorf("read %s: %w", path, err)
	}
	return rows, nil
}

// place is the conditions under which a line was measured.
type place struct {
	dist                                     string
	workers, c, latency, servers, remembered float64
	sync                                     string
	rate, jitter, killAt                     float64
	long                                     bool // long enough that most keys of zipf are known
}

const longFrom = 10 // seconds of sending that count as long

func placeOf(r row) place {
	return place{r.text("dist"), r.number("workers"), r.number("c"), r.number("gw_latency_ms"),
		max(r.number("servers"), 1), r.number("remembered"), r.text("sync"),
		r.number("rate"), r.number("gw_jitter_ms"), r.number("kill_at_s"), r.number("max_s") >= longFrom}
}

// results are the good lines by place and contestant; failed ones are counted.
type results struct {
	at     map[place]map[string][]row
	order  []string // contestants in order of appearance, sorted
	failed int
}

// gather takes the lines with a tag, of the last measured build of protocolq. A failed run that was
// repeated does not count as failed.
func gather(rows []row, tag string) *results {
	res := &results{at: map[place]map[string][]row{}}
	failed := map[string]bool{}
	for _, r := range rows {
		if r.text("tag") != tag || r.text("build") != rows[len(rows)-1].text("build") {
			continue
		}
		failed[r.text("cell")] = r["failed"] != nil
		if r["failed"] != nil {
			continue
		}
		derive(r)
		p, ct := placeOf(r), r.text("contestant")
		if res.at[p] == nil {
			res.at[p] = map[string][]row{}
		}
		res.at[p][ct] = append(res.at[p][ct], r)
		if !slices.Contains(res.order, ct) {
			res.order = append(res.order, ct)
		}
	}
	for _, bad := range failed {
		if bad {
			res.failed++
		}
	}
	slices.Sort(res.order)
	return res
}

// derive adds figures that follow from a line's own.
func derive(r row) {
	issued, answered := r.number("issued"), r.number("answered")
	if issued > 0 {
		r["unanswered"] = issued - answered + r.number("refused")
		r["no_answer_pct"] = 100 * r.number("unanswered") / issued
	}
	if answered > 0 {
		r["nats_us"], r["recorder_us"] = 1e6*r.number("nats_cpu_s")/answered, 1e6*r.number("recorder_cpu_s")/answered
	}
}

// median of an even number of figures is the mean of the two in the middle; of none it is none.
func median(v []float64) (m float64, ok bool) {
	if len(v) == 0 {
		return 0, false
	}
	v = slices.Sorted(slices.Values(v))
	half := len(v) / 2
	if len(v)%2 == 1 {
		return v[half], true
	}
	return (v[half-1] + v[half]) / 2, true
}

// figures reads one figure of each line. A line without it does not count: a 0 that was not
// measured would pass many a bar.
func figures(rows []row, name string) (v []float64) {
	for _, r := range rows {
		if f, ok := r[name].(float64); ok {
			v = append(v, f)
		}
	}
	return v
}

// ratios divides a figure by that of another line of the same round: only within a round was the
// machine the same.
func ratios(over, under []row, figure string) (v []float64) {
	for _, a := range over {
		for _, b := range under {
			f, ok := a[figure].(float64)
			if ok && a.number("round") == b.number("round") && b.number(figure) > 0 {
				v = append(v, f/b.number(figure))
			}
		}
	}
	return v
}

// limits are the smallest and the largest of some figures.
func limits(v []float64) (low, high float64) { return slices.Min(v), slices.Max(v) }

// largest is only the largest figure, or nothing.
func largest(v []float64) []float64 {
	if len(v) == 0 {
		return nil
	}
	return []float64{slices.Max(v)}
}
