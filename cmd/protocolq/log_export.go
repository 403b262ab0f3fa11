// protocolq log export: every ask that a filter wants, page by page, with a progress bar.
package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"protocolq/worker/querylog/database"
)

func newLogExport() *cobra.Command {
	cfg, rec, f := &Config{}, &recordConfig{}, &logFilter{}
	set := newSettings(append(cfg.table(), rec.settings()...), "database", "log-hmac-key-file")
	var path string
	c := &cobra.Command{
		Use:   "export",
		Short: "Write out every ask that is wanted, as lines of JSON or CSV",
		Long: `Writes every ask that is wanted to standard output or to a file, the newest first. It reads page by
page, so that a long export keeps nobody from writing. A file is there whole or not at all.`,
		Example: `  protocolq log export --since 2026-11-01 --until 2026-12-01 -o csv --to november.csv`,
		Args:    cobra.NoArgs,
	}
	set.addFlags(c.Flags())
	f.add(c)
	c.Flags().StringVar(&path, "to", "", "the file to write (default: standard output)")
	out := addRowsOutput(c, rowsLines)
	c.Flags().Lookup("output").Usage = "what to write: jsonl or csv alone"
	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := set.load(c.Flags(), rec.needDatabase); err != nil {
			return err
		}
		if *out != rowsLines && *out != rowsCSV {
			return usageError("-o must be jsonl or csv for an export, not %s", *out)
		}
		h, err := rec.hasher()
		if err != nil {
			return err
		}
		if err := f.resolve(h); err != nil {
			return err
		}
		return runLogExport(c, rec, &export{filter: f.filter, out: *out, path: path})
	}
	return c
}

// export is one export under way.
type export struct {
	filter database.Filter
	out    rowsOutput
	path   string
	bar    *progress
}

func runLogExport(c *cobra.Command, rec *recordConfig, e *export) error {
	db, err := rec.openForReading(c.Context())
	if err != nil {
		return err
	}
	defer db.Close()
	total, _, known, err := db.Count(c.Context(), e.filter)
	if err != nil {
		return err
	}
	if !known {
		total = 0
	}
	e.bar = newProgress(c.ErrOrStderr(), total)
	if e.path == "" {
		n, err := e.write(c, db, c.OutOrStdout())
		e.bar.end(n)
		return err
	}
	return e.toFile(c, db)
}

// toFile writes beside the file and puts it in place when it is whole.
func (e *export) toFile(c *cobra.Command, db *database.DB) error {
	part := e.path + ".part"
	f, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	n, err := e.write(c, db, f)
	e.bar.end(n)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(part, e.path)
	}
	if err != nil {
		_ = os.Remove(part)
		return fmt.Errorf("export: %w", err)
	}
	fmt.Fprintf(c.ErrOrStderr(), "%s asks in %s\n", grouped(n), printable(e.path))
	return nil
}

// write gives every page to w and counts the asks.
func (e *export) write(c *cobra.Command, db *database.DB, w io.Writer) (n int64, err error) {
	buffered := bufio.NewWriterSize(w, 1<<16)
	var table *csvPrinter
	if e.out == rowsCSV {
		if table, err = newCSV(buffered, askColumns); err != nil {
			return 0, err
		}
	}
	for next := (database.Cursor{}); ; {
		page, err := db.List(c.Context(), e.filter, next, database.MaxPage)
		if err != nil {
			return n, err
		}
		for i := range page.Asks {
			if table != nil {
				err = table.row(askCells(&page.Asks[i]))
			} else {
				err = printJSON(buffered, &page.Asks[i])
			}
			if err != nil {
				return n, err
			}
		}
		n += int64(len(page.Asks))
		e.bar.show(n)
		if next = page.Next; next == (database.Cursor{}) {
			break
		}
	}
	if table != nil {
		if err := table.flush(); err != nil {
			return n, err
		}
	}
	if err := buffered.Flush(); err != nil {
		return n, fmt.Errorf("write output: %w", err)
	}
	return n, nil
}

// progress is a bar on a terminal, and nothing elsewhere.
type progress struct {
	w     io.Writer
	total int64 // 0: not known
	on    bool
	shown time.Time
}

const progressWidth = 30

func newProgress(w io.Writer, total int64) *progress {
	return &progress{w: w, total: total, on: isTerminal(w)}
}

func (p *progress) show(n int64) {
	if !p.on || time.Since(p.shown) < 100*time.Millisecond {
		return
	}
	p.shown = time.Now()
	fmt.Fprint(p.w, "\r"+p.text(n)+"\x1b[K")
}

func (p *progress) text(n int64) string {
	if p.total <= 0 {
		return grouped(n) + " asks"
	}
	done := int(min(n, p.total) * progressWidth / p.total)
	return fmt.Sprintf("[%s%s] %3d%%  %s of %s", strings.Repeat("█", done), strings.Repeat("░", progressWidth-done), min(n, p.total)*100/p.total, grouped(n), grouped(p.total))
}

// end takes the bar away.
func (p *progress) end(int64) {
	if p.on {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}
