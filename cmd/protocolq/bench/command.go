// protocolq bench: load at a fixed rate on one's own fleet, and the result.

package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nuid"
	"github.com/spf13/cobra"

	"protocolq/cmd/protocolq/bench/load"
	"protocolq/cmd/protocolq/cli"
	"protocolq/cmd/protocolq/natsconn"
	"protocolq/cmd/protocolq/settings"
	"protocolq/messages"
)

type benchFlags struct {
	rate                string
	span, warm, timeout time.Duration
	outstanding, askers int
	unique, same        bool
	zipf                int
	exponent            float64
	submit, durable     bool
	partner             string
	accounts            string
	invented            bool
	save, chart         string
	out                 cli.Rows

	perSecond float64  // the rate; 0 is a closed loop
	list      []string // of accounts
	given     func(flag string) bool
}

// Command is bench, with compare below it.
func Command() *cobra.Command {
	cfg, f := &settings.Config{}, &benchFlags{}
	set := settings.New(cfg, "nats", "nats-creds", "inbox-prefix", "prefix")
	c := &cobra.Command{
		Use:   "bench",
		Short: "Load the workers at a fixed rate and measure the answers",
		Long: `Asks the workers at a fixed rate that does not wait for answers, and shows how long the answers took, counted from
when each ask was due. With --rate max, --askers askers ask one question after another instead, as fast as they are
answered. ^C ends early with the result so far.

The accounts are made up, so a first question checks the gateway: the load begins only if it is a practice gateway
('protocolq dev', 'protocolq simulator'). For a real gateway, --accounts names accounts that may be asked about.

Exit codes: 0 all were answered · 1 some were not, or only unknown · 6 none was · 2 bad settings or usage`,
		Example: `  protocolq bench --rate 500 --for 10s
  protocolq bench --zipf 5000 --rate 2000 --save before.json
  protocolq bench compare before.json after.json --fail-over 10%`,
		Args: cobra.NoArgs,
	}
	set.AddFlags(c.Flags())
	set.FindDev(c)
	f.add(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := set.Load(c.Flags(), f.check); err != nil {
			return err
		}
		return runBench(c, cfg, f)
	}
	c.AddCommand(newBenchCompare())
	return c
}

func (f *benchFlags) add(c *cobra.Command) {
	fs := c.Flags()
	fs.StringVar(&f.rate, "rate", "200", "asks a second, or max")
	fs.DurationVar(&f.span, "for", 10*time.Second, "how long to measure")
	fs.DurationVar(&f.warm, "warm", 2*time.Second, "how long to ask before measuring")
	fs.DurationVar(&f.timeout, "timeout", 10*time.Second,
		"when to give up an ask; the workers get this deadline")
	fs.IntVar(&f.outstanding, "outstanding", 10_000,
		"how many asks may be on their way at once; further asks wait, and this time counts")
	fs.IntVar(&f.askers, "askers", 512, "with --rate max, how many askers ask at once")
	fs.BoolVar(&f.unique, "unique", false, "ask about a new account each time (the default)")
	fs.IntVar(&f.zipf, "zipf", 0, "ask about this many accounts, a few of them often and most rarely")
	fs.Float64Var(&f.exponent, "exponent", 1.1,
		"with --zipf, above 1: the higher, the more often the first accounts are asked about")
	fs.BoolVar(&f.same, "same", false, "always ask about the same account")
	fs.BoolVar(&f.submit, "submit", false, "submit to the stream (protocol.submit), and get the answers on an inbox")
	fs.BoolVar(&f.durable, "durable", false,
		"with --submit: answers go to the stream of replies, and stay there until they expire")
	fs.StringVar(&f.partner, "partner", "",
		"ask for this partner, 2088 and 12 digits, on its own subject (default: the worker's partner)")
	fs.StringVar(&f.accounts, "accounts", "", "file of accounts to ask about, one e-mail or number on each line")
	fs.BoolVar(&f.invented, "invented", false,
		"send made-up accounts even if the gateway is not known to be a practice gateway")
	fs.StringVar(&f.save, "save", "", "write the result to this file as JSON, for 'bench compare'")
	fs.StringVar(&f.chart, "chart", "auto", "draw charts: auto (on a terminal), always or never")
	cli.Must(c.RegisterFlagCompletionFunc("chart",
		cobra.FixedCompletions(benchCharts, cobra.ShellCompDirectiveNoFileComp)))
	cli.Must(c.RegisterFlagCompletionFunc("rate",
		cobra.FixedCompletions([]string{"max"}, cobra.ShellCompDirectiveNoFileComp)))
	f.out = cli.RowsText
	fs.VarP(benchOutput{&f.out}, "output", "o", "what to print")
	cli.Must(c.RegisterFlagCompletionFunc("output",
		cobra.FixedCompletions(benchOutputs, cobra.ShellCompDirectiveNoFileComp)))
	f.given = fs.Changed
}

