// protocolq demo: sends a file of queries through the whole system and prints a table.

package demo

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"

	"protocolq/cmd/protocolq/cli"
	"protocolq/cmd/protocolq/localstack"
	"protocolq/cmd/protocolq/logdb"
	"protocolq/cmd/protocolq/natsconn"
	"protocolq/cmd/protocolq/settings"
	"protocolq/gateway/simulator"
	"protocolq/messages"
	"protocolq/worker/querylog/database"
)

const (
	demoLatency  = 50 * time.Millisecond // long enough that equal questions meet in flight
	demoPatience = 10 * time.Second      // how long an asker of the demo waits
	demoEach     = 2 * time.Millisecond  // and for each query of the file so much longer
	demoGrace    = time.Second           // unanswered asks are not waited for any longer
)

// Demo sends a file of queries through the whole system, in one process.
func Demo() *cobra.Command {
	cfg := &settings.Config{}
	settings.Practice(cfg)
	set := settings.New(cfg, "log-level", "log-format")
	c := &cobra.Command{
		Use:   "demo [FILE]",
		Short: "Send a file of queries through the whole system, in one process",
		Long: `Runs an embedded NATS server, two workers and the practice gateway, asks all queries of a file at the
same moment from as many connections as the file names, and shows every answer. It needs nothing else and
leaves nothing behind. Without FILE it asks built-in queries.

FILE has one JSON object on each line: "from" names the asking connection, "query" is a message as it
goes over NATS, "encoding" may be "json" instead of msgpack, and "raw" is sent as it is, instead of a query.

Exit codes: 0 all were answered and nothing was asked twice · 1 otherwise · 2 a line that cannot be read`,
		Args: cobra.MaximumNArgs(1),
	}
	set.AddFlags(c.Flags())
	cli.Must(c.Flags().Set("log-level", "error")) // the table is the show
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := set.Load(c.Flags()); err != nil {
			return err
		}
		lines, err := readDemo(args)
		if err != nil {
			return &cli.Error{Code: cli.ExitUsage, Err: err}
		}
		return runDemo(c, cfg, lines)
	}
	return c
}

func runDemo(c *cobra.Command, cfg *settings.Config, lines []demoLine) error {
	log := cfg.Logger(c.ErrOrStderr())
	begun := time.Now()
	cfg.Grace = demoGrace
	h, err := localstack.Open(c.Context(),
		localstack.Options{Config: cfg, Simulator: simulator.Options{Seed: 1, Latency: demoLatency}, Logger: log})
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	out := c.OutOrStdout()
	fmt.Fprintf(out, "NATS with JetStream, 2 workers and the practice gateway are up in this process after %s.\n",
		cli.Roundly(time.Since(begun)))
	shows, err := askAll(c.Context(), h, lines, log)
	if err == nil {
		err = tellAnswers(out, shows)
	}
	if err == nil {
		err = tellLog(c.Context(), out, h.Database, len(shows))
	}
	if err == nil {
		err = tellSums(out, shows, h.Sim.Stats())
	}
	if cerr := h.Close(); err == nil {
		err = cerr
	}
	return err
}

// demoShow is one asked line and what came back.
type demoShow struct {
	demoLine
	result messages.Result
	took   time.Duration
	err    error
}

// askAll asks every line at the same moment, each over its own asker's connection.
func askAll(ctx context.Context, h *localstack.Stack, lines []demoLine, log *slog.Logger) ([]demoShow, error) {
	conns := map[string]*nats.Conn{}
	for _, l := range lines {
		if conns[l.from] != nil {
			continue
		}
		nc, err := natsconn.Connect(natsconn.Options{Servers: []string{h.URLs()["nats"]}, Name: l.from, Logger: log})
		if err != nil {
			return nil, fmt.Errorf("demo: %w", err)
		}
		defer nc.Close()
		conns[l.from] = nc
	}
	asked, cancel := context.WithTimeout(ctx, demoPatience+time.Duration(len(lines))*demoEach)
	defer cancel()
	shows := make([]demoShow, len(lines))
	start := make(chan struct{})
	var asking sync.WaitGroup
	for i, l := range lines {
		asking.Go(func() {
			<-start
			begun := time.Now()
			r, err := askRaw(asked, conns[l.from], l)
			shows[i] = demoShow{demoLine: l, result: r, took: time.Since(begun), err: err}
		})
	}
	close(start)
	asking.Wait()
	if ctx.Err() != nil {
		return nil, cli.ErrStopped
	}
	return shows, nil
}

