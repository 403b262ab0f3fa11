// Rounds: every contestant of every cell, round by round, so that noise of the machine affects all
// of a cell alike.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"protocolq/cmd/peerbench/cmdline"
)

// schedule is what to run, how often, and where the lines go.
type schedule struct {
	cells     []cell
	rounds    int
	seed      uint64
	max       time.Duration
	extra     string
	tag, out  string
	externals map[string][]string // flags of contestants from outside the bench
}

func roundsCommand(ctx context.Context, args []string) error {
	s, err := parseRounds(args)
	if err != nil {
		return err
	}
	if err := build(ctx); err != nil {
		return err
	}
	if err := s.withFirstCore(ctx); err != nil {
		return err
	}
	return s.run(ctx)
}

// withFirstCore builds the first core if it is to be measured. A clone without it is measured
// without it.
func (s *schedule) withFirstCore(ctx context.Context) error {
	if !asks(s.cells, firstCore) {
		return nil
	}
	err := buildFirstCore(ctx)
	if !errors.Is(err, errNotInClone) {
		return err
	}
	fmt.Fprintf(os.Stderr, "peerbench: contestant %s is left out, its bars stay unmeasured: %v\n", firstCore, err)
	s.cells = leaveOut(s.cells, firstCore)
	return nil
}

func parseRounds(args []string) (*schedule, error) {
	s := &schedule{externals: map[string][]string{}}
	f := flag.NewFlagSet("peerbench rounds", flag.ExitOnError)
	plan := f.String("plan", "bars",
		"cells to run, with commas between: "+strings.Join(planNames(), ", ")+"; the flags below make others instead")
	contestants := f.String("contestants", "", "contestants, in place of a plan's")
	dists := f.String("dists", "unique", "with -contestants: loads")
	callers := f.String("c", "512", "with -contestants: callers")
	workers := f.String("workers", "1", "with -contestants: worker processes")
	latencies := f.String("latencies", "0s", "with -contestants: gateway latencies")
	f.IntVar(&s.rounds, "rounds", 5, "rounds")
	f.Uint64Var(&s.seed, "seed", 1, "of the order within a round, and of the keys")
	f.DurationVar(&s.max, "max", 2*time.Second, "sending time of a run")
	f.StringVar(&s.extra, "extra", "", "more flags of cell, with every contestant")
	f.StringVar(&s.tag, "tag", "", "goes into each line")
	f.StringVar(&s.out, "out", "results.jsonl", "file; what stands in it, of this build of protocolq, is not run again")
	var names []string
	f.Func("external", "`NAME and flags` of one more contestant, such as 'mine -worker-cmd \"…\"'; may be repeated",
		func(v string) error {
			words := cmdline.Split(v)
			if len(words) < 2 {
				return errors.New("needs a name and flags")
			}
			names = append(names, words[0])
			s.externals[words[0]] = words[1:]
			return nil
		})
	_ = f.Parse(args) // ends the program itself
	var err error
	if *contestants != "" || len(names) > 0 {
		all := slices.Concat(list(*contestants), names)
		s.cells, err = cross(all, list(*dists), list(*latencies), list(*callers), list(*workers))
	} else {
		s.cells, err = plans(list(*plan))
	}
	for _, c := range s.cells {
		for _, name := range c.contestants {
			if _, _, ok := known(name); !ok && s.externals[name] == nil {
				err = errors.Join(err, fmt.Errorf("no contestant %q: one of %s, or -external", name,
					strings.Join(contestantNames(), ", ")))
			}
		}
	}
	return s, err
}

// list splits at commas; an empty text gives no items.
func list(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' })
}

// due is one run of the plan.
type due struct {
	round int
	cell  cell
	name  string
}

// runs are all runs of the plan, round by round.
func (s *schedule) runs() (all []due) {
	for round := range s.rounds {
		for _, c := range s.cells {
			if round > 0 && c.once {
				continue
			}
			for _, name := range s.order(round, c) {
				all = append(all, due{round, c, name})
			}
		}
	}
	return all
}

func (s *schedule) run(ctx context.Context) error {
	build, err := fingerprint("bin/protocolq")
	if err != nil {
		return err
	}
	done, err := finished(s.out)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(s.out, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	failed := 0
	for _, r := range s.runs() {
		id := strings.Join([]string{s.tag, build, fmt.Sprint(r.round), r.cell.String(), r.name}, "/")
		if done[id] {
			continue
		}
		line, err := s.one(ctx, r.cell, r.name)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			failed++
		}
		fmt.Fprintf(os.Stderr, "round %d/%d  %-28s %-18s %s\n", r.round+1, s.rounds, r.cell, r.name,
			progress(line, err))
		line["cell"], line["round"], line["tag"], line["build"] = id, r.round, s.tag, build
		if err := json.NewEncoder(f).Encode(line); err != nil {
			return err
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d runs failed: their lines in %s say why", failed, s.out)
	}
	return nil
}

// finished reads which runs a file already holds. A failed run is repeated.
func finished(path string) (map[string]bool, error) {
	done := map[string]bool{}
	lines, err := readLines(path)
	if errors.Is(err, os.ErrNotExist) {
		return done, nil
	}
	for _, l := range lines {
		if l["failed"] == nil {
			done[l.text("cell")] = true
		}
	}
	return done, err
}

// order shuffles a cell's contestants, anew for each round, by the seed.
func (s *schedule) order(round int, c cell) []string {
	h := fnv.New64a()
	_, _ = io.WriteString(h, c.String())
	r := rand.New(rand.NewPCG(s.seed, h.Sum64()+uint64(round)))
	all := slices.Clone(c.contestants)
	r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all
}

// one runs a cell in its own process, so that no run inherits the heap of the one before.
func (s *schedule) one(ctx context.Context, c cell, name string) (row, error) {
	args := append([]string{"cell", "-contestant", name, "-max", s.max.String(), "-seed", fmt.Sprint(s.seed)},
		c.flags()...)
	args = append(args, cmdline.Split(s.extra)...)
	args = append(args, s.externals[name]...)
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // it must end its own processes
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	line := row{}
	err = cmd.Run()
	if err == nil {
		err = json.Unmarshal(stdout.Bytes(), &line)
	}
	if err != nil {
		line = row{"contestant": name, "dist": c.dist, "failed": strings.TrimSpace(stderr.String() + " " + err.Error())}
	}
	return line, err
}

func progress(line row, err error) string {
	if err != nil {
		return "failed: " + line.text("failed")
	}
	return fmt.Sprintf("%7.0f/s (answered %7.0f/s)  p50 %6.2f ms  p99 %6.1f ms  cpu %4.0f us  twice %.0f  unanswered "+
		"%.0f  owed %.0f",
		line.number(drainedRate), line.number("answered_per_second"), line.number("p50_ms"), line.number("p99_ms"),
		line.number("worker_cpu_us_per_answer"),
		line.number("dup_calls"), line.number("issued")-line.number("answered"), line.number("owed"))
}
