//go:build unix

// The times that the workers are told, and what is expected of them for it.

package verdict

import (
	"time"
)

// Pace is the times of one run: short ones, so that much happens in little time, or those that the
// program is shipped with.
type Pace struct {
	Lease, Call, margin time.Duration
	AckWait             time.Duration
	Cooldown            time.Duration
	Settle              time.Duration // how long askers wait for their answers after the load
	Recovery            time.Duration // bound on the p99 from a worker's death to the answers of those who waited
	Away                time.Duration // for how long everyone is away
	shipped             bool          // the workers are told none of these
}

// deadFor is how long after a lease the others wait before they take a call for ended.
const deadFor = 2 * time.Second

// ShortPace is for runs in which much is to happen in little time.
func ShortPace() Pace {
	return Pace{Lease: 5 * time.Second, Call: 2 * time.Second, margin: 5 * time.Second / 8, AckWait: 3 * time.Second,
		Cooldown: 2 * time.Second,
		Settle:   40 * time.Second, Recovery: 5*time.Second + deadFor + 4*time.Second, Away: 12 * time.Second}
}

// ShippedPace is the times that the program is shipped with.
func ShippedPace() Pace {
	return Pace{Lease: 12 * time.Second, Call: 8 * time.Second, margin: time.Second, AckWait: 30 * time.Second,
		Cooldown: 30 * time.Second,
		Settle:   2 * time.Minute, Recovery: 30*time.Second + deadFor +
			4*time.Second, Away: 30 * time.Second, shipped: true}
}

// Settings are what a worker is told of it.
func (p Pace) Settings() []string {
	fresh := []string{"--freshness", "1h"}
	if p.shipped {
		return fresh
	}
	return append(fresh, "--lease", p.Lease.String(), "--call-timeout", p.Call.String(), "--cooldown",
		p.Cooldown.String())
}

// Silence is how long a worker is away to be taken for dead for sure.
func (p Pace) Silence() time.Duration { return p.Lease + deadFor + time.Second }
