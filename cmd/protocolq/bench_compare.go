// protocolq bench compare: two saved results side by side.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"protocolq/cmd/protocolq/bench"
)

func newBenchCompare() *cobra.Command {
	var over string
	c := &cobra.Command{
		Use:   "compare BEFORE AFTER",
		Short: "Compare two saved results",
		Long: `Compares two results that 'bench --save' wrote. The verdict looks at how far the seconds of each run spread: a
difference that lies within that is noise, and fewer than five seconds tell nothing.

Exit codes: 0 compared · 1 AFTER is worse by more than --fail-over, and clearly so · 2 a file that cannot be read`,
		Example: `  protocolq bench compare before.json after.json --fail-over 10%`,
		Args:    cobra.ExactArgs(2),
	}
	c.Flags().StringVar(&over, "fail-over", "", "end with 1 when answers, p50, p90 or p99 are clearly worse by more than this, 10% say, or any more asks stay unanswered")
	out := addOutput(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		limit, err := percent(over)
		if err != nil {
			err = &settingError{Setting: "fail-over", Err: err}
		}
		before, errB := readResult(args[0])
		after, errA := readResult(args[1])
		if err := errors.Join(err, errB, errA); err != nil {
			return &exitError{Code: exitUsage, Err: err}
		}
		lines := bench.Compare(before, after)
		if *out == asJSON {
			err = printJSON(c.OutOrStdout(), lines)
		} else {
			err = tellCompare(c.OutOrStdout(), before, after, lines)
		}
		if err != nil || over == "" {
			return err
		}
		return failOver(lines, limit, over)
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

func readResult(path string) (*bench.Result, error) {
	data, err := readBounded(path, maxResultFile)
	if err != nil {
		return nil, err
	}
	r := &bench.Result{}
	if err := json.Unmarshal(data, r); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if r.V != bench.Version || r.Answered == 0 {
		return nil, fmt.Errorf("%s: is no result with answers that 'bench --save' wrote", path)
	}
	return r, nil
}

func tellCompare(w io.Writer, a, b *bench.Result, lines []bench.Line) error {
	for _, name := range slices.Sorted(maps.Keys(a.Settings)) {
		if b.Settings[name] != a.Settings[name] {
			fmt.Fprintf(w, "not the same load: %s %s, then %s\n", printable(name), printable(a.Settings[name]), printable(b.Settings[name]))
		}
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "\tBEFORE\tAFTER\tRATIO\t  VERDICT")
	for _, l := range lines {
		name, micros := strings.CutSuffix(l.Name, " µs")
		text := rateText
		if micros {
			text = func(us float64) string { return latencyText(int64(us)) }
		}
		ratio := "-"
		if l.A != 0 {
			ratio = strconv.FormatFloat(l.Ratio, 'f', 2, 64)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t  %s\n", name, text(l.A), text(l.B), ratio, l.Verdict)
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("write output: %w", err)
	}
	return nil
}

// failOver is the error of a run that is clearly worse by more than limit.
func failOver(lines []bench.Line, limit float64, said string) error {
	var worse []string
	for _, l := range lines {
		name, _ := strings.CutSuffix(l.Name, " µs")
		if l.Verdict == bench.Worse && l.Worse > limit || name == bench.UnansweredName && l.B > l.A {
			worse = append(worse, name)
		}
	}
	if len(worse) == 0 {
		return nil
	}
	return &exitError{Code: exitOther, Err: fmt.Errorf("worse by more than %s: %s", said, strings.Join(worse, ", "))}
}
