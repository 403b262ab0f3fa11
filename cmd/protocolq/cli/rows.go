// The value of -o where rows are printed: a table, JSON, lines of JSON or CSV.

package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// Rows is the value of -o where rows are printed.
type Rows string

// The values of -o where rows are printed.
const (
	RowsText  Rows = "text"
	RowsJSON  Rows = "json"
	RowsLines Rows = "jsonl"
	RowsCSV   Rows = "csv"
)

var rowsOutputs = []string{string(RowsText), string(RowsJSON), string(RowsLines), string(RowsCSV)}

// Set makes Rows a flag, with String and Type.
func (o *Rows) Set(s string) error {
	if !slices.Contains(rowsOutputs, s) {
		return fmt.Errorf("must be one of %s", strings.Join(rowsOutputs, ", "))
	}
	*o = Rows(s)
	return nil
}

func (o *Rows) String() string { return string(*o) }

// Type names the value in the help.
func (o *Rows) Type() string { return strings.Join(rowsOutputs, "|") }

// AddRows gives a command its -o where it prints rows.
func AddRows(c *cobra.Command, fallback Rows) *Rows {
	o := fallback
	c.Flags().VarP(&o, "output", "o", "what to print")
	Must(c.RegisterFlagCompletionFunc("output",
		cobra.FixedCompletions(rowsOutputs, cobra.ShellCompDirectiveNoFileComp)))
	return &o
}