func askRaw(ctx context.Context, nc *nats.Conn, l demoLine) (messages.Result, error) {
	reply, err := nc.RequestMsgWithContext(ctx, l.message)
	if err != nil {
		return messages.Result{}, err
	}
	r, _, err := messages.DecodeResult(reply.Data, reply.Header.Get(messages.HeaderContentType))
	return r, err
}

// tellLog shows what the query log has about the demo, once the recorder has written everything.
func tellLog(ctx context.Context, w io.Writer, url string, asks int) error {
	ctx, cancel := context.WithTimeout(ctx, demoPatience)
	defer cancel()
	db, err := database.Open(ctx, database.Options{URL: url, ReadOnly: true})
	if err != nil {
		return fmt.Errorf("query log: %w", err)
	}
	defer db.Close()
	for {
		s, err := db.Stats(ctx, time.Now().Add(-2*time.Hour), time.Now().Add(time.Hour), "")
		if err == nil && s.Total.Asked >= int64(asks) || ctx.Err() != nil {
			fmt.Fprint(w,
				"\nWhat the query log says about it (protocolq log stats; log list and log show have the details):\n\n")
			return logdb.PrintSums(w, &s, time.Local)
		}
		select {
		case <-ctx.Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// tellAnswers prints a table of every answer.
func tellAnswers(w io.Writer, shows []demoShow) error {
	fmt.Fprintf(w, "%s asked at the same moment:\n\n", cli.Counted(int64(len(shows)), "query was", "queries were"))
	t := cli.NewTable(w, "ASKER", "PARTNER", "ACCOUNT", "OUTCOME", "DEBIT", "REFUND", "CODE", "ANSWER WAS", "CALLS",
		"TIME").Whole("ASKER")
	for _, s := range shows {
		if s.err != nil {
			t.Row(s.from, tail(s.query.Partner), s.account(), "no answer: "+s.err.Error())
			continue
		}
		r := s.result
		t.Row(s.from, tail(r.Partner), s.account(), r.Outcome, cli.YesNo(r.ChargeAgent), cli.YesNo(r.RefundCharge),
			r.Code, r.Source, calls(r.Attempts), cli.Roundly(s.took))
	}
	return t.Flush()
}

// tellSums prints the last line; it is an error when a promise was not kept.
func tellSums(w io.Writer, shows []demoShow, gate simulator.Stats) error {
	answered := 0
	for _, s := range shows {
		if s.err == nil {
			answered++
		}
	}
	twice := gate.Overlapping + gate.AfterConclusive
	fmt.Fprintf(w, "\n%d asked, %d answered, %d gateway calls, %d asked twice\n", len(shows), answered, gate.Calls,
		twice)
	if answered < len(shows) || twice > 0 {
		return &cli.Error{Code: cli.ExitOther}
	}
	return nil
}

// tail is the end of a partner id, enough to tell two apart.
func tail(id string) string {
	if len(id) < 4 {
		return ""
	}
	return "…" + id[len(id)-4:]
}

func calls(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint(n)
}

// account is the account that the line asks about, masked.
func (l demoLine) account() string {
	if l.query.UserEmail != "" {
		return messages.MaskEmail(l.query.UserEmail)
	}
	if l.query.AccountNo != "" {
		return messages.MaskAccount(l.query.AccountNo)
	}
	return "(unreadable)"
}

// openDemo opens the file of queries, or the built-in one.
func openDemo(args []string) (data []byte, name string, err error) {
	if len(args) == 0 {
		return builtInDemo, "built-in queries", nil
	}
	if data, err = cli.ReadBounded(args[0], maxDemoFile); err != nil {
		return nil, "", fmt.Errorf("read queries: %w", err)
	}
	return data, args[0], nil
}
