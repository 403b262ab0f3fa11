// protocolq bench compare: two saved results side by side.

package bench

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"protocolq/cmd/protocolq/bench/load"
	"protocolq/cmd/protocolq/cli"
	"protocolq/cmd/protocolq/settings"
)

func newBenchCompare() *cobra.Command {
	var over string
	c := &cobra.Command{
		Use:   "compare BEFORE AFTER",
		Short: "Compare two saved results",
		Long: `Compares two results that 'bench --save' wrote. The verdict considers how much the seconds of each run vary: a
difference within that is noise, and fewer than five seconds are too few for a verdict.

Exit codes: 0 compared · 1 AFTER is worse by more than --fail-over, and clearly so
2 a file that cannot be read; with --fail-over also loads that differ, a run cut short, or too few seconds`,
		Example: `  protocolq bench compare before.json after.json --fail-over 10%`,
		Args:    cobra.ExactArgs(2),
	}
	c.Flags().StringVar(&over, "fail-over", "",
		"exit with 1 if answers, p50, p90 or p99 are clearly worse by more than this, such as 10%, if more asks stay "+
			"unanswered, or if unknown and refused answers rise by more than a percentage point")
	out := cli.AddOutput(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		limit, err := percent(over)
		if err != nil {
			err = &settings.Fault{Setting: "fail-over", Err: err}
		}
		before, errB := readResult(args[0])
		after, errA := readResult(args[1])
		if err := errors.Join(err, errB, errA); err != nil {
			return &cli.Error{Code: cli.ExitUsage, Err: err}
		}
		both := comparison{Mismatch: load.Mismatch(before, after), Lines: load.Compare(before, after)}
		if *out == cli.JSON {
			err = cli.PrintJSON(c.OutOrStdout(), both)
		} else {
			err = both.print(c.OutOrStdout())
		}
		if err != nil || over == "" {
			return err
		}
		return both.failOver(limit, over, after.Answered == 0)
	}
	return c
}

// percent reads 10% or 10; "" is 0.
func percent(text string) (float64, error) {
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseFloat(strings.TrimSuffix(text, "%"), 64)
	if err != nil || !(n >= 0 && n <= 1e6) {
		return 0, fmt.Errorf("must be a percentage such as 10%%, not %q", text)
	}
	return n / 100, nil
}

const maxResultFile = 64 << 20

func readResult(path string) (*load.Result, error) {
	data, err := cli.ReadBounded(path, maxResultFile)
	if err != nil {
		return nil, err
	}
	r := &load.Result{}
	if err := json.Unmarshal(data, r); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if r.V != load.Version || r.Asked == 0 && r.Unsent == 0 {
		return nil, fmt.Errorf("%s: is not a result with asks that 'bench --save' wrote", path)
	}
	return r, nil
}

// comparison is what compare prints.
type comparison struct {
	Mismatch []string    `json:"mismatch"` // why the two are not runs of the same load
	Lines    []load.Line `json:"lines"`
}

func (c *comparison) print(w io.Writer) error {
	for _, difference := range c.Mismatch {
		fmt.Fprintf(w, "not the same load: %s\n", cli.Printable(difference))
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "\tBEFORE\tAFTER\tRATIO\t  VERDICT")
	for _, l := range c.Lines {
		text := rateText
		switch {
		case strings.HasSuffix(l.Name, "_us"):
			text = func(us float64) string { return latencyText(int64(us)) }
		case strings.HasSuffix(l.Name, "_percent"):
			text = func(part float64) string { return strconv.FormatFloat(part, 'f', 2, 64) + "%" }
		}
		ratio := "-"
		if l.A != 0 {
			ratio = strconv.FormatFloat(l.Ratio, 'f', 2, 64)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t  %s\n", lineName(l), text(l.A), text(l.B), ratio, l.Verdict)
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("write output: %w", err)
	}
	return nil
}

// lineNames are the names for people of lines that have another name for programs.
var lineNames = map[string]string{"answers_per_s": "answers/s", "p50_us": "p50", "p90_us": "p90", "p99_us": "p99",
	"p99_9_us":  "p99.9",
	"p99_99_us": "p99.99", "max_us": "max", load.UnknownName: "unknown", load.RefusedName: "refused"}

func lineName(l load.Line) string { return cmp.Or(lineNames[l.Name], l.Name) }

// maxUnsettled is by how many percentage points unknown and refused answers may rise.
const maxUnsettled = 1

// failOver is the error of a run that is clearly worse by more than limit, or of two that cannot be
// compared: a check that was not possible must not look like a passed one.
func (c *comparison) failOver(limit float64, said string, silent bool) error {
	if len(c.Mismatch) > 0 {
		return &cli.Error{Code: cli.ExitUsage, Err: fmt.Errorf("cannot be compared: %s",
			strings.Join(c.Mismatch, "; ")), Hint: "run both with the same flags, and to their end"}
	}
	if silent {
		return &cli.Error{Code: cli.ExitOther, Err: errors.New("nothing was answered in AFTER")}
	}
	var worse []string
	unsettled, short := 0.0, false
	for _, l := range c.Lines {
		switch {
		case l.Verdict == load.Worse && l.Worse > limit, l.Name == load.UnansweredName && l.B > l.A:
			worse = append(worse, lineName(l))
		case l.Name == load.UnknownName, l.Name == load.RefusedName:
			unsettled += max(l.B-l.A, 0)
		}
		short = short || l.Verdict == load.TooShort
	}
	if unsettled > maxUnsettled {
		worse = append(worse, fmt.Sprintf("unknown and refused answers (by %.2f percentage points)", unsettled))
	}
	switch {
	case len(worse) > 0:
		return &cli.Error{Code: cli.ExitOther,
			Err: fmt.Errorf("worse than --fail-over %s allows: %s", said, strings.Join(worse, ", "))}
	case short:
		return &cli.Error{Code: cli.ExitUsage,
			Err:  fmt.Errorf("cannot be compared: fewer than %d seconds with answers in one of them", load.MinSeconds),
			Hint: "measure longer: bench --for 10s"}
	}
	return nil
}
