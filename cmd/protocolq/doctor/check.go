// Check: one thing that was checked, and the result.

package doctor

import (
	"fmt"
	"io"
	"strings"

	"protocolq/cmd/protocolq/cli"
)

// Status is the result of a check.
type Status string

// The statuses.
const (
	Well    Status = "ok"
	Fault   Status = "fault"
	Skipped Status = "skipped" // it could not be looked at from here
)

// Check is one thing that was checked. Its names are a contract with scripts.
type Check struct {
	Name   string `json:"name"`
	Status Status `json:"status"`
	Detail string `json:"detail,omitempty"`
	Cure   string `json:"cure,omitempty"` // of a fault: what to do
}

// Report is what doctor says in JSON.
type Report struct {
	OK     bool    `json:"ok"`
	For    string  `json:"for"` // worker, recorder, http or console
	Checks []Check `json:"checks"`
}

func well(name, format string, args ...any) Check {
	return Check{Name: name, Status: Well, Detail: fmt.Sprintf(format, args...)}
}

func skipped(name, why string) Check { return Check{Name: name, Status: Skipped, Detail: why} }

func fault(name, detail, cure string) Check {
	return Check{Name: name, Status: Fault, Detail: detail, Cure: cure}
}

// newReport sums up the checks.
func newReport(role string, checks []Check) Report {
	r := Report{OK: true, For: role, Checks: checks}
	for _, c := range checks {
		r.OK = r.OK && c.Status != Fault
	}
	return r
}

// print writes the faults, each with its cure, and with verbose all checks.
func (r *Report) print(w io.Writer, verbose bool) error {
	var b strings.Builder
	for _, c := range r.Checks {
		switch {
		case c.Status == Fault:
			fmt.Fprintf(&b, "%s: %s\n  cure: %s\n", c.Name, cli.Printable(c.Detail), cli.Printable(c.Cure))
		case verbose:
			fmt.Fprintf(&b, "%s: %s: %s\n", c.Name, c.Status, cli.Printable(c.Detail))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
