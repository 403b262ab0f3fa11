//go:build unix

// One run of a scenario: its test bed is built, harmed, inspected and judged.

package scenario

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"protocolq/cmd/chaos/testbed"
	"protocolq/cmd/chaos/verdict"
)

// RunOptions are the settings of one run of a scenario.
type RunOptions struct {
	Pace     verdict.Pace
	Programs testbed.Programs
	Dir      string // made, and removed afterwards unless a bound is broken or keep is set
	Seed     uint64
	Long     time.Duration // of the load; a scenario's own minimum may be longer
	Keep     bool
}

// Run runs the scenario in a test bed of its own; story is what happened, to be printed.
func (s Scenario) Run(ctx context.Context, o RunOptions) (r verdict.Row, story string) {
	h := &testbed.Bed{Plan: s.plan, Pace: o.Pace, Dir: o.Dir, Programs: o.Programs, Seed: o.Seed,
		Rand: rand.New(rand.NewPCG(o.Seed, 1)), Began: time.Now()}
	fmt.Fprintf(&h.Story, "== %s, seed %d: %s\n", s.Name, o.Seed, s.About)
	r = verdict.Row{Name: s.Name, Seed: o.Seed}
	s.bounds.Pace = h.Pace
	t, v, err := s.torture(ctx, h, o.Long)
	h.Teardown()
	if s.tidy != nil {
		s.tidy(h)
	}
	if r.Verdict, r.Faults = v, len(h.Harm); t != nil {
		r.Verdict = verdict.Judge(t, s.bounds)
	}
	if err != nil {
		r.Broken = append(r.Broken, "the run itself: "+err.Error())
	}
	r.Took = time.Since(h.Began)
	for _, b := range r.Broken {
		fmt.Fprintf(&h.Story, "  BROKEN  %s\n", b)
	}
	if len(r.Broken) > 0 {
		r.Logged = h.Warnings()
		for _, o := range r.Offences[:min(len(r.Offences), 10)] {
			fmt.Fprintf(&h.Story, "          %s\n", o)
		}
		keepTestimony(o.Dir, t)
		fmt.Fprintf(&h.Story, "  the test bed is kept in %s, the evidence in evidence.json\n", o.Dir)
	} else if !o.Keep {
		_ = os.RemoveAll(o.Dir)
	}
	return r, h.Story.String()
}

// preparing bounds a row's preparation, in addition to the row's own time: one compiles a server
// with its own standard library, which takes minutes on a busy machine.
const preparing = 15 * time.Minute

func (s Scenario) ready(ctx context.Context, h *testbed.Bed) error {
	ctx, cancel := context.WithTimeout(ctx, preparing)
	defer cancel()
	return s.prepare(ctx, h)
}

// keepTestimony writes down the evidence of a broken bound.
func keepTestimony(dir string, t *verdict.Evidence) {
	if t == nil {
		return
	}
	b, err := json.MarshalIndent(t, "", "\t")
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "evidence.json"), b, 0o600)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "chaos: evidence not kept:", err)
	}
}

// torture builds the test bed, runs load and harm, and gathers the evidence. A scenario with alone
// judges itself.
func (s Scenario) torture(ctx context.Context, h *testbed.Bed, long time.Duration) (t *verdict.Evidence,
	v verdict.Verdict, err error) {
	if err := os.MkdirAll(h.Dir, 0o700); err != nil {
		return nil, v, fmt.Errorf("make the test bed: %w", err)
	}
	if s.prepare != nil {
		if err := s.ready(ctx, h); err != nil {
			return nil, v, fmt.Errorf("prepare: %w", err)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, 4*h.Pace.Settle+2*long+s.least+h.Pace.Away+time.Minute)
	defer cancel()
	long = max(long, s.least)
	if s.alone != nil {
		v, err := s.alone(ctx, h)
		return nil, v, err
	}
	if err := h.Build(ctx); err != nil {
		return nil, v, fmt.Errorf("build the test bed: %w", err)
	}
	if err := h.Load(ctx, long); err != nil {
		return nil, v, err
	}
	if err := s.harm(ctx, h, long); err != nil {
		return nil, v, fmt.Errorf("do harm: %w", err)
	}
	err = h.Quiet(ctx)
	if err == nil && s.after != nil {
		err = errors.Join(s.after(ctx, h), h.Quiet(ctx))
	}
	if err != nil {
		return nil, v, fmt.Errorf("wait for quiet: %w", err)
	}
	if t, err = h.Gather(ctx); err == nil && !h.Unlogged {
		err = h.Recorder.Read(ctx, h, t)
	}
	if err == nil && s.observe != nil {
		err = s.observe(ctx, h, t)
	}
	if err == nil {
		h.Services = append(h.Service("INFO"), h.Service("STATS")...)
		err = errors.Join(h.Rested(ctx, t), h.Search(ctx, t))
	}
	return t, v, err
}
