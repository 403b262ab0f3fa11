// protocolq log export: every ask that matches a filter, page by page, with a progress bar.

package querylog

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"protocolq/cmd/protocolq/cli"
	"protocolq/cmd/protocolq/logdb"
	"protocolq/cmd/protocolq/settings"
	"protocolq/worker/querylog/database"
)

func newLogExport() *cobra.Command {
	cfg, f := &settings.Config{}, &logFilter{}
	set := settings.New(cfg, "database", "log-hmac-key-file")
	var path string
	c := &cobra.Command{
		Use:   "export",
		Short: "Write out every ask that matches, as lines of JSON or CSV",
		Long: `Writes every ask that matches to standard output or to a file, the newest first. It reads page by
page, so that a long export does not block writers. The file is there only once it is complete.`,
		Example: `  protocolq log export --since 2026-11-01 --until 2026-12-01 -o csv --to november.csv`,
		Args:    cli.NoArgs,
	}
	set.AddFlags(c.Flags())
	set.FindDev(c)
	f.add(c)
	cli.Must(c.RegisterFlagCompletionFunc("id", completeID(cfg, set, false)))
	c.Flags().StringVar(&path, "to", "", "the file to write (default: standard output)")
	out := cli.AddRows(c, cli.RowsLines)
	c.Flags().Lookup("output").Usage = "what to write: jsonl or csv"
	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := set.Load(c.Flags(), cfg.NeedDatabase); err != nil {
			return err
		}
		if *out != cli.RowsLines && *out != cli.RowsCSV {
			return cli.Usage("-o must be jsonl or csv for an export, not %s", *out)
		}
		h, err := cfg.Hasher()
		if err != nil {
			return err
		}
		if err := f.resolve(h); err != nil {
			return err
		}
		return runLogExport(c, cfg, &export{filter: f.filter, out: *out, path: path})
	}
	return c
}

// export is one export under way.
type export struct {
	filter database.Filter
	out    cli.Rows
	path   string
	bar    *cli.Progress
}

func runLogExport(c *cobra.Command, cfg *settings.Config, e *export) error {
	db, err := logdb.OpenForReading(c.Context(), cfg.Database)
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
	e.bar = cli.NewProgress(c.ErrOrStderr(), total, "asks")
	if e.path == "" {
		_, err := e.write(c, db, c.OutOrStdout())
		e.bar.Clear()
		return err
	}
	return e.toFile(c, db)
}

// toFile writes to a temporary file and renames it when it is complete.
func (e *export) toFile(c *cobra.Command, db *database.DB) error {
	part := e.path + ".part"
	f, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	n, err := e.write(c, db, f)
	e.bar.Clear()
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
	fmt.Fprintf(c.ErrOrStderr(), "%s asks in %s\n", cli.Grouped(n), cli.Printable(e.path))
	return nil
}

// write writes every ask to w and counts them.
func (e *export) write(c *cobra.Command, db *database.DB, w io.Writer) (int64, error) {
	x := logdb.Export{Filter: e.filter, CSV: e.out == cli.RowsCSV, Shown: e.bar.Show}
	return x.Write(c.Context(), db, w)
}
