//go:build unix

// The checks of rest (I10): no harm is left in the workers that lived through it.

package verdict

import (
	"fmt"
)

const (
	restShare = 1.05 // of what a new worker holds
	// More than a new worker's: Go keeps the threads that it once needed, and needs some for each slow
	// file.
	restThreads = 8
	// KiB, a worker's own allowance: Go keeps a heap that has grown for a while, so that a new
	// worker's is no measure.
	restResident = 48 << 10
	restPeak     = 80 << 10 // KiB at any time
)

// rest compares each worker with the new one. Descriptors and goroutines must be equal; threads and
// memory have bounds of their own.
func (v *Verdict) rest(t *Evidence, more int) {
	if len(t.Rests) < 2 {
		return
	}
	fresh, most := t.Rests[len(t.Rests)-1], Rest{}
	for _, r := range t.Rests[:len(t.Rests)-1] {
		for _, c := range []struct {
			what       string
			has, bound int
		}{
			{"file descriptors", r.Descriptors, int(restShare * float64(fresh.Descriptors))},
			{"goroutines", r.Goroutines, int(restShare * float64(fresh.Goroutines))},
			{"threads", r.Threads, fresh.Threads + restThreads},
			{"KiB of memory", r.Resident, restResident + more},
			{"KiB of memory at its most", r.Peak, restPeak + more},
		} {
			if c.has > c.bound {
				v.breaks("%s is not back to rest: %d %s, at most %d", r.Name, c.has, c.what, c.bound)
			}
		}
		most = Rest{"", max(most.Descriptors, r.Descriptors), max(most.Threads, r.Threads),
			max(most.Goroutines, r.Goroutines), max(most.Resident, r.Resident), max(most.Peak, r.Peak)}
	}
	v.figure("a worker at rest: descriptors, goroutines, threads, MiB, MiB at most", most.String(),
		fmt.Sprintf("a new one has %s; %d MiB, %d MiB", fresh, restResident>>10, restPeak>>10))
}

func (r Rest) String() string {
	return fmt.Sprintf("%d, %d, %d, %d, %d", r.Descriptors, r.Goroutines, r.Threads, r.Resident>>10, r.Peak>>10)
}

// Rest is what one worker holds when nothing is asked of it.
type Rest struct {
	Name                 string
	Descriptors, Threads int
	Goroutines           int
	Resident, Peak       int // KiB, now and the maximum
}
