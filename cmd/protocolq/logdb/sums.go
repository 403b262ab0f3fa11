// The sums of the query log for a person, with a small chart.

package logdb

import (
	"fmt"
	"io"
	"strings"
	"time"

	"protocolq/cmd/protocolq/cli"
	"protocolq/worker/querylog/database"
)

// chartWidth is the longest bar in characters.
const chartWidth = 30

// PrintSums writes a line for each hour and partner, and the totals.
func PrintSums(w io.Writer, s *database.Stats, zone *time.Location) error {
	var most int64 = 1
	for i := range s.Hours {
		most = max(most, s.Hours[i].Asked, s.Hours[i].Called)
	}
	t := cli.NewTable(w, "HOUR", "PARTNER", "ASKED", "CALLED", "SAVED", "ASK P50", "P95", "P99", "CALL P50", "P95",
		"P99", "█ called ░ asked").Whole("HOUR")
	line := func(name, partner string, h *database.Sums, bar string) {
		t.Row(name, partner, cli.Grouped(h.Asked), cli.Grouped(h.Called), cli.Grouped(h.Saved()),
			msText(h.Ask.P50), msText(h.Ask.P95), msText(h.Ask.P99), msText(h.Call.P50), msText(h.Call.P95),
			msText(h.Call.P99), bar)
	}
	for i := range s.Hours {
		h := &s.Hours[i]
		if h.Asked+h.Called+h.Runs > 0 {
			line(time.UnixMilli(h.HourMs).In(zone).Format("2006-01-02 15:04 MST"), cli.Dash(h.Partner), h,
				bar(h.Called, h.Asked, most))
		}
	}
	line("in all", "", &s.Total, "")
	if err := t.Flush(); err != nil {
		return err
	}
	for _, list := range []struct {
		name string
		sums map[string]int64
	}{{"outcomes", s.Total.Outcomes}, {"codes", s.Total.Codes}, {"codes of calls", s.Total.CallCodes}} {
		if len(list.sums) > 0 {
			fmt.Fprintf(w, "%s: %s\n", list.name, cli.SumsText(list.sums))
		}
	}
	if s.Total.Cut > 0 {
		fmt.Fprintf(w, "calls cut by a worker's death: %s\n", cli.Grouped(s.Total.Cut))
	}
	if s.Total.Rejected > 0 {
		fmt.Fprintf(w, "messages that were no lines: %s\n", cli.Grouped(s.Total.Rejected))
	}
	return nil
}

// bar is called and, beyond it, asked, of most.
func bar(called, asked, most int64) string {
	width := func(n int64) int { return int((n*chartWidth + most - 1) / most) } // any value above 0 is visible
	dark := width(called)
	return strings.Repeat("█", dark) + strings.Repeat("░", max(width(asked)-dark, 0))
}

func msText(ms float64) string {
	if ms == 0 {
		return "-"
	}
	return cli.Micros(int64(ms * 1000))
}
