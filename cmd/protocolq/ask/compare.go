// protocolq compare: asks the same questions in two ways, and says where the answers differ.

package ask

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"

	"protocolq/cmd/protocolq/batch"
	"protocolq/cmd/protocolq/cli"
	"protocolq/cmd/protocolq/compare"
	"protocolq/cmd/protocolq/natsconn"
	"protocolq/cmd/protocolq/settings"
	"protocolq/gateway"
	"protocolq/messages"
	"protocolq/messages/ask"
)

// The ways that can be compared.
const (
	wayCall  = "call"  // the gateway itself, as protocolq call asks it
	wayQueue = "queue" // the workers, as protocolq query asks them
	wayFile  = "file"  // what the file says
)

// comparing is one comparison.
type comparing struct {
	cfg     *settings.Config
	set     *settings.Set
	file    fileFlags
	timeout time.Duration
	out     *cli.Rows

	ways  [2]string
	asks  [2]way
	pairs sync.Map // from a line's id to its *pair, while the line is being asked

	sums compare.Sums
	row  func(batch.Answer, *pair) error
}

// way asks one question; recorded is what the file says about it.
type way func(ctx context.Context, q messages.Query, recorded messages.Result) (messages.Result, error)

// pair is the answers of both ways to one line.
type pair struct {
	recorded messages.Result
	answers  [2]messages.Result
	kinds    []compare.Kind
}

// Compare asks in two ways.
func Compare() *cobra.Command {
	f := &comparing{cfg: &settings.Config{}}
	c := &cobra.Command{
		Use:   "compare (call|queue|file) (call|queue|file) --file F",
		Short: "Ask a file of questions in two ways, and say where the answers differ",
		Long: `Compares the answers of two ways to ask: call asks the gateway directly, with the key that the
settings name, as protocolq call does; queue asks the workers, as protocolq query does; file is what
the file itself has recorded. The file is one that query --file takes, with further columns for the
answer (outcome, charge_agent or debit, refund_charge or refund, user_id, code), any of which may be
missing, or {"query":{…},"result":{…}}, one on each line. A field that only one side has is no difference.

Each line that differs is printed with what differs: outcome, debit, refund, user_id (the two asked about
different accounts), code (another reason), unknown (only one side has an answer). The fleet's limits do
not apply to direct calls; --window limits those. An agreement may change between two asks, and the
workers remember an answer for a while: compare what differs once more.

Exit codes: 0 nothing differs · 1 something does · 6 a line has no answer · 5 one side has no answer yet
            4 lines cannot be asked · 130 stopped; the first that applies`,
		Example: `  protocolq compare call queue --file accounts.csv --partner 2088… --key-file my.key
  protocolq compare file queue --file recorded.csv -o jsonl`,
		Args:      cobra.ExactArgs(2),
		ValidArgs: []string{wayCall, wayQueue, wayFile},
	}
	f.set = settings.New(f.cfg, append(slices.Clone(directSettings), "nats", "nats-creds", "inbox-prefix", "prefix")...)
	f.set.AddFlags(c.Flags())
	f.set.FindDev(c)
	c.Flags().StringVar(&f.file.path, "file", "", "the questions, one a line; - for standard input")
	c.Flags().IntVar(&f.file.window, "window", 4, "how many lines may be on their way at once, 256 at most")
	c.Flags().DurationVar(&f.timeout, "timeout", 30*time.Second, "how long to wait for the answers to one line")
	cli.Must(c.MarkFlagFilename("file", "csv", "jsonl"))
	f.out = cli.AddRows(c, cli.RowsText)
	c.RunE = f.run
	return c
}

// maxCompared bounds the direct calls at once, which the fleet's limits do not bound.
const maxCompared = 256

func (f *comparing) check(args []string) error {
	for i, name := range args {
		if !slices.Contains([]string{wayCall, wayQueue, wayFile}, name) {
			return cli.Usage("%q is no way to ask: call, queue or file", name)
		}
		f.ways[i] = name
	}
	switch {
	case f.ways[0] == f.ways[1]:
		return cli.Usage("%s would be compared with itself", f.ways[0])
	case f.file.path == "":
		return cli.Usage("--file is needed")
	case f.timeout <= 0:
		return cli.Usage("--timeout must be longer than 0")
	case f.file.window < 1 || f.file.window > maxCompared:
		return cli.Usage("--window must be 1 to %d", maxCompared)
	}
	return nil
}

func (f *comparing) run(c *cobra.Command, args []string) error {
	if err := f.check(args); err != nil {
		return err
	}
	client, err := f.gateway(c)
	if err != nil {
		return err
	}
	if client != nil {
		defer client.Close()
	}
	lines, err := f.file.open(c, batch.NewRecorded)
	if err != nil {
		return err
	}
	lines.Fill(messages.Query{Partner: f.cfg.Partner}, "")
	var nc *nats.Conn
	ctx := c.Context()
	if slices.Contains(f.ways[:], wayQueue) {
		if nc, err = natsconn.Dial(f.cfg, "compare"); err != nil {
			return err
		}
		defer nc.Close()
		var stop context.CancelFunc
		ctx, stop = natsconn.WhileAllowed(ctx, nc)
		defer stop()
	}
	f.begin(client, nc)
	flush, err := f.print(c.OutOrStdout())
	if err != nil {
		return err
	}
	beside, begun := f.file.beside(c, min(f.timeout, drain)), time.Now()
	_, err = batch.Run(ctx, f.next(lines),
		batch.Options{Window: f.file.window, Ask: f.ask, Drain: min(f.timeout, drain),
			Print: func(a batch.Answer) error { beside.show(a); return f.compared(a, beside) },
			Flush: func() error { return nil }})
	if flushed := flush(); err == nil {
		err = flushed
	}
	beside.end(f.sums.Text(time.Since(begun)))
	return f.ended(err, nc)
}

