// protocolq log show: the timeline of one query, each call and each asker.

package querylog

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"protocolq/cmd/protocolq/cli"
	"protocolq/cmd/protocolq/logdb"
	"protocolq/cmd/protocolq/settings"
	"protocolq/worker"
	"protocolq/worker/querylog/database"
)

func newLogShow() *cobra.Command {
	cfg := &settings.Config{}
	set := settings.New(cfg, "database", "log-hmac-key-file", "console-url")
	c := &cobra.Command{
		Use:   "show ID",
		Short: "Show the timeline of one query: each call, each asker",
		Long: `Shows the story of an id: that of a run (as in answers and log list), or an asker's own. If an asker
used an id more than once, each run is shown, the newest first.`,
		Example: `  protocolq log show booking-4711`,
		Args:    cobra.ExactArgs(1),
	}
	set.AddFlags(c.Flags())
	set.FindDev(c)
	c.ValidArgsFunction = completeID(cfg, set, true)
	out := cli.AddOutput(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := set.Load(c.Flags(), cfg.NeedDatabase); err != nil {
			return err
		}
		return runLogShow(c, cfg, args[0], *out)
	}
	return c
}

func runLogShow(c *cobra.Command, cfg *settings.Config, id string, out cli.Output) error {
	h, err := cfg.Hasher()
	if err != nil {
		return err
	}
	db, err := logdb.OpenForReading(c.Context(), cfg.Database)
	if err != nil {
		return err
	}
	defer db.Close()
	stories, err := db.Show(c.Context(), id, h.Requests(id))
	if errors.Is(err, database.ErrUnknownID) {
		return &cli.Error{Code: cli.ExitOther, Err: err,
			Hint: "the recorder may be behind; an id that holds an e-mail or a number is found with " +
				"--log-hmac-key-file only"}
	}
	if err != nil {
		return err
	}
	if out == cli.JSON {
		return cli.PrintJSON(c.OutOrStdout(), stories)
	}
	for i := range stories {
		if i > 0 {
			fmt.Fprintln(c.OutOrStdout())
		}
		if err := tellStory(c.OutOrStdout(), &stories[i], cfg.PageOf); err != nil {
			return err
		}
	}
	return nil
}

func tellStory(w io.Writer, s *database.Story, page func(id string) string) error {
	t := cli.NewTable(w)
	if s.Run != nil {
		runHead(t, s.Run)
		headLine(t)("page", page(s.Run.ID))
	} else if len(s.Asks) > 0 {
		askHead(t, &s.Asks[0])
		headLine(t)("page", page(cmp.Or(s.Asks[0].Run, s.Asks[0].ID)))
	}
	moments := logdb.Timeline(s)
	if err := t.Flush(); err != nil {
		return err
	}
	if len(moments) == 0 {
		return nil
	}
	begin := moments[0].AtMs
	fmt.Fprintf(w, "\n%s\n", time.UnixMilli(begin).Format("2006-01-02 15:04:05.000 MST"))
	for i := range moments {
		m := &moments[i]
		if _, err := fmt.Fprintf(w, "  %10s  %s\n", "+"+cli.Millis(m.AtMs-begin).String(),
			cli.Printable(momentText(m))); err != nil {
			return fmt.Errorf("write output: %w", err)
		}
	}
	if s.More {
		fmt.Fprintf(w, "  and more askers: protocolq log export says them all\n")
	}
	return nil
}

// headLine writes what is there, by its name.
func headLine(t *cli.Table) func(name, value string) {
	return func(name, value string) {
		if value != "" {
			t.Row(name, value)
		}
	}
}

// explain says what a code means and what to do about it.
func explain(line func(name, value string), code string) {
	words, _ := worker.Lookup(code)
	line("meaning", words.MeaningEN)
	line("what to do", words.DoEN)
}

// askHead is the head of a story whose run is not in the log, or that has none.
func askHead(t *cli.Table, a *database.Ask) {
	if a.Run != "" {
		t.Row("run", a.Run+" (its own line is not in the log)")
		return
	}
	line := headLine(t)
	line("outcome", a.Outcome)
	line("code", a.Code)
	explain(line, a.Code)
	line("field", a.Field)
	line("partner", a.Partner)
	line("e-mail", a.Email)
	line("account", a.Account)
}

func runHead(t *cli.Table, r *database.Run) {
	line := headLine(t)
	line("run", r.ID)
	line("outcome", r.Outcome)
	line("debit", cli.YesNo(r.Debit))
	line("refund", cli.YesNo(r.Refund))
	if r.Code != "" {
		line("code", r.Code)
		explain(line, r.Code)
	}
	line("signature", cli.Signature(r.Verified))
	line("partner", r.Partner)
	line("e-mail", r.Email)
	line("account", r.Account)
	line("worker", r.Worker)
	if r.Deaths > 0 {
		line("taken over", cli.Counted(int64(r.Deaths), "time", "times")+", from workers that fell silent")
	}
}

// momentText says what happened.
func momentText(m *logdb.Moment) string {
	switch m.Kind {
	case logdb.Asked:
		return askedText(m.Ask)
	case logdb.Begun:
		return "run begun"
	case logdb.Called:
		return fmt.Sprintf("call %d: %s", m.N, callText(m.Call))
	case logdb.Stored:
		return "answer stored: " + m.Run.Outcome
	default:
		return replyText(m.Ask)
	}
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
			parts = append(parts, p.name+" "+cli.Micros(p.us))
		}
	}
	if c.Reused {
		parts = append(parts, "connection reused")
	}
	if c.HTTPStatus > 0 && c.HTTPStatus != 200 {
		parts = append(parts, fmt.Sprintf("HTTP %d", c.HTTPStatus))
	}
	text := end + " after " + cli.Micros(c.TotalUs)
	if len(parts) > 0 {
		text += "  [" + strings.Join(parts, ", ") + "]"
	}
	return text
}

func askedText(a *database.Ask) string {
	text := fmt.Sprintf("asked: %s by %s", cmp.Or(a.ID, a.Token), a.Door)
	if a.Subject != "" {
		text += " on " + a.Subject
	}
	return text
}

func replyText(a *database.Ask) string {
	text := fmt.Sprintf("reply: %s %s", cmp.Or(a.ID, a.Token), a.Outcome)
	if a.Code != "" {
		text += " " + a.Code
	}
	if a.Field != "" {
		text += " in " + a.Field
	}
	if a.Source != "" {
		text += " (" + a.Source + ")"
	}
	if a.Reply != "" {
		text += " on " + a.Reply + ".…"
	}
	return text
}
