// protocolq log list: asks, the newest first.

package querylog

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"protocolq/cmd/protocolq/cli"
	"protocolq/cmd/protocolq/logdb"
	"protocolq/cmd/protocolq/settings"
	"protocolq/worker/querylog"
	"protocolq/worker/querylog/database"
)

// askList is what log list prints as JSON.
type askList struct {
	Asks  []database.Ask `json:"asks"`
	Next  string         `json:"next,omitempty"`  // there are more: --after this
	Count *int64         `json:"count,omitempty"` // of the whole list, where the counters know it
	About bool           `json:"about,omitempty"` // the count is of whole hours, the list is not
}

func newLogList() *cobra.Command {
	cfg, f := &settings.Config{}, &logFilter{}
	set := settings.New(cfg, "database", "log-hmac-key-file")
	var after string
	limit := 50
	c := &cobra.Command{
		Use:   "list",
		Short: "List asks, the newest first",
		Long: `Lists who asked, when, and the answer. Filters combine: a row must match all of them. The count below
the table comes from counters that are kept with every row; filters without a counter show no count.`,
		Example: `  protocolq log list --email signed@example.com
  protocolq log list --outcome unknown --since 2h
  protocolq log list --slow 5s --partner 2088… -o csv`,
		Args: cli.NoArgs,
	}
	set.AddFlags(c.Flags())
	set.FindDev(c)
	f.add(c)
	cli.Must(c.RegisterFlagCompletionFunc("id", completeID(cfg, set, false)))
	c.Flags().IntVar(&limit, "limit", limit, "how many at most, up to 1000")
	c.Flags().StringVar(&after, "after", "", "continue here: the value that the page before printed")
	out := cli.AddRows(c, cli.RowsText)
	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := set.Load(c.Flags(), cfg.NeedDatabase); err != nil {
			return err
		}
		cursor, err := database.ParseCursor(after)
		if err != nil {
			return cli.Usage("--after %w", err)
		}
		if limit < 1 || limit > database.MaxPage {
			return cli.Usage("--limit must be from 1 to %d, not %d", database.MaxPage, limit)
		}
		h, err := cfg.Hasher()
		if err != nil {
			return err
		}
		if err := f.resolve(h); err != nil {
			return err
		}
		if len(f.filter.Emails)+len(f.filter.Accounts)+len(f.filter.Keys) == 0 {
			h = nil
		}
		return runLogList(c, cfg, f.filter, cursor, listShape{limit, *out, h})
	}
	return c
}

type listShape struct {
	limit  int
	out    cli.Rows
	hasher *querylog.Hasher // for the person that was looked up; nil: none was
}

func runLogList(c *cobra.Command, cfg *settings.Config, f database.Filter, after database.Cursor, s listShape) error {
	db, err := logdb.OpenForReading(c.Context(), cfg.Database)
	if err != nil {
		return err
	}
	defer db.Close()
	page, err := db.List(c.Context(), f, after, s.limit)
	if err != nil {
		return err
	}
	l := askList{Asks: page.Asks, Next: page.Next.String()}
	if l.Asks == nil {
		l.Asks = []database.Ask{}
	}
	if after == (database.Cursor{}) && l.Next == "" {
		all := int64(len(l.Asks)) // the page has all of them, so this is their exact number
		l.Count = &all
	} else if n, about, ok, err := db.Count(c.Context(), f); err != nil {
		return err
	} else if ok {
		l.Count, l.About = &n, about
	}
	if len(l.Asks) == 0 && s.hasher != nil {
		noteKey(c, db, s.hasher)
	}
	if err := l.print(c.OutOrStdout(), s.out); err != nil {
		return err
	}
	if s.out == cli.RowsText {
		l.footer(c.ErrOrStderr())
	}
	return nil
}

func (l *askList) print(w io.Writer, out cli.Rows) error {
	switch out {
	case cli.RowsJSON:
		return cli.PrintJSON(w, l)
	case cli.RowsLines:
		for i := range l.Asks {
			if err := cli.PrintJSON(w, &l.Asks[i]); err != nil {
				return err
			}
		}
		return nil
	case cli.RowsCSV:
		p, err := cli.NewCSV(w, logdb.AskColumns)
		for i := 0; err == nil && i < len(l.Asks); i++ {
			err = p.Row(logdb.AskCells(&l.Asks[i]))
		}
		if err != nil {
			return err
		}
		return p.Flush()
	}
	if len(l.Asks) == 0 {
		return nil
	}
	t := cli.NewTable(w, "TIME", "PARTNER", "E-MAIL", "ACCOUNT", "OUTCOME", "CODE", "SOURCE", "TOOK", "ID",
		"RUN").Whole("TIME", "OUTCOME", "ID", "RUN")
	for i := range l.Asks {
		a := &l.Asks[i]
		t.Row(clock(a.AtMs, time.Local), cli.Dash(a.Partner), cli.Dash(a.Email), cli.Dash(a.Account),
			cli.Dash(a.Outcome), cli.Dash(a.Code),
			cli.Dash(a.Source), cli.Millis(a.TookMs), cli.Dash(a.ID), cli.Dash(a.Run))
	}
	return t.Flush()
}

// footer says on w which part of the list was printed.
func (l *askList) footer(w io.Writer) {
	switch {
	case len(l.Asks) == 0:
		fmt.Fprintln(w, "no such asks")
	case l.Count != nil && l.About:
		fmt.Fprintf(w, "%d of about %s asks (counted by whole hours)\n", len(l.Asks), cli.Grouped(*l.Count))
	case l.Count != nil:
		fmt.Fprintf(w, "%d of %s asks\n", len(l.Asks), cli.Grouped(*l.Count))
	}
	if l.Next != "" {
		fmt.Fprintf(w, "the next page: --after %s\n", l.Next)
	}
}

// clock writes a time to the millisecond for a table.
func clock(atMs int64, zone *time.Location) string {
	return time.UnixMilli(atMs).In(zone).Format("2006-01-02 15:04:05.000 MST")
}
