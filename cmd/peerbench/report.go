// Report: the results as markdown, the bars first, then each cell with its medians.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
)

func reportCommand(_ context.Context, args []string) error {
	f := flag.NewFlagSet("peerbench report", flag.ExitOnError)
	in := f.String("in", "results.jsonl", "file")
	tag := f.String("tag", "", "only lines with this tag")
	base := f.String("base", "micro-kv", "contestant that the cells' ratios are to")
	onlyBars := f.Bool("bars", false, "print the bars alone")
	onlyCells := f.Bool("cells", false, "print the cells alone")
	_ = f.Parse(args) // ends the program itself
	rows, err := readLines(*in)
	if err != nil {
		return err
	}
	return report(os.Stdout, gather(rows, *tag), *base, !*onlyCells, !*onlyBars)
}

func report(w io.Writer, res *results, base string, withBars, withCells bool) error {
	if len(res.at) == 0 {
		return errors.New("no results")
	}
	if withBars {
		measured, reached := writeBars(w, res)
		fmt.Fprintf(w, "\n%d of %d measured bars reached.", reached, measured)
		if noise := ratios(res.at[loaded("unique", 1)][again], res.at[loaded("unique", 1)]["bare"],
			drainedRate); len(noise) > 0 {
			m, _ := median(noise)
			low, high := limits(noise)
			fmt.Fprintf(w, " Noise: bare ÷ itself is %.2f (%.2f to %.2f).", m, low, high)
		}
		fmt.Fprintln(w)
	}
	if withCells {
		writeCells(w, res, base)
	}
	if res.failed > 0 {
		fmt.Fprintf(w, "\n%d runs failed and are left out.\n", res.failed)
	}
	return nil
}

func writeCells(w io.Writer, res *results, base string) {
	for _, p := range slices.SortedFunc(maps.Keys(res.at), before) {
		fmt.Fprintf(w, "\n### %s\n\n", p)
		fmt.Fprintf(w,
			"| contestant | answers/s until drained | ÷ %s | until answered | drained after s | p50 ms | p99 ms | "+
				"p999 ms | no answer %% | calls per key | twice | most for one key | worker CPU µs/answer | recorder "+
				"| nats | peak RSS MB | rounds |\n", base)
		fmt.Fprintln(w, "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|")
		for _, ct := range res.order {
			rows := res.at[p][ct]
			if len(rows) == 0 {
				continue
			}
			m := func(name string) float64 { v, _ := median(figures(rows, name)); return v }
			ratio := ""
			if v, ok := median(ratios(rows, res.at[p][base], drainedRate)); ok {
				ratio = fmt.Sprintf("%.2f", v)
			}
			fmt.Fprintf(w,
				"| %s | %.0f | %s | %.0f | %.2f | %.1f | %.1f | %.1f | %.2f | %.3f | %.0f | %.0f | %.0f | %.0f | "+
					"%.0f | %.0f | %d |\n", ct,
				m(drainedRate), ratio, m("answered_per_second"), m("drained_s")-m("wall_s"), m("p50_ms"), m("p99_ms"),
				m("p999_ms"), m("no_answer_pct"), m("calls_per_key"), m("dup_calls"), m("max_calls_one_key"),
				m("worker_cpu_us_per_answer"), m("recorder_us"), m("nats_us"), m("worker_peak_rss_mb"), len(rows))
		}
	}
}

func (p place) String() string {
	askers := fmt.Sprintf("%g askers", p.c)
	if p.rate > 0 {
		askers = fmt.Sprintf("%g queries/s", p.rate)
	}
	s := fmt.Sprintf("%s, %g worker(s), %s, gateway %g ms", p.dist, p.workers, askers, p.latency)
	if p.jitter > 0 {
		s += fmt.Sprintf(" to %g ms", p.latency+p.jitter)
	}
	if p.killAt > 0 {
		s += fmt.Sprintf(", a worker killed after %g s", p.killAt)
	}
	if p.long {
		s += fmt.Sprintf(", %d s and more", longFrom)
	}
	if p.servers > 1 {
		s += fmt.Sprintf(", cluster of %g", p.servers)
	}
	if p.sync != "" {
		s += ", sync_interval " + p.sync
	}
	if p.remembered > 0 {
		s += fmt.Sprintf(", %.0f remembered", p.remembered)
	}
	return s
}

// before is the order of the tables: plain places first, unique keys before others.
func before(a, b place) int {
	rank := map[string]int{"unique": 0, "zipf": 1, "same": 2}
	long := map[bool]int{true: 1}
	return cmp.Or(cmp.Compare(a.rate, b.rate), cmp.Compare(long[a.long], long[b.long]), cmp.Compare(a.killAt, b.killAt),
		cmp.Compare(a.servers, b.servers), cmp.Compare(a.sync, b.sync), cmp.Compare(a.remembered, b.remembered),
		cmp.Compare(a.latency, b.latency), cmp.Compare(a.jitter, b.jitter), cmp.Compare(a.workers, b.workers),
		cmp.Compare(a.c, b.c), cmp.Compare(rank[a.dist], rank[b.dist]))
}