// benchOutput is cli.Rows without the lines: a result is one value.
type benchOutput struct{ *cli.Rows }

var benchOutputs = []string{string(cli.RowsText), string(cli.RowsJSON), string(cli.RowsCSV)}

// Set refuses what is not in benchOutputs.
func (o benchOutput) Set(s string) error {
	if !slices.Contains(benchOutputs, s) {
		return fmt.Errorf("must be one of %s", strings.Join(benchOutputs, ", "))
	}
	return o.Rows.Set(s)
}

// Type names the value in the help.
func (benchOutput) Type() string { return strings.Join(benchOutputs, "|") }

var benchCharts = []string{"auto", "always", "never"}

// Bounds of what makes sense in one process.
const (
	maxBenchRate   = 1_000_000
	maxOutstanding = 1_000_000
	maxAccountFile = 64 << 20
)

// check reports every fault there is.
func (f *benchFlags) check() error {
	var faults []error
	fault := func(bad bool, name, format string, args ...any) {
		if bad {
			faults = append(faults, &settings.Fault{Setting: name, Err: fmt.Errorf(format, args...)})
		}
	}
	var err error
	if f.rate != "max" {
		f.perSecond, err = strconv.ParseFloat(f.rate, 64)
		fault(err != nil || !(f.perSecond > 0 && f.perSecond <= maxBenchRate), "rate",
			"must be max or a number above 0 and at most %d, not %q", maxBenchRate, f.rate)
	}
	fault(f.span <= 0 || f.span > 24*time.Hour, "for", "must be longer than 0 and at most 24h")
	fault(f.warm < 0, "warm", "must not be negative")
	fault(f.timeout <= 0 || f.timeout > 10*time.Minute, "timeout", "must be longer than 0 and at most 10m")
	fault(f.outstanding < 1 || f.outstanding > maxOutstanding, "outstanding", "must be from 1 to %d", maxOutstanding)
	fault(f.askers < 1 || f.askers > maxOutstanding, "askers", "must be from 1 to %d", maxOutstanding)
	fault(f.zipf < 0, "zipf", "must not be negative")
	fault(!(f.exponent > 1 && f.exponent <= 10), "exponent", "must be above 1 and at most 10")
	loads := 0
	for _, said := range []bool{f.unique, f.zipf > 0, f.same} {
		if said {
			loads++
		}
	}
	fault(loads > 1, "unique, zipf, same", "say one of them")
	fault(f.durable && !f.submit, "durable", "needs --submit")
	fault(f.invented && f.accounts != "", "invented", "with --accounts nothing is made up")
	badPartner := settings.CheckPartnerID(f.partner)
	fault(f.partner != "" && badPartner != nil, "partner", "%w", badPartner)
	fault(!slices.Contains(benchCharts, f.chart), "chart", "must be auto, always or never, not %q", f.chart)
	fault(f.given("exponent") && f.zipf == 0, "exponent", "needs --zipf")
	fault(f.given("askers") && f.rate != "max", "askers", "needs --rate max")
	if f.given("save") {
		err = checkSave(f.save)
		fault(err != nil, "save", "%w", err)
	}
	if f.accounts != "" {
		f.list, err = readAccounts(f.accounts)
		fault(err != nil, "accounts", "%w", err)
		fault(err == nil && f.zipf > len(f.list), "zipf", "the file has only %d accounts", len(f.list))
	}
	return errors.Join(faults...)
}

