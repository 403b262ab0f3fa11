// protocolq log list: asks, the newest first.
package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

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
	cfg, rec, f := &Config{}, &recordConfig{}, &logFilter{}
	set := newSettings(append(cfg.table(), rec.settings()...), "database", "log-hmac-key-file")
	var after string
	limit := 50
	c := &cobra.Command{
		Use:   "list",
		Short: "List asks, the newest first",
		Long: `Lists who asked, when, and what he was told. All that is said must be so at once. The count below the
table comes from counters that are kept with every row; where only looking could tell, there is none.`,
		Example: `  protocolq log list --email signed@example.com
  protocolq log list --outcome unknown --since 2h
  protocolq log list --slow 5s --partner 2088… -o csv`,
		Args: cobra.NoArgs,
	}
	set.addFlags(c.Flags())
	f.add(c)
	c.Flags().IntVar(&limit, "limit", limit, "how many at most, up to 1000")
	c.Flags().StringVar(&after, "after", "", "the next page: as the page before it says")
	out := addRowsOutput(c, rowsText)
	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := set.load(c.Flags(), rec.needDatabase); err != nil {
			return err
		}
		cursor, err := database.ParseCursor(after)
		if err != nil {
			return usageError("--after %w", err)
		}
		if limit < 1 || limit > database.MaxPage {
			return usageError("--limit must be from 1 to %d, not %d", database.MaxPage, limit)
		}
		h, err := rec.hasher()
		if err != nil {
			return err
		}
		if err := f.resolve(h); err != nil {
			return err
		}
		if len(f.filter.Emails)+len(f.filter.Accounts)+len(f.filter.Keys) == 0 {
			h = nil
		}
		return runLogList(c, rec, f.filter, cursor, listShape{limit, *out, h})
	}
	return c
}

type listShape struct {
	limit  int
	out    rowsOutput
	hasher *querylog.Hasher // that somebody was looked up by; nil: nobody was
}

func runLogList(c *cobra.Command, rec *recordConfig, f database.Filter, after database.Cursor, s listShape) error {
	db, err := rec.openForReading(c.Context())
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
	n, about, ok, err := db.Count(c.Context(), f)
	if err != nil {
		return err
	}
	if ok {
		l.Count, l.About = &n, about
	}
	if len(l.Asks) == 0 && s.hasher != nil {
		noteKey(c, db, s.hasher)
	}
	if err := l.print(c.OutOrStdout(), s.out); err != nil {
		return err
	}
	if s.out == rowsText {
		l.footer(c.ErrOrStderr())
	}
	return nil
}

func (l *askList) print(w io.Writer, out rowsOutput) error {
	switch out {
	case rowsJSON:
		return printJSON(w, l)
	case rowsLines:
		for i := range l.Asks {
			if err := printJSON(w, &l.Asks[i]); err != nil {
				return err
			}
		}
		return nil
	case rowsCSV:
		p, err := newCSV(w, askColumns)
		for i := 0; err == nil && i < len(l.Asks); i++ {
			err = p.row(askCells(&l.Asks[i]))
		}
		if err != nil {
			return err
		}
		return p.flush()
	}
	if len(l.Asks) == 0 {
		return nil
	}
	now := time.Now()
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "TIME\tPARTNER\tE-MAIL\tACCOUNT\tOUTCOME\tCODE\tSOURCE\tTOOK\tID\tRUN")
	for i := range l.Asks {
		a := &l.Asks[i]
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", clock(a.AtMs, now), dash(a.Partner), dash(a.Email), dash(a.Account),
			dash(a.Outcome), dash(a.Code), dash(a.Source), ms(a.TookMs), dash(a.ID), dash(a.Run))
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("write output: %w", err)
	}
	return nil
}

// footer says on w how much of the list that was.
func (l *askList) footer(w io.Writer) {
	switch {
	case l.Count != nil && l.About:
		fmt.Fprintf(w, "%d of about %s (counted by whole hours)\n", len(l.Asks), grouped(*l.Count))
	case l.Count != nil:
		fmt.Fprintf(w, "%d of %s\n", len(l.Asks), grouped(*l.Count))
	case len(l.Asks) == 0:
		fmt.Fprintln(w, "no such asks")
	}
	if l.Next != "" {
		fmt.Fprintf(w, "the next page: --after %s\n", l.Next)
	}
}
