//go:build unix

// The command line: which scenarios, by what seed, for how long.

package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"protocolq/cmd/chaos/scenario"
	"protocolq/cmd/chaos/testbed"
	"protocolq/cmd/chaos/verdict"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "asker" {
		if err := testbed.AskerMain(os.Args[2:]); err != nil {
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
	shipped     bool
	away        time.Duration
	rounds      int
}

// pace is the times of the run.
func (f *flags) pace() verdict.Pace {
	p := verdict.ShortPace()
	if f.shipped {
		p = verdict.ShippedPace()
	}
	p.Away = cmp.Or(f.away, p.Away)
	return p
}

// choose makes the scenarios of one round. They hold what has happened in them, so that no other
// round may have the same.
func (f *flags) choose() ([]scenario.Scenario, error) {
	return scenario.Choose(f.pace(), f.names, f.total > 0)
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
	flag.BoolVar(&f.keep, "keep", false, "keep the runs, as is done with those in which a bound was broken")
	flag.IntVar(&f.atOnce, "at-once", 3, "scenarios beside each other")
	flag.BoolVar(&f.shipped, "shipped", false,
		"with the times that the program is shipped with; the load must last a minute or so")
	flag.DurationVar(&f.away, "away", 0, "how long everyone is away, where they are; 12 s where left out")
	flag.IntVar(&f.rounds, "rounds", 1, "rounds, each by the next seed")
	flag.Usage = usage
	flag.Parse()
	_, err := f.choose()
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
	prog, err := testbed.Build(ctx, f.source, top, f.binary)
	if err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		return 1
	}
	if f.seed == 0 {
		f.seed = rand.Uint64N(1 << 32)
	}
	sound := f.run(ctx, prog, top)
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
	for _, s := range scenario.All(verdict.ShortPace()) {
		fmt.Fprintf(os.Stderr, "  %-10s %s\n", s.Name, s.About)
	}
}

// run runs the scenarios as often as is wanted, or until the time is over or a bound is broken, and
// prints each round's table.
func (f *flags) run(ctx context.Context, prog testbed.Programs, top string) bool {
	all := true
	for end, seed, n := time.Now().Add(f.total), f.seed, 1; ; seed, n = seed+1, n+1 {
		chosen, err := f.choose()
		if err != nil {
			fmt.Fprintln(os.Stderr, "chaos:", err)
			return false
		}
		rows := f.round(ctx, chosen, prog, top, seed)
		sound := !slices.ContainsFunc(rows, func(r verdict.Row) bool { return len(r.Broken) > 0 })
		verdict.PrintTable(os.Stdout, rows)
		all = all && sound
		more := n < f.rounds || sound && time.Now().Before(end)
		if !more || ctx.Err() != nil {
			return all && ctx.Err() == nil
		}
	}
}

// round runs each scenario once, some at a time: a test bed mostly waits.
func (f *flags) round(ctx context.Context, chosen []scenario.Scenario, prog testbed.Programs, top string,
	seed uint64) []verdict.Row {
	rows := make([]verdict.Row, 0, len(chosen))
	var runs errgroup.Group
	runs.SetLimit(max(f.atOnce, 1))
	var mu sync.Mutex // guards rows and standard output
	for _, s := range chosen {
		if s.Root && os.Geteuid() != 0 {
			fmt.Printf("== %s: only root can do that, left out\n", s.Name)
			continue
		}
		runs.Go(func() error {
			if ctx.Err() != nil {
				return nil
			}
			r, story := s.Run(ctx, scenario.RunOptions{Pace: f.pace(), Programs: prog,
				Dir: filepath.Join(top, fmt.Sprintf("%s-%d", s.Name, seed)), Seed: seed, Long: f.long, Keep: f.keep})
			mu.Lock()
			defer mu.Unlock()
			rows = append(rows, r)
			fmt.Print(story)
			return nil
		})
	}
	_ = runs.Wait()
	return rows
}
