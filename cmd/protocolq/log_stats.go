// protocolq log stats: sums by hour and partner, with a small chart.
package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"protocolq/worker/querylog/database"
)

func newLogStats() *cobra.Command {
	cfg, rec, f := &Config{}, &recordConfig{}, &logFilter{}
	set := newSettings(append(cfg.table(), rec.settings()...), "database")
	c := &cobra.Command{
		Use:   "stats",
		Short: "Sum up by hour and partner: asked, called, saved, outcomes, times",
		Long: `Sums up the last 24 hours, or the span said, by whole hours: how many asked, how often the gateway was
called for them, how many calls joining and remembering saved, what came of it, and how long asks and
calls took (percentiles within an eighth). The sums are kept with every row: no row is counted.`,
		Example: `  protocolq log stats --since 7d -o csv`,
		Args:    cobra.NoArgs,
	}
	set.addFlags(c.Flags())
	f.addSpan(c.Flags())
	c.Flags().StringVar(&f.partner, "partner", "", "only of this partner, 2088 and 12 digits")
	out := addRowsOutput(c, rowsText)
	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := set.load(c.Flags(), rec.needDatabase); err != nil {
			return err
		}
		if err := f.resolve(nil); err != nil {
			return err
		}
		return runLogStats(c, rec, f.filter, *out)
	}
	return c
}

func runLogStats(c *cobra.Command, rec *recordConfig, f database.Filter, out rowsOutput) error {
	now := time.Now()
	if f.Since.IsZero() {
		f.Since = now.Add(-24 * time.Hour)
	}
	span := wholeHours(f.Since, f.Until, now.Location())
	if f.Until.IsZero() {
		f.Until = now.Add(time.Hour)
	}
	db, err := rec.openForReading(c.Context())
	if err != nil {
		return err
	}
	defer db.Close()
	s, err := db.Stats(c.Context(), f.Since, f.Until, f.Partner)
	if err != nil {
		return err
	}
	w := c.OutOrStdout()
	switch out {
	case rowsJSON:
		return printJSON(w, s)
	case rowsLines:
		for i := range s.Hours {
			if err := printJSON(w, &s.Hours[i]); err != nil {
				return err
			}
		}
		return nil
	case rowsCSV:
		return statsCSV(w, &s)
	}
	if len(s.Hours) == 0 {
		fmt.Fprintln(c.ErrOrStderr(), "nothing was asked "+span)
		return nil
	}
	fmt.Fprintln(w, span)
	return tellStats(w, &s, now.Location())
}

// wholeHours says what is really summed up: the sums know no less than an hour. until may be zero.
func wholeHours(since, until time.Time, zone *time.Location) string {
	const minute = "2006-01-02 15:04" // not the hour alone: in some zones it begins at half past
	text := "since " + since.Truncate(time.Hour).In(zone).Format(minute)
	if !until.IsZero() {
		text += " until " + until.Add(time.Hour-1).Truncate(time.Hour).In(zone).Format(minute)
	}
	return text + ", by whole hours"
}

var statsColumns = []string{"hour", "partner", "asked", "called", "saved", "joined", "remembered", "cut", "signed", "not_signed", "abnormal", "refused", "unknown",
	"ask_p50_ms", "ask_p95_ms", "ask_p99_ms", "call_p50_ms", "call_p95_ms", "call_p99_ms"}

func statsCSV(w io.Writer, s *database.Stats) error {
	p, err := newCSV(w, statsColumns)
	for i := 0; err == nil && i < len(s.Hours); i++ {
		h := &s.Hours[i]
		cells := []string{time.UnixMilli(h.HourMs).UTC().Format(time.RFC3339), h.Partner}
		for _, n := range []int64{h.Asked, h.Called, h.Saved(), h.Joined, h.Remembered, h.Cut} {
			cells = append(cells, strconv.FormatInt(n, 10))
		}
		for _, o := range logOutcomes {
			cells = append(cells, strconv.FormatInt(h.Outcomes[o], 10))
		}
		for _, ms := range []float64{h.Ask.P50, h.Ask.P95, h.Ask.P99, h.Call.P50, h.Call.P95, h.Call.P99} {
			cells = append(cells, strconv.FormatFloat(ms, 'f', 3, 64))
		}
		err = p.row(cells)
	}
	if err != nil {
		return err
	}
	return p.flush()
}

// chartWidth is the longest bar in characters.
const chartWidth = 30

func tellStats(w io.Writer, s *database.Stats, zone *time.Location) error {
	var most int64 = 1
	for i := range s.Hours {
		most = max(most, s.Hours[i].Asked, s.Hours[i].Called)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "HOUR\tPARTNER\tASKED\tCALLED\tSAVED\tASK P50\tP95\tP99\tCALL P50\tP95\tP99\t█ called ░ asked")
	line := func(name, partner string, h *database.Sums, bar string) {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", name, partner, grouped(h.Asked), grouped(h.Called), grouped(h.Saved()),
			msText(h.Ask.P50), msText(h.Ask.P95), msText(h.Ask.P99), msText(h.Call.P50), msText(h.Call.P95), msText(h.Call.P99), bar)
	}
	for i := range s.Hours {
		h := &s.Hours[i]
		if h.Asked+h.Called+h.Runs > 0 {
			line(time.UnixMilli(h.HourMs).In(zone).Format("2006-01-02 15:04"), dash(h.Partner), h, bar(h.Called, h.Asked, most))
		}
	}
	line("in all", "", &s.Total, "")
	if err := t.Flush(); err != nil {
		return fmt.Errorf("write output: %w", err)
	}
	for _, list := range []struct {
		name string
		sums map[string]int64
	}{{"outcomes", s.Total.Outcomes}, {"codes", s.Total.Codes}, {"codes of calls", s.Total.CallCodes}} {
		if len(list.sums) > 0 {
			fmt.Fprintf(w, "%s: %s\n", list.name, sumsText(list.sums))
		}
	}
	if s.Total.Cut > 0 {
		fmt.Fprintf(w, "calls cut by a worker's death: %s\n", grouped(s.Total.Cut))
	}
	if s.Total.Rejected > 0 {
		fmt.Fprintf(w, "messages that were no lines: %s\n", grouped(s.Total.Rejected))
	}
	return nil
}

// bar is called and, beyond it, asked, of most.
func bar(called, asked, most int64) string {
	width := func(n int64) int { return int((n*chartWidth + most - 1) / most) } // what is there at all is seen
	dark := width(called)
	return strings.Repeat("█", dark) + strings.Repeat("░", max(width(asked)-dark, 0))
}

func msText(ms float64) string {
	if ms == 0 {
		return "-"
	}
	return micros(int64(ms * 1000))
}

// sumsText lists sums, the largest first.
func sumsText(sums map[string]int64) string {
	names := slices.SortedFunc(maps.Keys(sums), func(a, b string) int {
		if sums[a] != sums[b] {
			return int(max(-1, min(1, sums[b]-sums[a])))
		}
		return strings.Compare(a, b)
	})
	parts := make([]string, len(names))
	for i, name := range names {
		parts[i] = printable(name) + " " + grouped(sums[name])
	}
	return strings.Join(parts, ", ")
}
