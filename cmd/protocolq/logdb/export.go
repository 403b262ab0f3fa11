// Every ask that matches a filter, as lines of JSON or CSV, page by page: a long export does not
// block writers, and holds one page in memory.

package logdb

import (
	"bufio"
	"context"
	"fmt"
	"io"

	"protocolq/cmd/protocolq/cli"
	"protocolq/worker/querylog/database"
)

// Export writes what the log may show: personal fields are masked in it.
type Export struct {
	Filter database.Filter
	CSV    bool        // otherwise lines of JSON
	Shown  func(int64) // called after each page with how many asks are written; nil: nobody
}

// Write writes every ask to w, the newest first, and counts them.
func (e *Export) Write(ctx context.Context, db *database.DB, w io.Writer) (n int64, err error) {
	buffered := bufio.NewWriterSize(w, 1<<16)
	row := func(a *database.Ask) error { return cli.PrintJSON(buffered, a) }
	end := func() error { return nil }
	if e.CSV {
		table, err := cli.NewCSV(buffered, AskColumns)
		if err != nil {
			return 0, err
		}
		row, end = func(a *database.Ask) error { return table.Row(AskCells(a)) }, table.Flush
	}
	for next, more := (database.Cursor{}), true; more; {
		page, err := db.List(ctx, e.Filter, next, database.MaxPage)
		if err != nil {
			return n, err
		}
		for i := range page.Asks {
			if err := row(&page.Asks[i]); err != nil {
				return n, err
			}
		}
		n += int64(len(page.Asks))
		if e.Shown != nil {
			e.Shown(n)
		}
		next, more = page.Next, page.Next != database.Cursor{}
	}
	if err := end(); err != nil {
		return n, err
	}
	if err := buffered.Flush(); err != nil {
		return n, fmt.Errorf("write output: %w", err)
	}
	return n, nil
}
