// protocolq simulator: the practice gateway, which speaks the real gateway's protocol and
// misbehaves on demand.

package demo

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"protocolq/cmd/protocolq/cli"
	"protocolq/cmd/protocolq/localstack"
	"protocolq/cmd/protocolq/settings"
	"protocolq/gateway"
	"protocolq/gateway/simulator"
)

type simulatorFlags struct {
	listen, logListen string
	seed              uint64
	latency, jitter   time.Duration
	faults            []string
	writeKeys         string
	partners          []gateway.Partner // of the settings; none: the practice partners
	out               *cli.Output
}

// Simulator runs the practice gateway.
func Simulator() *cobra.Command {
	cfg, f := &settings.Config{}, &simulatorFlags{}
	set := settings.New(cfg, "partner", "sign-type", "charset", "key-file", "account-param", "log-level", "log-format")
	c := &cobra.Command{
		Use:   "simulator",
		Short: "Run the practice gateway",
		Long: `Runs the practice gateway until a signal. The account in the query decides the answer. It prints
its URLs when it is ready. Without --partner it knows the two practice partners.

How the e-mail begins decides the answer: signed@…, debit-only+7@…, not-signed@…,
illegal-sign@… (any code works), system-error-2@… (the first 2 calls), fault-drop-1@….
Scenarios: ` + strings.Join(simulator.ScenarioNames(), ", ") + `

A posted form, urlencoded or multipart, must also have _input_charset in its URL, and nothing else
there; without it the answer is ILLEGAL_SIGN.

Faults, for --fault and for fault-NAME@…:
` + faultList(),
		Example: `  protocolq simulator --listen 127.0.0.1:8480 --fault system-error:0.05 --write-keys keys`,
		Args:    cobra.NoArgs,
	}
	set.AddFlags(c.Flags())
	f.add(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		readKeys := func() (err error) {
			if cfg.Partner != "" && cfg.KeyFile != "" {
				f.partners, err = cfg.LoadPartners()
			}
			return err
		}
		if err := set.Load(c.Flags(), readKeys); err != nil {
			return err
		}
		log := cfg.Logger(c.ErrOrStderr())
		set.LogWarnings(log)
		return runSimulator(c, cfg, f, log)
	}
	return c
}

func (f *simulatorFlags) add(c *cobra.Command) {
	fs := c.Flags()
	fs.StringVar(&f.listen, "listen", "127.0.0.1:8480", "address of the gateway, port 0 for any")
	fs.StringVar(&f.logListen, "log-listen", "127.0.0.1:0", "address of its call log, port 0 for any")
	fs.Uint64Var(&f.seed, "seed", 1, "seed of random choices: answers for other accounts, jitter and faults")
	fs.DurationVar(&f.latency, "latency", 0, "added to every answer")
	fs.DurationVar(&f.jitter, "jitter", 0, "added on top, from 0 to this")
	fs.StringArrayVar(&f.faults, "fault", nil, "misbehave: NAME[=DURATION][:PROBABILITY], may be repeated")
	fs.StringVar(&f.writeKeys, "write-keys", "", "write the practice partners' keys into this directory, <partner>.key")
	f.out = cli.AddOutput(c)
	cli.Must(c.RegisterFlagCompletionFunc("fault",
		cobra.FixedCompletions(simulator.FaultNames(), cobra.ShellCompDirectiveNoFileComp)))
}

func runSimulator(c *cobra.Command, cfg *settings.Config, f *simulatorFlags, log *slog.Logger) error {
	options, err := f.options(cfg, log)
	if err != nil {
		return err
	}
	sim, err := simulator.New(options)
	if err != nil {
		return &cli.Error{Code: cli.ExitUsage, Err: err}
	}
	if f.writeKeys != "" {
		if err := localstack.WritePracticeKeys(f.writeKeys); err != nil {
			return err
		}
	}
	gate, err := net.Listen("tcp", f.listen)
	if err != nil {
		return fmt.Errorf("open the gateway's address: %w", err)
	}
	calls, err := net.Listen("tcp", f.logListen)
	if err != nil {
		_ = gate.Close()
		return fmt.Errorf("open the call log's address: %w", err)
	}
	urls := map[string]string{
		"gateway":     "http://" + gate.Addr().String() + simulator.Path,
		"gateway_log": "http://" + calls.Addr().String(),
	}
	if err := tellURLs(c.OutOrStdout(), *f.out, urls, []string{"gateway", "gateway_log"}); err != nil {
		return err
	}
	return sim.Serve(c.Context(), gate, calls)
}

func (f *simulatorFlags) options(cfg *settings.Config, log *slog.Logger) (o simulator.Options, err error) {
	o = simulator.Options{Seed: f.seed, Latency: f.latency, Jitter: f.jitter, AccountParam: cfg.AccountParam,
		Logger: log}
	if o.Faults, err = parseFaults(f.faults); err != nil {
		return o, err
	}
	if cfg.Partner == "" {
		o.Partners = localstack.PracticeAskers(settings.PracticePartners())
		return o, nil
	}
	if f.writeKeys != "" {
		return o, cli.Usage("--write-keys is for the practice partners, not with --partner")
	}
	if cfg.KeyFile == "" {
		return o, cli.Usage("key-file: is needed for partner %s%s", cfg.Partner, settings.HowToSay("key-file"))
	}
	o.Partners = localstack.PracticeAskers(f.partners)
	return o, nil
}

// tellURLs prints where things are: one JSON object in one line, or a line each.
func tellURLs(w io.Writer, out cli.Output, urls map[string]string, order []string) error {
	if out == cli.JSON {
		return cli.PrintJSON(w, urls)
	}
	t := cli.NewTable(w)
	for _, name := range order {
		t.Row(name, urls[name])
	}
	return t.Flush()
}

func faultList() string {
	var b strings.Builder
	t := cli.NewTable(&b)
	for _, name := range simulator.FaultNames() {
		t.Row("  "+name, simulator.FaultDoes(name))
	}
	_ = t.Flush()
	return b.String()
}

// parseFaults reads the values of --fault.
func parseFaults(list []string) ([]simulator.Fault, error) {
	var faults []simulator.Fault
	for _, text := range list {
		fault, err := simulator.ParseFault(text)
		if err != nil {
			return nil, cli.Usage("--fault: %w", err)
		}
		faults = append(faults, fault)
	}
	return faults, nil
}
