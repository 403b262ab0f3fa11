// The report: each place that stores persons, what was found there, and what is left.

package forget

import (
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"
	"time"

	"protocolq/cmd/protocolq/cli"
)

// Place is one place that stores persons.
type Place struct {
	Place   string     `json:"place"`
	Found   int64      `json:"found"`
	Deleted int64      `json:"deleted"`
	Left    string     `json:"left,omitempty"`  // what is there yet, and why
	Until   *time.Time `json:"until,omitempty"` // when that is gone, at the latest
}

// Report is what was done.
type Report struct {
	DryRun  bool    `json:"dry_run"`
	Deleted int64   `json:"deleted"` // rows of the query log
	Places  []Place `json:"places"`
}

func (r *Report) add(p ...Place) { r.Places = append(r.Places, p...) }

func (r *Report) print(w io.Writer, out cli.Output) error {
	if out == cli.JSON {
		return cli.PrintJSON(w, r)
	}
	heading := "forgotten  " + cli.Counted(r.Deleted, "row", "rows") + " deleted"
	if r.DryRun {
		heading = "dry run    nothing is deleted"
	}
	if _, err := fmt.Fprintln(w, heading); err != nil {
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, p := range r.Places {
		left := p.Left
		if p.Until != nil {
			left += ", until " + p.Until.Format(time.RFC3339)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", p.Place, number(p.Found, "found"), number(p.Deleted, "deleted"), left)
	}
	return t.Flush()
}

func number(n int64, what string) string {
	if n == 0 {
		return "-"
	}
	return strconv.FormatInt(n, 10) + " " + what
}
