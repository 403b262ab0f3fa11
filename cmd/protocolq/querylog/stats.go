// protocolq log stats: sums by hour and partner, with a small chart.

package querylog

import (
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"protocolq/cmd/protocolq/cli"
	"protocolq/cmd/protocolq/logdb"
	"protocolq/cmd/protocolq/settings"
	"protocolq/worker/querylog/database"
)

func newLogStats() *cobra.Command {
	cfg, f := &settings.Config{}, &logFilter{}
	set := settings.New(cfg, "database")
	c := &cobra.Command{
		Use:   "stats",
		Short: "Sum up by hour and partner: asked, called, saved, outcomes, times",
		Long: `Sums up the last 24 hours, or the given span, by whole hours: how many asked, how often the gateway was
called for them, how many calls were saved by joining and remembering, the outcomes, and how long asks
and calls took (percentiles within an eighth). The sums are kept with every row: no row is counted.`,
		Example: `  protocolq log stats --since 7d -o csv`,
		Args:    cobra.NoArgs,
	}
	set.AddFlags(c.Flags())
	set.FindDev(c)
	f.addSpan(c.Flags())
	c.Flags().StringVar(&f.partner, "partner", "", "only of this partner, 2088 and 12 digits")
	out := cli.AddRows(c, cli.RowsText)
	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := set.Load(c.Flags(), cfg.NeedDatabase); err != nil {
			return err
		}
		if err := f.resolve(nil); err != nil {
			return err
		}
		return runLogStats(c, cfg, f.filter, *out)
	}
	return c
}

func runLogStats(c *cobra.Command, cfg *settings.Config, f database.Filter, out cli.Rows) error {
	now := time.Now()
	if f.Since.IsZero() {
		f.Since = now.Add(-24 * time.Hour)
	}
	span := wholeHours(f.Since, f.Until, now.Location())
	if f.Until.IsZero() {
		f.Until = now.Add(time.Hour)
	}
	db, err := logdb.OpenForReading(c.Context(), cfg.Database)
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
	case cli.RowsJSON:
		return cli.PrintJSON(w, s)
	case cli.RowsLines:
		for i := range s.Hours {
			if err := cli.PrintJSON(w, &s.Hours[i]); err != nil {
				return err
			}
		}
		return nil
	case cli.RowsCSV:
		return statsCSV(w, &s)
	}
	if len(s.Hours) == 0 {
		fmt.Fprintln(c.ErrOrStderr(), "nothing was asked "+span)
		return nil
	}
	fmt.Fprintln(w, span)
	return logdb.PrintSums(w, &s, now.Location())
}

// wholeHours says which span is really summed up: the sums are by whole hours. until may be zero.
func wholeHours(since, until time.Time, zone *time.Location) string {
	const minute = "2006-01-02 15:04 MST" // not the hour alone: in some zones it begins at half past
	text := "since " + since.Truncate(time.Hour).In(zone).Format(minute)
	if !until.IsZero() {
		text += " until " + until.Add(time.Hour-1).Truncate(time.Hour).In(zone).Format(minute)
	}
	return text + ", by whole hours"
}

var statsColumns = []string{"hour", "partner", "asked", "called", "saved", "joined", "remembered", "cut", "signed",
	"not_signed", "abnormal", "refused", "unknown",
	"ask_p50_ms", "ask_p95_ms", "ask_p99_ms", "call_p50_ms", "call_p95_ms", "call_p99_ms"}

func statsCSV(w io.Writer, s *database.Stats) error {
	p, err := cli.NewCSV(w, statsColumns)
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
		err = p.Row(cells)
	}
	if err != nil {
		return err
	}
	return p.Flush()
}
