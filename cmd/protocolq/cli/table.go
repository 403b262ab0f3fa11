// Tables for people: columns in line, nothing from outside that moves the cursor, and on a terminal
// no wider than it is.

package cli

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"unicode/utf8"

	"golang.org/x/term"
)

// Table collects rows and prints them when it is flushed.
type Table struct {
	w     io.Writer
	rows  [][]string
	whole []string // columns that are not cut
}

// NewTable begins a table on w with a row of the columns' names, or without one.
func NewTable(w io.Writer, columns ...string) *Table {
	t := &Table{w: w}
	if len(columns) > 0 {
		t.rows = append(t.rows, columns)
	}
	return t
}

// Whole names the columns that are never cut, because people type their content again.
func (t *Table) Whole(columns ...string) *Table {
	t.whole = columns
	return t
}

// Row adds a row. Cells after the last column of the other rows are printed unchanged.
func (t *Table) Row(cells ...any) {
	row := make([]string, len(cells))
	for i, cell := range cells {
		row[i] = Printable(fmt.Sprint(cell))
	}
	t.rows = append(t.rows, row)
}

// Flush prints the table.
func (t *Table) Flush() error {
	if f, ok := t.w.(*os.File); ok && IsTerminal(t.w) {
		if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 0 {
			t.fit(width)
		}
	}
	out := tabwriter.NewWriter(t.w, 0, 0, columnGap, ' ', 0)
	for _, row := range t.rows {
		fmt.Fprintln(out, strings.Join(row, "\t"))
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write output: %w", err)
	}
	return nil
}

const (
	columnGap   = 2
	leastColumn = 6 // a narrower one would be useless
)

// fit cuts the widest columns of a table with a header until it is no wider than width, or no more
// columns can be cut.
func (t *Table) fit(width int) {
	if len(t.rows) == 0 || len(t.rows[0]) < 3 { // a list of names and values may go on in the next line
		return
	}
	header := t.rows[0]
	widths := make([]int, len(header))
	total := columnGap * (len(header) - 1)
	for column := range header {
		for _, row := range t.rows {
			if len(row) == len(header) {
				widths[column] = max(widths[column], utf8.RuneCountInString(row[column]))
			}
		}
		total += widths[column]
	}
	for ; total > width; total-- {
		widest := -1
		for column, name := range header {
			if least := max(leastColumn, utf8.RuneCountInString(name)); widths[column] > least &&
				!slices.Contains(t.whole, name) && (widest < 0 || widths[column] > widths[widest]) {
				widest = column
			}
		}
		if widest < 0 {
			return // wrapped lines are easier to read than half of each cell
		}
		widths[widest]--
	}
	for i, row := range t.rows {
		if len(row) != len(header) {
			continue
		}
		t.rows[i] = slices.Clone(row)
		for column, cell := range row {
			t.rows[i][column] = cut(cell, widths[column])
		}
	}
}

// cut is s with at most n characters; the last is an ellipsis if some are missing.
func cut(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n-1]) + "…"
}
