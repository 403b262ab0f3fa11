// protocolq dev: everything in one process, until a signal.

package demo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"protocolq/cmd/protocolq/cli"
	"protocolq/cmd/protocolq/console"
	"protocolq/cmd/protocolq/localstack"
	"protocolq/cmd/protocolq/serve"
	"protocolq/cmd/protocolq/settings"
	"protocolq/gateway/simulator"
	"protocolq/worker/ops"
)

type devFlags struct {
	data, natsListen, gatewayListen string
	workers                         int
	seed                            uint64
	latency, jitter                 time.Duration
	faults                          []string
	out                             *cli.Output
}

// devSettings are the worker's settings that make sense if everything is embedded.
var devSettings = []string{"prefix", "slots", "parked", "window", "freshness", "cooldown", "min-age", "ask-patience",
	"patience",
	"lease", "after-crash", "call-timeout", "attempts", "retry-initial", "retry-max", "retry-after-max", "retry-budget",
	"rate", "concurrency", "cloud-events", "grace", "console-listen", "otlp-endpoint", "log-level", "log-format"}

// Dev runs everything in one process until a signal.
func Dev() *cobra.Command {
	cfg, f := &settings.Config{}, &devFlags{}
	settings.Practice(cfg)
	set := settings.New(cfg, devSettings...)
	c := &cobra.Command{
		Use:   "dev",
		Short: "Run everything in one process: NATS, the practice gateway, workers, the page",
		Long: `Runs an embedded NATS server with JetStream, the practice gateway and two workers until a signal.
When everything is ready, it prints the addresses; with -o json as one line of JSON with "nats",
"gateway", "gateway_log", "database" and "console", the page in the browser. Without --data it leaves nothing behind.
Its workers reuse connections to this gateway at once, because there is no proxy in between; other workers do not.

While it runs, it keeps a context named dev, by which the other commands find it ('protocolq context
--help' says when). Then, in another terminal:

  protocolq query --email signed@example.com
  protocolq query --email system-error-2@example.com
  protocolq log list`,
		Example: `  protocolq dev
  protocolq dev --data ./data --latency 50ms --fault system-error:0.05`,
		Args: cobra.NoArgs,
	}
	set.AddFlags(c.Flags())
	f.add(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := set.Load(c.Flags(), f.check, cfg.CheckConsole); err != nil {
			return err
		}
		return runDev(c, cfg, f)
	}
	return c
}

func (f *devFlags) add(c *cobra.Command) {
	fs := c.Flags()
	fs.StringVar(&f.data, "data", "", "directory that keeps the streams (default: nothing is kept)")
	fs.StringVar(&f.natsListen, "nats-listen", "127.0.0.1:4222", "address of the NATS server, port 0 for any")
	fs.StringVar(&f.gatewayListen, "gateway-listen", "127.0.0.1:8480",
		"address of the practice gateway, port 0 for any")
	fs.IntVar(&f.workers, "workers", 2, "how many workers")
	fs.Uint64Var(&f.seed, "seed", 1, "seed of random choices: answers for other accounts, jitter and faults")
	fs.DurationVar(&f.latency, "latency", 0, "added to every answer of the gateway")
	fs.DurationVar(&f.jitter, "jitter", 0, "added on top, from 0 to this")
	fs.StringArrayVar(&f.faults, "fault", nil,
		"let the gateway misbehave: NAME[=DURATION][:PROBABILITY], may be repeated")
	f.out = cli.AddOutput(c)
	cli.Must(c.RegisterFlagCompletionFunc("fault",
		cobra.FixedCompletions(simulator.FaultNames(), cobra.ShellCompDirectiveNoFileComp)))
}

func runDev(c *cobra.Command, cfg *settings.Config, f *devFlags) error {
	o := localstack.Options{Config: cfg, Data: f.data, NATSListen: f.natsListen, GatewayListen: f.gatewayListen,
		Workers:   f.workers,
		Simulator: simulator.Options{Seed: f.seed, Latency: f.latency, Jitter: f.jitter},
		Logger:    cfg.Logger(c.ErrOrStderr())}
	var err error
	if o.Simulator.Faults, err = parseFaults(f.faults); err != nil {
		return err
	}
	go serve.GiveBack(c.Context())
	h, err := localstack.Open(c.Context(), o)
	if err != nil {
		return devFault(err)
	}
	page, err := openPage(c.Context(), cfg, o.Logger)
	if err != nil {
		return errors.Join(devFault(err), h.Close())
	}
	urls := h.URLs()
	urls["console"] = page.address
	found, unfound := openContext(cfg)
	err = tellURLs(c.OutOrStdout(), *f.out, urls, []string{"nats", "gateway", "gateway_log", "database", "console"})
	if err != nil {
		return errors.Join(err, found.Close())
	}
	switch {
	case *f.out == cli.Text && unfound == nil:
		fmt.Fprint(c.OutOrStdout(), findsText)
	case *f.out == cli.Text:
		fmt.Fprintf(c.OutOrStdout(), "\nThe other commands do not find it by themselves: %v.%s", unfound, exports(cfg))
	case unfound != nil:
		o.Logger.Info("not found by other commands", "err", unfound)
	}
	<-c.Context().Done()
	return errors.Join(found.Close(), page.close(), h.Close())
}

