// CSV that a spreadsheet reads as text.

package cli

import (
	"encoding/csv"
	"fmt"
	"io"
	"strings"
)

// CSV writes CSV that a spreadsheet reads as text: a cell that it would
// take for a formula begins with an apostrophe, and what cannot be seen is escaped.
type CSV struct{ w *csv.Writer }

// NewCSV begins with a row of the columns' names.
func NewCSV(w io.Writer, columns []string) (*CSV, error) {
	p := &CSV{w: csv.NewWriter(w)}
	return p, p.Row(columns)
}

// Row writes one row.
func (p *CSV) Row(cells []string) error {
	guarded := make([]string, len(cells))
	for i, cell := range cells {
		guarded[i] = guardFormula(Printable(cell))
	}
	if err := p.w.Write(guarded); err != nil {
		return fmt.Errorf("write output: %w", err)
	}
	return nil
}

// Flush writes what is left; nothing may be written afterwards.
func (p *CSV) Flush() error {
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
