// protocolq dead list and show: dead letters for a person or a program, personal fields masked.

package dead

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"protocolq/cmd/protocolq/cli"
	"protocolq/cmd/protocolq/settings"
	"protocolq/messages"
)

// listing is the value of -o of dead list.
type listing string

const asLines listing = "jsonl"

// Set, String and Type make listing a flag.
func (l *listing) Set(s string) error {
	switch listing(s) {
	case listing(cli.Text), listing(cli.JSON), asLines:
		*l = listing(s)
		return nil
	}
	return fmt.Errorf("must be text, json or jsonl")
}
func (l *listing) String() string { return string(*l) }

// Type names the value in the help.
func (l *listing) Type() string { return "text|json|jsonl" }

// letters is what dead list prints as JSON.
type letters struct {
	Letters []deadLetter `json:"letters"`
	Next    uint64       `json:"next,omitempty"` // there are more: --after this
}

func newDeadList() *cobra.Command {
	cfg, f, out := &settings.Config{}, &deadFilter{}, listing(cli.Text)
	set := settings.New(cfg, deadSettings...)
	c := &cobra.Command{
		Use:   "list",
		Short: "List dead letters, the oldest first",
		Example: `  protocolq dead list --reason expired --since 2h
  protocolq dead list -o jsonl --limit 0`,
		Args: cobra.NoArgs,
	}
	set.AddFlags(c.Flags())
	set.FindDev(c)
	f.add(c, 100, "how many at most; 0 for all")
	c.Flags().Uint64Var(&f.after, "after", 0, "only dead letters after this sequence")
	c.Flags().VarP(&out, "output", "o", "what to print")
	cli.Must(c.RegisterFlagCompletionFunc("output",
		cobra.FixedCompletions([]string{"text", "json", "jsonl"}, cobra.ShellCompDirectiveNoFileComp)))
	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := set.Load(c.Flags(), f.check); err != nil {
			return err
		}
		return runDeadList(c, cfg, f, out)
	}
	return c
}

func runDeadList(c *cobra.Command, cfg *settings.Config, f *deadFilter, out listing) error {
	box, err := openDead(c.Context(), cfg)
	if err != nil {
		return err
	}
	defer box.nc.Close()
	l := &listPrinter{out: out, w: c.OutOrStdout(), limit: f.limit, found: letters{Letters: []deadLetter{}}}
	if err := box.walk(c.Context(), f, l.add); err != nil {
		return err
	}
	if err := l.end(time.Now()); err != nil {
		return err
	}
	switch {
	case l.count == 0 && out == listing(cli.Text):
		fmt.Fprintln(c.ErrOrStderr(), "no dead letters")
	case l.found.Next > 0 && out != listing(cli.JSON):
		fmt.Fprintf(c.ErrOrStderr(), "there are more: --after %d\n", l.found.Next)
	}
	return nil
}

// listPrinter takes dead letters one by one. Lines of JSON are printed as they come; a table and an
// array need all of them.
type listPrinter struct {
	out   listing
	w     io.Writer
	limit int
	count int
	last  uint64
	found letters
	err   error
}

func (p *listPrinter) add(l deadLetter) bool {
	if p.limit > 0 && p.count == p.limit {
		p.found.Next = p.last
		return false
	}
	p.count, p.last = p.count+1, l.Seq
	if p.out == asLines {
		p.err = cli.PrintJSON(p.w, l)
		return p.err == nil
	}
	l.env, l.query = messages.Envelope{}, messages.Query{} // many letters would be much memory
	p.found.Letters = append(p.found.Letters, l)
	return true
}

