// What the simulations of fleet, flight and member share.

// Package simtest simulates fleets for tests, each from a seed: what happens depends on the seed
// alone, so that a seed that fails fails again.
//
// [Simulation] is the loop over the seeds, with the flags that choose them:
//
//	go test ./worker/fleet -run TestSimulation -sim.seed 5    one seed, and what happens in it
//	go test ./worker/fleet -run TestSimulation -sim.for 10m   as many as there is time for
//
// [World] is a fleet on a clock of its own. Its log and network, its members and its askers are
// here, around the real fold, watch and fence of package fleet; what a member decides and calls is
// the test's, as [Runs]:
//
//	askers ──ask──▶ Member ──batch──▶ log ──republished, or read──▶ all members
//	                  │ ▲              │
//	             Runs decide        checked as it is stored
//
// Members die, stand still, are cut off, learn nothing new or have a wrong clock; the log has no
// leader, is away, loses requests and acknowledgements, has a batch damaged, and is purged.
// Meanwhile and at the end the world checks what must hold, against one fold of all that was ever
// stored: two calls for one key at a time, an ask that gets two answers or none, a text that is
// purged too early, folds that differ.
package simtest
