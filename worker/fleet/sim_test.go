// A fleet under faults drawn from a seed (package simtest), whose members call and answer as the
// fold lets them.

package fleet_test

import (
	"testing"

	"protocolq/worker/simtest"
)

func TestSimulation(t *testing.T) {
	simtest.Simulation{
		Package: "./worker/fleet", Seeds: 100,
		Play: func(_ *testing.T, seed uint64) (map[string]int, string) {
			w := simtest.New(seed, simtest.Options{Runs: newRuns, StoredAgain: true, Forgets: true, Damages: true, FoldAnew: true})
			wrong := w.Play()
			return w.Seen, wrong
		},
		Must: []string{
			"asked", "journalled twice", "stored again", "stored anew", "near", "told", "told twice", "called", "retried", "failed", "answered", "late answer", "void", "reran", "crashed", "poison",
			"served", "cooled", "deadline", "refresh", "died", "frozen", "cut off", "away", "leaderless", "joined", "rejoined", "sealed", "sealed itself",
			"request lost", "acknowledgement lost", "sent again", "gap", "carried ask", "carried begin", "carried answer", "purged", "fenced", "clock moved", "early", "stale read", "deaf", "sink away", "conflict", "recalled", "damaged", "forgot", "settled forgotten", "came forgotten", "dropped",
		},
	}.Run(t)
}