const findsText = `
In another terminal, the other commands find it by themselves, as context dev, where no setting,
file or context says otherwise.
`

// openContext writes the context by which the other commands find this dev.
func openContext(cfg *settings.Config) (*settings.DevContext, error) {
	keys := filepath.Dir(cfg.LogHMACKeyFile)
	if err := localstack.WritePracticeKeys(keys); err != nil {
		return nil, err
	}
	return settings.OpenDevContext([][2]string{
		{"nats", strings.Join(cfg.NATS, ",")}, {"prefix", cfg.Prefix},
		{"database", cfg.Database}, {"log-hmac-key-file", cfg.LogHMACKeyFile},
		{"gateway-url", cfg.GatewayURL}, {"unsafe-gateway", "true"},
		{"partner", cfg.Partner}, {"key-file", filepath.Join(keys, cfg.Partner+".key")},
	}, time.Now())
}

// page is the console in this process.
type page struct {
	address string
	stop    context.CancelFunc
	ended   chan error
}

// openPage serves the console on this machine only. If another dev uses its address, it takes any
// free one: only a browser has to know it.
func openPage(ctx context.Context, cfg *settings.Config, log *slog.Logger) (*page, error) {
	l, err := ops.Listen(ctx, cfg.Console.Listen)
	if err != nil && strings.Contains(err.Error(), "address already in use") {
		l, err = ops.Listen(ctx, "127.0.0.1:0")
	}
	if err != nil {
		return nil, fmt.Errorf("open the console's address: %w", err)
	}
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	p, ready := &page{stop: stop, ended: make(chan error, 1)}, make(chan string, 1)
	for _, partner := range settings.PracticeSet {
		cfg.Console.Partners = append(cfg.Console.Partners, partner.ID)
	}
	go func() { p.ended <- console.Serve(serving, cfg, log, l, func(address string) { ready <- address }) }()
	select {
	case p.address = <-ready:
		return p, nil
	case err := <-p.ended:
		stop()
		return nil, errors.Join(errors.New("the console ended before it was ready"), err)
	}
}

func (p *page) close() error { p.stop(); return <-p.ended }

// exports are lines to paste into a shell, so that the other commands find this dev.
func exports(cfg *settings.Config) string {
	lines := [][2]string{{"PROTOCOLQ_DATABASE", cfg.Database}, {"PROTOCOLQ_LOG_HMAC_KEY_FILE", cfg.LogHMACKeyFile}}
	why := "'protocolq log'"
	if nats := strings.Join(cfg.NATS, ","); nats != "nats://127.0.0.1:4222" { // else it is where all look
		lines = append(lines, [2]string{"PROTOCOLQ_NATS", nats})
		why = "the other commands"
	}
	text := "\nFor " + why + ", in another terminal:\n\n"
	for _, line := range lines {
		text += "  export " + line[0] + "=" + cli.ShellWord(line[1]) + "\n"
	}
	return text
}

// check reports the faults that can be found before anything is started.
func (f *devFlags) check() error {
	faults := []error{localstack.CheckData(f.data)}
	for name, address := range map[string]string{"nats-listen": f.natsListen, "gateway-listen": f.gatewayListen} {
		if _, _, err := localstack.SplitListen(address); err != nil {
			faults = append(faults, &settings.Fault{Setting: name, Err: err})
		}
	}
	if f.workers < 1 || f.workers > 64 {
		faults = append(faults,
			&settings.Fault{Setting: "workers", Err: fmt.Errorf("must be from 1 to 64, not %d", f.workers)})
	}
	return errors.Join(faults...)
}

func devFault(err error) error {
	end := &cli.Error{Code: cli.ExitOther, Err: fmt.Errorf("dev: %w", err)}
	if strings.Contains(err.Error(), "address already in use") {
		end.Hint = "--nats-listen 127.0.0.1:0 --gateway-listen 127.0.0.1:0 take any free port"
	}
	return end
}
