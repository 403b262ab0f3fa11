// protocolq log show: the timeline of one query, each call and each asker.
package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"protocolq/messages"
	"protocolq/worker"
	"protocolq/worker/querylog/database"
)

func newLogShow() *cobra.Command {
	cfg, rec := &Config{}, &recordConfig{}
	set := newSettings(append(cfg.table(), rec.settings()...), "database", "log-hmac-key-file")
	c := &cobra.Command{
		Use:   "show ID",
		Short: "Show the timeline of one query: each call, each asker",
		Long: `Shows what is behind an id: that of a run (as answers and log list name it), or an asker's own. An
asker's id that was used again shows each run, the newest first.`,
		Example: `  protocolq log show booking-4711`,
		Args:    cobra.ExactArgs(1),
	}
	set.addFlags(c.Flags())
	out := addOutput(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := set.load(c.Flags(), rec.needDatabase); err != nil {
			return err
		}
		return runLogShow(c, rec, args[0], *out)
	}
	return c
}

func runLogShow(c *cobra.Command, rec *recordConfig, id string, out output) error {
	h, err := rec.hasher()
	if err != nil {
		return err
	}
	db, err := rec.openForReading(c.Context())
	if err != nil {
		return err
	}
	defer db.Close()
	stories, err := db.Show(c.Context(), id, h.Requests(id))
	if errors.Is(err, database.ErrUnknownID) {
		return &exitError{Code: exitOther, Err: err,
			Hint: "the recorder may be behind; an id that holds an e-mail or a number is found with --log-hmac-key-file only"}
	}
	if err != nil {
		return err
	}
	if out == asJSON {
		return printJSON(c.OutOrStdout(), stories)
	}
	for i := range stories {
		if i > 0 {
			fmt.Fprintln(c.OutOrStdout())
		}
		if err := tellStory(c.OutOrStdout(), &stories[i]); err != nil {
			return err
		}
	}
	return nil
}

// happened is one line of a timeline.
type happened struct {
	atMs int64
	what string
}

func tellStory(w io.Writer, s *database.Story) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	var moments []happened
	if s.Run != nil {
		runHead(t, s.Run)
		moments = runMoments(s.Run)
	} else if len(s.Asks) > 0 && s.Asks[0].Run != "" {
		fmt.Fprintf(t, "run\t%s (its own line is not in the log)\n", printable(s.Asks[0].Run))
	}
	for i := range s.Asks {
		moments = append(moments, askMoments(&s.Asks[i])...)
	}
	slices.SortStableFunc(moments, func(a, b happened) int { return cmp.Compare(a.atMs, b.atMs) })
	if err := t.Flush(); err != nil {
		return fmt.Errorf("write output: %w", err)
	}
	if len(moments) == 0 {
		return nil
	}
	begin := moments[0].atMs
	fmt.Fprintf(w, "\n%s\n", time.UnixMilli(begin).Format("2006-01-02 15:04:05.000 MST"))
	for _, m := range moments {
		if _, err := fmt.Fprintf(w, "  %10s  %s\n", "+"+ms(m.atMs-begin).String(), printable(m.what)); err != nil {
			return fmt.Errorf("write output: %w", err)
		}
	}
	if s.More {
		fmt.Fprintf(w, "  and more askers: protocolq log export says them all\n")
	}
	return nil
}

func runHead(t io.Writer, r *database.Run) {
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(t, "%s\t%s\n", name, printable(value))
		}
	}
	line("run", r.ID)
	line("outcome", r.Outcome)
	line("debit", yesNo(r.Debit))
	line("refund", yesNo(r.Refund))
	if r.Code != "" {
		line("code", r.Code)
		meaning, advice := explain(messages.Result{Code: r.Code})
		line("meaning", meaning)
		line("what to do", advice)
	}
	line("verified", r.Verified)
	line("partner", r.Partner)
	line("e-mail", r.Email)
	line("account", r.Account)
	line("worker", r.Worker)
	if r.Deaths > 0 {
		line("taken over", fmt.Sprintf("%d times, from workers that fell silent", r.Deaths))
	}
}

func runMoments(r *database.Run) []happened {
	moments := []happened{{r.AtMs, "run begun"}}
	for i := range r.Calls {
		c := &r.Calls[i]
		at := c.AtMs
		if at == 0 {
			at = r.AtMs
		}
		moments = append(moments, happened{at, fmt.Sprintf("call %d: %s", i+1, callText(c))})
	}
	return append(moments, happened{r.AtMs + r.TookMs, "answer stored: " + r.Outcome})
}

// callText says how one call went and where its time was spent.
func callText(c *database.Call) string {
	if c.Cut {
		return "cut by its worker's death; what came of it nobody knows"
	}
	end := "answered"
	if c.Code != "" {
		end = c.Code
		if class := c.Class; class != "" {
			end += " (" + class + ")"
		} else if words, known := worker.Lookup(c.Code); known {
			end += " (" + words.Class.String() + ")"
		}
	}
	var parts []string
	for _, p := range []struct {
		name string
		us   int64
	}{{"dns", c.DNSUs}, {"connect", c.ConnectUs}, {"tls", c.TLSUs}, {"first byte", c.FirstByteUs}, {"body", c.BodyUs}} {
		if p.us > 0 {
			parts = append(parts, p.name+" "+micros(p.us))
		}
	}
	if c.Reused {
		parts = append(parts, "connection reused")
	}
	if c.HTTPStatus > 0 && c.HTTPStatus != 200 {
		parts = append(parts, fmt.Sprintf("HTTP %d", c.HTTPStatus))
	}
	text := end + " after " + micros(c.TotalUs)
	if len(parts) > 0 {
		text += "  [" + strings.Join(parts, ", ") + "]"
	}
	return text
}

func micros(us int64) string {
	d := time.Duration(us) * time.Microsecond
	if d >= 10*time.Millisecond {
		return d.Round(time.Millisecond).String()
	}
	return d.String()
}

func askMoments(a *database.Ask) []happened {
	who := a.ID
	if who == "" {
		who = a.Token
	}
	came := fmt.Sprintf("asked: %s by %s", who, a.Door)
	if a.Subject != "" {
		came += " on " + a.Subject
	}
	told := fmt.Sprintf("told:  %s %s", who, a.Outcome)
	if a.Code != "" {
		told += " " + a.Code
	}
	if a.Source != "" {
		told += " (" + a.Source + ")"
	}
	if a.Reply != "" {
		told += " on " + a.Reply + ".…"
	}
	return []happened{{a.AtMs, came}, {a.AtMs + a.TookMs, told}}
}
