// protocolq dev: everything in one process, until a signal.
package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"protocolq/gateway/simulator"
)

type devFlags struct {
	data, natsListen, gatewayListen string
	workers                         int
	seed                            uint64
	latency, jitter                 time.Duration
	faults                          []string
	out                             *output
}

// devSettings are those of a worker that make sense where everything is embedded.
var devSettings = []string{"prefix", "slots", "parked", "window", "freshness", "cooldown", "min-age", "ask-patience", "patience",
	"lease", "after-crash", "call-timeout", "attempts", "retry-initial", "retry-max", "retry-after-max", "retry-budget", "rate", "concurrency", "cloud-events", "grace", "log-level", "log-format"}

func newDev() *cobra.Command {
	cfg, f := &Config{}, &devFlags{}
	practiceConfig(cfg)
	set := newSettings(cfg.table(), devSettings...)
	c := &cobra.Command{
		Use:   "dev",
		Short: "Run everything in one process: NATS, the practice gateway, workers",
		Long: `Runs an embedded NATS server with JetStream, the practice gateway and two workers until a signal.
When all of it answers, it prints where; with -o json as one line of JSON with "nats", "gateway",
"gateway_log" and "database". Without --data nothing is left behind.
Its workers use connections to this gateway again at once, as nobody stands between; others do not.

Then, in another terminal:

  protocolq query --email signed@example.com
  protocolq query --email no-sign-customer@example.com
  protocolq query --email system-error-2@example.com`,
		Example: `  protocolq dev
  protocolq dev --data ./data --latency 50ms --fault system-error:0.05`,
		Args: cobra.NoArgs,
	}
	set.addFlags(c.Flags())
	f.add(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := set.load(c.Flags(), f.check); err != nil {
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
	fs.StringVar(&f.gatewayListen, "gateway-listen", "127.0.0.1:8480", "address of the practice gateway, port 0 for any")
	fs.IntVar(&f.workers, "workers", 2, "how many workers")
	fs.Uint64Var(&f.seed, "seed", 1, "decides what accounts without a part play, the jitter and the faults")
	fs.DurationVar(&f.latency, "latency", 0, "added to every answer of the gateway")
	fs.DurationVar(&f.jitter, "jitter", 0, "added on top, from 0 to this")
	fs.StringArrayVar(&f.faults, "fault", nil, "let the gateway misbehave: NAME[=DURATION][:PROBABILITY], may be repeated")
	f.out = addOutput(c)
	must(c.RegisterFlagCompletionFunc("fault", cobra.FixedCompletions(simulator.FaultNames(), cobra.ShellCompDirectiveNoFileComp)))
}

func runDev(c *cobra.Command, cfg *Config, f *devFlags) error {
	level, err := cfg.level()
	must(err)
	o := houseOptions{Config: cfg, Data: f.data, NATSListen: f.natsListen, GatewayListen: f.gatewayListen, Workers: f.workers,
		Simulator: simulator.Options{Seed: f.seed, Latency: f.latency, Jitter: f.jitter},
		Logger:    newLogger(c.ErrOrStderr(), level, cfg.LogFormat)}
	if o.Simulator.Faults, err = parseFaults(f.faults); err != nil {
		return err
	}
	go giveBack(c.Context())
	h, err := openHouse(c.Context(), o)
	if err != nil {
		return devFault(err)
	}
	if err := tellURLs(c.OutOrStdout(), *f.out, h.URLs(), []string{"nats", "gateway", "gateway_log", "database"}); err != nil {
		return err
	}
	<-c.Context().Done()
	return h.Close()
}

// check tells what can be told before anything is started.
func (f *devFlags) check() error {
	faults := []error{keptData(f.data)}
	for name, address := range map[string]string{"nats-listen": f.natsListen, "gateway-listen": f.gatewayListen} {
		if _, _, err := splitListen(address); err != nil {
			faults = append(faults, &settingError{Setting: name, Err: err})
		}
	}
	if f.workers < 1 || f.workers > 64 {
		faults = append(faults, &settingError{Setting: "workers", Err: fmt.Errorf("must be from 1 to 64, not %d", f.workers)})
	}
	return errors.Join(faults...)
}

func devFault(err error) error {
	end := &exitError{Code: exitOther, Err: fmt.Errorf("dev: %w", err)}
	if strings.Contains(err.Error(), "address already in use") {
		end.Hint = "--nats-listen 127.0.0.1:0 --gateway-listen 127.0.0.1:0 take any free port"
	}
	return end
}