// gateway is the gateway to call; nil if no way calls it.
func (f *comparing) gateway(c *cobra.Command) (*gateway.Client, error) {
	if !slices.Contains(f.ways[:], wayCall) {
		return nil, f.set.Load(c.Flags())
	}
	client, err := newClient(c, f.set, f.cfg, f.timeout, func() error { return nil })
	if err == nil {
		settings.TellTestAccount(c.ErrOrStderr(), f.cfg.Partner)
		settings.TellNoProxy(c.ErrOrStderr(), client.Proxy())
	}
	return client, err
}

// begin makes both ways.
func (f *comparing) begin(client *gateway.Client, nc *nats.Conn) {
	ways := map[string]way{
		wayFile: func(_ context.Context, _ messages.Query, recorded messages.Result) (messages.Result, error) {
			return recorded, nil
		},
		wayCall: func(ctx context.Context, q messages.Query, _ messages.Result) (messages.Result, error) {
			answer, report, err := client.Ask(ctx,
				gateway.Query{Partner: q.Partner, UserEmail: q.UserEmail, AccountNo: q.AccountNo}, nil)
			return resultOf(q.Partner, answer, report, err), ctx.Err()
		},
	}
	if nc != nil {
		asker, err := ask.New(nc, ask.Options{Prefix: f.cfg.Prefix})
		cli.Must(err) // of the settings' own prefix
		patient := batch.Patient(asker.Ask, f.timeout)
		ways[wayQueue] = func(ctx context.Context, q messages.Query, _ messages.Result) (messages.Result, error) {
			return patient(ctx, q)
		}
	}
	f.asks = [2]way{ways[f.ways[0]], ways[f.ways[1]]}
}

// next gives each line its own id, because those of the file may repeat.
func (f *comparing) next(lines *batch.Reader) func() (batch.Line, error) {
	return func() (batch.Line, error) {
		l, err := lines.Next()
		if err == nil {
			l.Query.ID = "compare-" + strconv.Itoa(l.Number)
			l.Query.ReplyTo = "" // the answer is wanted here
			f.pairs.Store(l.Query.ID, &pair{recorded: l.Recorded})
			if l.Fault == nil && compare.Empty(l.Recorded) && slices.Contains(f.ways[:], wayFile) {
				l.Fault = &messages.Error{Code: messages.BadRequest, Reason: "the file has no recorded answer for it"}
			}
		}
		return l, err
	}
}

// ask asks both ways at the same time.
func (f *comparing) ask(ctx context.Context, q messages.Query) (messages.Result, error) {
	known, _ := f.pairs.Load(q.ID)
	p := known.(*pair)
	var errs [2]error
	var both sync.WaitGroup
	for i, ask := range f.asks {
		both.Go(func() { p.answers[i], errs[i] = ask(ctx, q, p.recorded) })
	}
	both.Wait()
	return p.answers[1], errors.Join(errs[0], errs[1])
}

// compared counts one line, and prints it if its answers differ.
func (f *comparing) compared(a batch.Answer, beside *beside) error {
	known, _ := f.pairs.LoadAndDelete(a.Query.ID)
	p := known.(*pair)
	f.sums.Lines++
	switch {
	case a.Fault != nil:
		f.sums.Unasked++
		return nil
	case a.Err != nil:
		f.sums.Unanswered++
		beside.note(a.Number, a.Result.Message)
		return nil
	}
	p.kinds = compare.Differ(p.answers[0], p.answers[1])
	if f.sums.Add(p.kinds); len(p.kinds) == 0 {
		return nil
	}
	return f.row(a, p)
}

// print makes row, and gives the function to call after the last row.
func (f *comparing) print(w io.Writer) (flush func() error, err error) {
	words := func(a batch.Answer, p *pair) []string {
		kinds := make([]string, len(p.kinds))
		for i, kind := range p.kinds {
			kinds[i] = string(kind)
		}
		return []string{strconv.Itoa(a.Number), strings.Join(kinds, "+"), compare.Says(p.answers[0]),
			compare.Says(p.answers[1])}
	}
	switch *f.out {
	case cli.RowsText:
		f.row = func(a batch.Answer, p *pair) error {
			cells := words(a, p)
			_, err := fmt.Fprintf(w, "%s:%s  %s: %s says %s; %s says %s\n", cli.Printable(f.file.name()), cells[0],
				cells[1], f.ways[0], cli.Printable(cells[2]), f.ways[1], cli.Printable(cells[3]))
			return err
		}
	case cli.RowsCSV:
		table, err := cli.NewCSV(w, []string{"line", "differs", f.ways[0], f.ways[1]})
		f.row = func(a batch.Answer, p *pair) error { return table.Row(words(a, p)) }
		return table.Flush, err
	default:
		f.row = func(a batch.Answer, p *pair) error {
			return cli.PrintJSON(w,
				map[string]any{"line": a.Number, "differs": p.kinds, f.ways[0]: p.answers[0], f.ways[1]: p.answers[1]})
		}
	}
	return func() error { return nil }, nil
}

// ended is the end of a comparison as an exit code, with what to do.
func (f *comparing) ended(err error, nc *nats.Conn) error {
	switch {
	case err == nil:
		return cli.Exit(f.sums.Exit())
	case nc == nil:
		return err
	}
	return endedEarly(err, nc, f.cfg.Prefix, "comparing is safe to repeat")
}
