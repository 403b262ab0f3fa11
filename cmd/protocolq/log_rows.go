// Rows of the query log as a table, JSON, lines of JSON or CSV.
package main

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"protocolq/worker/querylog/database"
)

// rowsOutput is the value of -o where rows are printed.
type rowsOutput string

const (
	rowsText  rowsOutput = "text"
	rowsJSON  rowsOutput = "json"
	rowsLines rowsOutput = "jsonl"
	rowsCSV   rowsOutput = "csv"
)

var rowsOutputs = []string{string(rowsText), string(rowsJSON), string(rowsLines), string(rowsCSV)}

// Set, String and Type make rowsOutput a flag.
func (o *rowsOutput) Set(s string) error {
	if !contains(rowsOutputs, s) {
		return fmt.Errorf("must be one of %s", strings.Join(rowsOutputs, ", "))
	}
	*o = rowsOutput(s)
	return nil
}
func (o *rowsOutput) String() string { return string(*o) }

// Type names the value in the help.
func (o *rowsOutput) Type() string { return strings.Join(rowsOutputs, "|") }

func addRowsOutput(c *cobra.Command, fallback rowsOutput) *rowsOutput {
	o := fallback
	c.Flags().VarP(&o, "output", "o", "what to print")
	must(c.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(rowsOutputs, cobra.ShellCompDirectiveNoFileComp)))
	return &o
}

// askColumns are the columns of a CSV, in the order of the JSON's fields.
var askColumns = []string{"time", "token", "at_ms", "took_ms", "id", "run", "partner", "key_id", "email", "email_id", "account", "account_id", "hash_version",
	"source", "door", "subject", "reply", "outcome", "code", "trace"}

func askCells(a *database.Ask) []string {
	return []string{a.At().UTC().Format("2006-01-02T15:04:05.000Z"), a.Token, strconv.FormatInt(a.AtMs, 10), strconv.FormatInt(a.TookMs, 10), a.ID, a.Run, a.Partner,
		a.KeyID, a.Email, a.EmailID, a.Account, a.AccountID, a.HashVersion, a.Source, a.Door, a.Subject, a.Reply, a.Outcome, a.Code, a.Trace}
}

// csvPrinter writes CSV that a spreadsheet reads as text: a cell that it would
// take for a formula begins with an apostrophe, and what cannot be seen is escaped.
type csvPrinter struct{ w *csv.Writer }

func newCSV(w io.Writer, columns []string) (*csvPrinter, error) {
	p := &csvPrinter{w: csv.NewWriter(w)}
	return p, p.row(columns)
}

func (p *csvPrinter) row(cells []string) error {
	guarded := make([]string, len(cells))
	for i, cell := range cells {
		guarded[i] = guardFormula(printable(cell))
	}
	if err := p.w.Write(guarded); err != nil {
		return fmt.Errorf("write output: %w", err)
	}
	return nil
}

func (p *csvPrinter) flush() error {
	p.w.Flush()
	if err := p.w.Error(); err != nil {
		return fmt.Errorf("write output: %w", err)
	}
	return nil
}

// guardFormula keeps a spreadsheet from computing what a stranger wrote: = + - @
// begin a formula, in their full-width forms and after spaces, too.
func guardFormula(cell string) string {
	trimmed := strings.TrimLeft(cell, " \u00a0\u3000\t\r\n")
	if trimmed != "" && strings.ContainsRune("=+-@＝＋－＠|%", []rune(trimmed)[0]) {
		return "'" + cell
	}
	return cell
}

// grouped writes a number as people read it: 1,234,567.
func grouped(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// clock writes a moment for a table: the day is left out where it is today's.
func clock(atMs int64, now time.Time) string {
	at := time.UnixMilli(atMs).In(now.Location())
	if at.Format(time.DateOnly) == now.Format(time.DateOnly) {
		return at.Format("15:04:05.000")
	}
	return at.Format("2006-01-02 15:04:05")
}
