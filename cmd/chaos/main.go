//go:build unix

// The command line: which scenarios, by what seed, for how long.

package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "asker" {
		if err := askerMain(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, "asker:", err)
			os.Exit(1)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := chaos(ctx)
	stop()
	os.Exit(code)
}

type flags struct {
	seed        uint64
	long, total time.Duration
	names       string
	binary      string
	source      string
	keep        bool
	atOnce      int
}

// chaos runs what the flags say and gives the exit code.
func chaos(ctx context.Context) int {
	f := flags{}
	flag.Uint64Var(&f.seed, "seed", 1, "decides what is asked and what harm is done; 0 takes one at random")
	flag.DurationVar(&f.long, "for", 10*time.Second, "load of each scenario; some need longer")
	flag.DurationVar(&f.total, "total", 0, "scenarios over and over, each round by the next seed, for so long")
	flag.StringVar(&f.names, "scenario", "", "names with commas between; all where left out")
	flag.StringVar(&f.binary, "binary", "", "protocolq to torture; built from -source where left out")
	flag.StringVar(&f.source, "source", ".", "top of the module")
	flag.BoolVar(&f.keep, "keep", false, "keep the houses, as is done with those in which a bound was broken")
	flag.IntVar(&f.atOnce, "at-once", 2, "scenarios beside each other")
	flag.Usage = usage
	flag.Parse()
	chosen, err := choose(f.names, f.total > 0)
	if err == nil && flag.NArg() > 0 {
		err = fmt.Errorf("%q is no flag; -h lists them", flag.Arg(0))
	}
	if err == nil && f.binary != "" {
		_, err = os.Stat(f.binary)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		return 2
	}
	top, err := os.MkdirTemp("", "chaos-")
	if err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		return 1
	}
	prog, err := build(ctx, f.source, top, f.binary)
	if err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		return 1
	}
	if f.seed == 0 {
		f.seed = rand.Uint64N(1 << 32)
	}
	sound := f.rounds(ctx, chosen, prog, top)
	if sound && !f.keep {
		_ = os.RemoveAll(top)
	}
	if !sound {
		return 1
	}
	return 0
}

func usage() {
	fmt.Fprintf(os.Stderr, "usage: chaos [flags]\n\n")
	flag.PrintDefaults()
	fmt.Fprintf(os.Stderr, "\nscenarios:\n")
	for _, s := range scenarios() {
		fmt.Fprintf(os.Stderr, "  %-10s %s\n", s.name, s.about)
	}
}

// choose finds scenarios by their names; without names it takes all, those of the long run only in it.
func choose(names string, long bool) (list []scenario, err error) {
	if names == "" {
		return slices.DeleteFunc(scenarios(), func(s scenario) bool { return s.long && !long }), nil
	}
	known := map[string]scenario{}
	for _, s := range scenarios() {
		known[s.name] = s
	}
	for _, name := range strings.Split(names, ",") {
		s, ok := known[name]
		if !ok {
			return nil, fmt.Errorf("there is no scenario %q; -h lists them", name)
		}
		list = append(list, s)
	}
	return list, nil
}

// rounds runs the scenarios, once or until the time is over or a bound is broken, and prints the table of each round.
func (f *flags) rounds(ctx context.Context, chosen []scenario, prog programs, top string) bool {
	for end, seed := time.Now().Add(f.total), f.seed; ; seed++ {
		rows := f.round(ctx, chosen, prog, top, seed)
		sound := !slices.ContainsFunc(rows, func(r row) bool { return len(r.Broken) > 0 })
		printTable(os.Stdout, rows)
		if !sound || ctx.Err() != nil || !time.Now().Before(end) {
			return sound && ctx.Err() == nil
		}
	}
}