func runBench(c *cobra.Command, cfg *settings.Config, f *benchFlags) error {
	names, err := messages.NewNames(cfg.Prefix)
	cli.Must(err) // load has checked it
	nc, err := natsconn.Dial(cfg, "bench")
	if err != nil {
		return err
	}
	defer nc.Close()
	a := &benchAsker{nc: nc, f: f, run: nuid.Next(), accounts: f.drawer()}
	a.subjects(names)
	if err := a.probe(c.Context(), names); err != nil {
		return err
	}
	o := load.Options{Rate: f.perSecond, For: f.span, Warm: f.warm, Timeout: f.timeout, Outstanding: f.outstanding}
	if f.perSecond == 0 {
		o.Outstanding = f.askers
	}
	if cli.IsTerminal(c.ErrOrStderr()) {
		o.Tick = func(s load.Second) { tellSecond(c.ErrOrStderr(), s, f.span) }
		fmt.Fprintf(c.ErrOrStderr(), "\r\x1b[Kwarming up for %s", cli.Short(f.warm))
	}
	a.load = load.New(o, a.send)
	if err := a.listen(); err != nil {
		return err
	}
	r := a.load.Run(c.Context())
	r.Settings = f.told()
	if o.Tick != nil {
		fmt.Fprint(c.ErrOrStderr(), "\r\x1b[K")
	}
	if r.Asked == 0 && r.Cut {
		return fmt.Errorf("%w before anything was measured", cli.ErrStopped)
	}
	if err := f.print(c, r); err != nil {
		return err
	}
	if f.save != "" {
		if err := saveResult(f.save, r); err != nil {
			return err
		}
	}
	return benchEnd(r)
}

// benchEnd is the exit code: the load is there to find unanswered asks.
func benchEnd(r *load.Result) error {
	unknown := r.Outcomes[string(messages.Unknown)]
	switch {
	case r.Answered == 0:
		return &cli.Error{Code: cli.ExitNoAnswer, Err: errors.New("nothing that was measured was answered")}
	case unknown > 0:
		return &cli.Error{Code: cli.ExitOther,
			Err: fmt.Errorf("%s answers were not conclusive: their outcome is %s", cli.Grouped(unknown),
				messages.Unknown)}
	case r.Unanswered > 0:
		return cli.Exit(cli.ExitOther)
	}
	return nil
}

// told is the requested load, as it is saved.
func (f *benchFlags) told() map[string]string {
	m := map[string]string{"rate": f.rate, "for": cli.Short(f.span), "warm": cli.Short(f.warm),
		"timeout": cli.Short(f.timeout), "load": "unique", "door": messages.DoorQuery}
	switch {
	case f.zipf > 0:
		m["load"] = fmt.Sprintf("zipf %d, exponent %g", f.zipf, f.exponent)
	case f.same:
		m["load"] = "same"
	}
	if f.rate == "max" {
		m["askers"] = strconv.Itoa(f.askers)
	} else {
		m["outstanding"] = strconv.Itoa(f.outstanding)
	}
	if f.submit {
		m["door"] = messages.DoorSubmit
	}
	if f.durable {
		m["replies"] = "durable"
	}
	if f.partner != "" {
		m["partner"] = f.partner
	}
	if f.accounts != "" {
		m["accounts"] = strconv.Itoa(len(f.list))
	}
	return m
}

// probe asks one question first, to find out whether a worker is there, and whether made-up
// accounts may be sent. Only a practice gateway knows the code that it asks for.
func (a *benchAsker) probe(ctx context.Context, names messages.Names) error {
	ctx, cancel := context.WithTimeout(ctx, a.f.timeout)
	defer cancel()
	q, subject := a.query(0), names.Query()
	made := a.f.accounts == "" && !a.f.invented
	if made {
		q = messages.Query{V: messages.Version, UserEmail: "unlisted+bench." + a.run + "@example.com",
			Partner: a.f.partner}
	}
	q.ID, q.DeadlineMs = a.run, time.Now().Add(a.f.timeout).UnixMilli()
	if q.Partner != "" {
		subject = names.QueryOf(q.Partner)
	}
	r, err := natsconn.Ask(ctx, a.nc, subject, q)
	if err != nil {
		return natsconn.NoAnswer(err, subject, a.f.timeout)
	}
	if made && r.Code != practiceCode {
		said := string(r.Outcome)
		if r.Code != "" {
			said += " " + r.Code
		}
		if _, ours := messages.OutcomeOf(r.Code); ours || r.Outcome == messages.Unknown {
			return &cli.Error{Code: cli.ExitUsage, Hint: "check the partner, or try again",
				Err: fmt.Errorf("it is not known whether this is a practice gateway: the answer to the "+
					"probe does not say (%s)", said)}
		}
		return &cli.Error{Code: cli.ExitUsage,
			Err: fmt.Errorf("the gateway is not known to be a practice gateway (it said: %s), and the accounts are "+
				"made up", said),
			Hint: "--accounts FILE asks about accounts of your own; --invented sends made-up ones all the same"}
	}
	return nil
}

// practiceCode is the practice gateway's answer to unlisted@…; it is in no table of the real
// gateway.
const practiceCode = "ILLEGAL_WEATHER"

var errNoResponders = nats.ErrNoResponders.Error()
