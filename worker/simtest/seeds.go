// The loop over the seeds, which all simulations share.

package simtest

import (
	"flag"
	"testing"
	"time"
)

var (
	oneSeed   = flag.Uint64("sim.seed", 0, "run the simulation with this seed only, and print what happens")
	seedCount = flag.Uint64("sim.seeds", 0, "run the simulation with so many seeds, 0: with its own number")
	firstSeed = flag.Uint64("sim.first", 1, "run the simulation from this seed on")
	playFor   = flag.Duration("sim.for", 0, "run the simulation for so long, whatever -sim.seeds says")
)

// enough is with how many seeds all that must happen has happened.
const enough = 60

// Simulation is a test that is played with seed after seed.
type Simulation struct {
	// Package is its folder, as go test takes it.
	Package string
	// Seeds is with how many seeds it is played, under the race detector with a tenth of them.
	Seeds uint64
	// Play plays a seed. It returns how often each thing happened, and what went wrong, "": nothing.
	Play func(t *testing.T, seed uint64) (seen map[string]int, wrong string)
	// Must are the things that have to happen: a simulation in which nothing happens proves nothing.
	Must []string
}

// Traced reports whether one seed is run, and all that happens is to be printed.
func Traced() bool { return *oneSeed != 0 }

// Run plays the simulation until a seed goes wrong.
func (s Simulation) Run(t *testing.T) {
	t.Helper()
	sum, ran := map[string]int{}, 0
	from, to, end := *firstSeed, *firstSeed+s.Seeds/Slower, time.Now().Add(*playFor)
	if *seedCount > 0 {
		to = from + *seedCount
	}
	if Traced() {
		from, to = *oneSeed, *oneSeed+1
	}
	for seed := from; seed < to || time.Now().Before(end); seed++ {
		seen, wrong := s.Play(t, seed)
		ran++
		for what, n := range seen {
			sum[what] += n
		}
		if wrong != "" {
			t.Fatalf("seed %d (go test %s -run %s -sim.seed %d): %s", seed, s.Package, t.Name(), seed, wrong)
		}
	}
	for _, what := range s.Must {
		if sum[what] == 0 && ran >= enough {
			t.Errorf("in no seed: %s", what)
		}
	}
	t.Log(ran, "seeds:", sum)
}