// round runs each scenario once, some at a time: a house mostly waits.
func (f *flags) round(ctx context.Context, chosen []scenario, prog programs, top string, seed uint64) []row {
	rows := make([]row, 0, len(chosen))
	var houses errgroup.Group
	houses.SetLimit(max(f.atOnce, 1))
	var mu sync.Mutex // guards rows and standard output
	for _, s := range chosen {
		if s.root && os.Geteuid() != 0 {
			fmt.Printf("== %s: only root can do that, left out\n", s.name)
			continue
		}
		houses.Go(func() error {
			if ctx.Err() != nil {
				return nil
			}
			r, told := f.one(ctx, s, prog, filepath.Join(top, fmt.Sprintf("%s-%d", s.name, seed)), seed)
			mu.Lock()
			defer mu.Unlock()
			rows = append(rows, r)
			fmt.Print(told)
			return nil
		})
	}
	_ = houses.Wait()
	return rows
}

// one runs one scenario in a house of its own; told is the story of it.
func (f *flags) one(ctx context.Context, s scenario, prog programs, dir string, seed uint64) (_ row, told string) {
	h := &house{plan: s.plan, dir: dir, prog: prog, seed: seed, rng: rand.New(rand.NewPCG(seed, 1)), began: time.Now()}
	fmt.Fprintf(&h.told, "== %s, seed %d: %s\n", s.name, seed, s.about)
	r := row{name: s.name, seed: seed}
	ctx, cancel := context.WithTimeout(ctx, 4*settle+2*f.long+s.least+time.Minute)
	defer cancel()
	t, v, err := h.torture(ctx, s, max(f.long, s.least))
	h.raze()
	if s.tidy != nil {
		s.tidy(h)
	}
	if r.verdict, r.faults = v, len(h.harm); t != nil {
		r.verdict = judge(t, s.bounds)
	}
	if err != nil {
		r.Broken = append(r.Broken, "the chamber itself: "+err.Error())
	}
	r.took = time.Since(h.began)
	for _, b := range r.Broken {
		fmt.Fprintf(&h.told, "  BROKEN  %s\n", b)
	}
	if len(r.Broken) > 0 {
		for _, o := range r.Offences[:min(len(r.Offences), 10)] {
			fmt.Fprintf(&h.told, "          %s\n", o)
		}
		keepTestimony(dir, t)
		fmt.Fprintf(&h.told, "  the house is kept in %s, what the witnesses saw in testimony.json\n", dir)
	} else if !f.keep {
		_ = os.RemoveAll(dir)
	}
	return r, h.told.String()
}

// keepTestimony writes down what a broken bound was read from.
func keepTestimony(dir string, t *testimony) {
	if t == nil {
		return
	}
	b, err := json.MarshalIndent(t, "", "\t")
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "testimony.json"), b, 0o600)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "chaos: testimony not kept:", err)
	}
}

// torture builds the house, lets it be asked and harmed, and gathers what was seen; what does everything alone judges itself.
func (h *house) torture(ctx context.Context, s scenario, long time.Duration) (t *testimony, v verdict, err error) {
	if err := os.MkdirAll(h.dir, 0o700); err != nil {
		return nil, v, fmt.Errorf("make house: %w", err)
	}
	if s.alone != nil {
		v, err := s.alone(ctx, h)
		return nil, v, err
	}
	if s.prepare != nil {
		if err := s.prepare(ctx, h); err != nil {
			return nil, v, fmt.Errorf("prepare: %w", err)
		}
	}
	if err := h.build(ctx); err != nil {
		return nil, v, fmt.Errorf("build house: %w", err)
	}
	if err := h.load(ctx, long); err != nil {
		return nil, v, err
	}
	if err := s.harm(ctx, h, long); err != nil {
		return nil, v, fmt.Errorf("do harm: %w", err)
	}
	err = h.quiet(ctx)
	if err == nil && s.after != nil {
		err = errors.Join(s.after(ctx, h), h.quiet(ctx))
	}
	if err != nil {
		return nil, v, fmt.Errorf("wait for quiet: %w", err)
	}
	if t, err = h.gather(ctx); err == nil && s.witness != nil {
		err = s.witness(ctx, h, t)
	}
	if err == nil {
		h.services = append(h.service("INFO"), h.service("STATS")...)
		err = errors.Join(h.rested(ctx, t), h.search(ctx, t))
	}
	return t, v, err
}