func (p *listPrinter) end(now time.Time) error {
	switch {
	case p.err != nil || p.out == asLines:
		return p.err
	case p.out == listing(cli.JSON):
		return cli.PrintJSON(p.w, p.found)
	case p.count == 0:
		return nil
	}
	t := cli.NewTable(p.w, "SEQ", "AGE", "REASON", "DOOR", "PARTNER", "E-MAIL", "ACCOUNT", "ID", "WHY").Whole("SEQ",
		"REASON", "PARTNER")
	for _, l := range p.found.Letters {
		t.Row(l.Seq, cli.Roundly(max(now.Sub(l.At), 0)), l.Reason, l.Door, cli.Dash(l.Partner), cli.Dash(l.UserEmail),
			cli.Dash(l.AccountNo), cli.Dash(l.ID), cli.Dash(l.Why))
	}
	return t.Flush()
}

func newDeadShow() *cobra.Command {
	cfg := &settings.Config{}
	set := settings.New(cfg, deadSettings...)
	c := &cobra.Command{
		Use:     "show SEQ",
		Short:   "Show one dead letter",
		Example: `  protocolq dead show 17`,
		Args:    cobra.ExactArgs(1),
	}
	set.AddFlags(c.Flags())
	set.FindDev(c)
	out := cli.AddOutput(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		seqs, err := parseSequences(args)
		if err != nil {
			return err
		}
		if err := set.Load(c.Flags()); err != nil {
			return err
		}
		box, err := openDead(c.Context(), cfg)
		if err != nil {
			return err
		}
		defer box.nc.Close()
		l, err := box.get(c.Context(), seqs[0])
		if err != nil {
			return fmt.Errorf("%d: %w", seqs[0], err)
		}
		return l.show(c.OutOrStdout(), *out, time.Now())
	}
	return c
}

func parseSequences(args []string) ([]uint64, error) {
	seqs := make([]uint64, 0, len(args))
	for _, a := range args {
		n, err := strconv.ParseUint(a, 10, 64)
		if err != nil || n == 0 {
			return nil, cli.Usage("SEQ must be a number from the first column of 'protocolq dead list', not %q", a)
		}
		if !slices.Contains(seqs, n) { // if it is named twice, it would be gone the second time
			seqs = append(seqs, n)
		}
	}
	return seqs, nil
}

func (l *deadLetter) show(w io.Writer, out cli.Output, now time.Time) error {
	if out == cli.JSON {
		return cli.PrintJSON(w, l)
	}
	t := cli.NewTable(w)
	for _, line := range l.lines(now) {
		if line[1] != "" {
			t.Row(line[0], line[1])
		}
	}
	return t.Flush()
}

// lines gives the name and value of each field that has a value.
func (l *deadLetter) lines(now time.Time) [][2]string {
	lines := [][2]string{
		{"sequence", strconv.FormatUint(l.Seq, 10)}, {"reason", l.Reason}, {"why", l.Why},
		{"died", cli.Moment(l.At.UnixMilli(), time.Local)}, {"first stored",
			cli.Moment(l.StoredMs, time.Local)}, {"tries", times(l.Tries)}, {"last code", l.LastCode},
		{"redriven", times(l.Redriven)}, {"door", l.Door}, {"subject", l.Subject}, {"ask token", l.Token}, {"id",
			l.ID}, {"key", l.Key},
		{"partner", l.Partner}, {"e-mail", l.UserEmail}, {"account", l.AccountNo}, {"reply to", l.ReplyTo},
	}
	if l.MaxAgeMs != nil {
		lines = append(lines, [2]string{"max age", cli.Short(cli.Millis(*l.MaxAgeMs))})
	}
	if l.DeadlineMs > 0 {
		note := ""
		if l.late(now) {
			note = ", passed: only --drop-deadline asks again"
		}
		lines = append(lines, [2]string{"deadline", cli.Moment(l.DeadlineMs, time.Local) + note})
	}
	if l.Meta > 0 {
		lines = append(lines, [2]string{"meta", cli.Counted(int64(l.Meta), "entry", "entries")})
	}
	size := cli.Counted(int64(l.Bytes), "byte", "bytes")
	if l.Unreadable != nil {
		size += ", no query; sha256 begins " + l.Unreadable.SHA256
	}
	return append(lines, [2]string{"message", size})
}

func times(n int64) string {
	if n == 0 {
		return ""
	}
	return cli.Counted(n, "time", "times")
}
