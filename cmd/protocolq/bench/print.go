// What protocolq bench shows: the line of each second, the result, and its charts.

package bench

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"protocolq/cmd/protocolq/bench/load"
	"protocolq/cmd/protocolq/cli"
)

// tellSecond overwrites the line of the previous second.
func tellSecond(w io.Writer, s load.Second, span time.Duration) {
	unanswered := ""
	if s.Unanswered > 0 {
		unanswered = ", " + cli.Grouped(s.Unanswered) + " unanswered"
	}
	fmt.Fprintf(w, "\r\x1b[K%ds of %s: %s answers, p50 %s, p99 %s, max %s%s", s.N, cli.Short(span),
		cli.Grouped(s.Answered),
		latencyText(s.Latency.P50), latencyText(s.Latency.P99), latencyText(s.Latency.Max), unanswered)
}

func (f *benchFlags) print(c *cobra.Command, r *load.Result) error {
	w := c.OutOrStdout()
	switch f.out {
	case cli.RowsJSON:
		return cli.PrintJSON(w, r)
	case cli.RowsCSV:
		return benchCSV(w, r)
	}
	if err := tellBench(w, r); err != nil {
		return err
	}
	if f.chart == "always" || f.chart == "auto" && cli.IsTerminal(w) {
		return chartBench(w, r)
	}
	return nil
}

func tellBench(w io.Writer, r *load.Result) error {
	t := cli.NewTable(w)
	line := func(name, format string, args ...any) { t.Row(name, fmt.Sprintf(format, args...)) }
	sums := func(name string, m map[string]int64) {
		if len(m) > 0 {
			line(name, "%s", cli.SumsText(m))
		}
	}
	line("load", "%s, door %s", r.Settings["load"], r.Settings["door"])
	if r.RateAsked > 0 {
		line("rate", "%s asked, %s sent, %s answered a second", rateText(r.RateAsked), rateText(r.RateSent),
			rateText(r.Rate))
	} else {
		line("rate", "%s answered a second, %s askers", rateText(r.Rate), r.Settings["askers"])
	}
	line("asks", "%s sent, %s answered, %s unanswered, in %.1fs", cli.Grouped(r.Asked), cli.Grouped(r.Answered),
		cli.Grouped(r.Unanswered), r.Seconds)
	sums("errors", r.Errors)
	sums("outcomes", r.Outcomes)
	sums("sources", r.Sources)
	sums("codes", r.Codes)
	l := r.Latency
	line("latency", "p50 %s  p90 %s  p99 %s  p99.9 %s  p99.99 %s  max %s", latencyText(l.P50), latencyText(l.P90),
		latencyText(l.P99),
		latencyText(l.P999), latencyText(l.P9999), latencyText(l.Max))
	if r.RateAsked > 0 {
		line("sent late", "p50 %s  p99 %s  max %s (a part of the latency)", latencyText(r.Late.P50),
			latencyText(r.Late.P99), latencyText(r.Late.Max))
	}
	if r.Unsent > 0 {
		line("never sent", "%s were due while too many were outstanding: the latency counts their time until the end",
			cli.Grouped(r.Unsent))
	}
	if r.Cut {
		line("cut", "ended early; %s were still on their way", cli.Grouped(r.Outstanding))
	}
	return t.Flush()
}

// Widths of a chart: with its text it fits in eighty columns.
const (
	benchBar   = 50
	benchSpark = 60
)

// chartBench draws latency by percentile, on a logarithmic scale, and how the run went over time.
func chartBench(w io.Writer, r *load.Result) error {
	l := r.Latency
	if l.Max == 0 {
		return nil
	}
	var b strings.Builder
	b.WriteString("\nlatency by percentile (logarithmic)\n")
	least := math.Log(float64(max(l.P50, 1)) / 2)
	scale := float64(benchBar) / max(math.Log(float64(l.Max))-least, 0.1)
	for _, p := range []struct {
		name string
		us   int64
	}{{"p50", l.P50}, {"p90", l.P90}, {"p99", l.P99}, {"p99.9", l.P999}, {"p99.99", l.P9999}, {"max", l.Max}} {
		n := int((math.Log(float64(max(p.us, 1))) - least) * scale)
		fmt.Fprintf(&b, "%7s  %8s  %s\n", p.name, latencyText(p.us), strings.Repeat("█", min(max(n, 1), benchBar)))
	}
	if len(r.Each) > 1 {
		fmt.Fprintf(&b, "\nover %d s, each column a part of the highest\n", len(r.Each))
		spark(&b, "answers/s", r.Each, func(s *load.Second) int64 { return s.Answered }, cli.Grouped)
		spark(&b, "p50", r.Each, func(s *load.Second) int64 { return s.Latency.P50 }, latencyText)
		spark(&b, "p99", r.Each, func(s *load.Second) int64 { return s.Latency.P99 }, latencyText)
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write output: %w", err)
	}
	return nil
}

// spark draws one column for each second; in a long run a column is the highest of several.
func spark(b *strings.Builder, name string, each []load.Second, of func(*load.Second) int64, text func(int64) string) {
	per := (len(each) + benchSpark - 1) / benchSpark
	var columns []int64
	low, high := int64(math.MaxInt64), int64(0)
	for i := range each {
		v := of(&each[i])
		low, high = min(low, v), max(high, v)
		if i%per == 0 {
			columns = append(columns, 0)
		}
		columns[i/per] = max(columns[i/per], v)
	}
	fmt.Fprintf(b, "%9s  ", name)
	for _, v := range columns {
		b.WriteRune([]rune("▁▂▃▄▅▆▇█")[v*7/max(high, 1)])
	}
	fmt.Fprintf(b, "  %s to %s\n", text(low), text(high))
}

var benchColumns = []string{"second", "asked", "answered", "unanswered", "p50_us", "p90_us", "p99_us", "p99_9_us",
	"p99_99_us", "max_us"}

// benchCSV writes a row for each second and one for all.
func benchCSV(w io.Writer, r *load.Result) error {
	p, err := cli.NewCSV(w, benchColumns)
	row := func(name string, asked, answered, unanswered int64, l load.Latency) {
		cells := []string{name}
		for _, n := range []int64{asked, answered, unanswered, l.P50, l.P90, l.P99, l.P999, l.P9999, l.Max} {
			cells = append(cells, strconv.FormatInt(n, 10))
		}
		err = cmp.Or(err, p.Row(cells))
	}
	for i := range r.Each {
		s := &r.Each[i]
		row(strconv.Itoa(s.N), s.Asked, s.Answered, s.Unanswered, s.Latency)
	}
	row("all", r.Asked, r.Answered, r.Unanswered, r.Latency)
	if err != nil {
		return err
	}
	return p.Flush()
}

// latencyText writes microseconds to three digits.
func latencyText(us int64) string {
	d := time.Duration(us) * time.Microsecond
	switch {
	case d >= 10*time.Second:
		return d.Round(100 * time.Millisecond).String()
	case d >= time.Second:
		return d.Round(10 * time.Millisecond).String()
	case d >= 100*time.Millisecond:
		return d.Round(time.Millisecond).String()
	case d >= 10*time.Millisecond:
		return d.Round(100 * time.Microsecond).String()
	case d >= time.Millisecond:
		return d.Round(10 * time.Microsecond).String()
	}
	return d.String()
}

func rateText(rate float64) string {
	if rate < 10 {
		return strconv.FormatFloat(rate, 'g', 3, 64)
	}
	return cli.Grouped(int64(math.Round(rate)))
}
