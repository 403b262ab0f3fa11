//go:build unix

// The table: one row for each scenario.

package verdict

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// Row is one scenario's verdict with its name.
type Row struct {
	Verdict
	Name   string
	Seed   uint64
	Faults int
	Took   time.Duration
	Logged []string // what the processes logged of trouble, where a bound is broken
}

// PrintTable writes the rows as a table that also reads as Markdown.
func PrintTable(w io.Writer, rows []Row) {
	fmt.Fprintln(w)
	t := tabwriter.NewWriter(w, 0, 0, 1, ' ', 0)
	fmt.Fprintln(t,
		"| scenario\t| seed\t| faults\t| asked\t| lost\t| unanswered\t| unknown\t| calls / keys\t| overlapping "+
			"(thawed)\t| doubles\t| repeats\t| reruns, calls cut\t| writes refused\t| false no\t| untold, split\t| "+
			"escaped\t| p50, p99 after a fault\t| gateway back\t| bounds\t|")
	fmt.Fprintln(t,
		"| ---\t| ---\t| ---\t| ---\t| ---\t| ---\t| ---\t| ---\t| ---\t| ---\t| ---\t| ---\t| ---\t| ---\t| ---\t| "+
			"---\t| ---\t| ---\t| ---\t|")
	for _, r := range rows {
		word := "held"
		if len(r.Broken) > 0 {
			word = fmt.Sprintf("BROKEN: %d", len(r.Broken))
		}
		fmt.Fprintf(t,
			"| %s\t| %d\t| %d\t| %d\t| %d\t| %d\t| %d\t| %d / %d\t| %d (%d)\t| %d\t| %d\t| %d, %d\t| %d\t| %d\t| %d, "+
				"%d\t| %d\t| %s\t| %s\t| %s\t|\n",
			r.Name, r.Seed, r.Faults, r.Asked, r.Lost, r.Unanswered, r.Unknown, r.Calls, r.Keys, r.Overlapping,
			r.FrozenCalls, r.Doubles, r.Repeats,
			r.Reruns, r.InFlight, r.Refused, r.FalseNo, r.Untold, r.Split, r.Escaped, times(r.P50,
				r.P99), times(r.Back), word)
	}
	_ = t.Flush() // to a terminal or a file of the caller
	printFigures(w, rows)
	fmt.Fprintln(w)
	printBroken(w, rows)
}

// printBroken prints the broken bounds last, so that they are at the end of a long run's output.
func printBroken(w io.Writer, rows []Row) {
	const most = 8 // offences of a row, and lines about the logs
	for _, r := range rows {
		for _, b := range r.Broken {
			fmt.Fprintf(w, "BROKEN  %s, seed %d: %s\n", r.Name, r.Seed, b)
		}
		if len(r.Broken) > 0 {
			offences, logged := r.Offences[:min(len(r.Offences), most)], r.Logged[:min(len(r.Logged), most)]
			for _, o := range slices.Concat(offences, logged) {
				fmt.Fprintf(w, "        %s\n", o)
			}
		}
	}
}

// printFigures prints the other measurements of the scenarios, one on each line.
func printFigures(w io.Writer, rows []Row) {
	t := tabwriter.NewWriter(w, 0, 0, 1, ' ', 0)
	head := "\n| scenario\t| figure\t| measured\t| bound\t|\n| ---\t| ---\t| ---\t| ---\t|\n"
	for _, r := range rows {
		for _, f := range r.Figures {
			fmt.Fprintf(t, "%s| %s\t| %s\t| %s\t| %s\t|\n", head, r.Name, f.What, f.Value, cmp.Or(f.Bound, "–"))
			head = ""
		}
	}
	_ = t.Flush()
}

// times writes durations, or a dash where nothing was measured.
func times(all ...time.Duration) string {
	if all[len(all)-1] == 0 {
		return "–"
	}
	words := make([]string, len(all))
	for i, d := range all {
		words[i] = fmt.Sprintf("%.1f s", d.Seconds())
	}
	return strings.Join(words, ", ")
}
