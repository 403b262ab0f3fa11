//go:build unix

// The workers' times, and the bounds that follow from them.

package verdict

import (
	"time"
)

// Pace is the times of one run: short ones, so that much happens in little time, or the program's
// defaults.
type Pace struct {
	Lease, Call, margin time.Duration
	AckWait             time.Duration
	Cooldown            time.Duration
	Settle              time.Duration // how long askers wait for their answers after the load
	Recovery            time.Duration // bound on the p99 from a worker's death to the answers of waiting askers
	Away                time.Duration // how long everything is away
	shipped             bool          // the workers get none of these settings
}

// deadFor is how long after a lease the others wait before they take a call as ended.
const deadFor = 2 * time.Second

// ShortPace is for runs in which much happens in little time.
func ShortPace() Pace {
	return Pace{Lease: 5 * time.Second, Call: 2 * time.Second, margin: 5 * time.Second / 8, AckWait: 3 * time.Second,
		Cooldown: 2 * time.Second,
		Settle:   40 * time.Second, Recovery: 5*time.Second + deadFor + 4*time.Second, Away: 12 * time.Second}
}

// ShippedPace is the program's default times.
func ShippedPace() Pace {
	return Pace{Lease: 12 * time.Second, Call: 8 * time.Second, margin: time.Second, AckWait: 30 * time.Second,
		Cooldown: 30 * time.Second,
		Settle:   2 * time.Minute, Recovery: 30*time.Second + deadFor +
			4*time.Second, Away: 30 * time.Second, shipped: true}
}

// Settings are the worker's settings for it.
func (p Pace) Settings() []string {
	fresh := []string{"--freshness", "1h"}
	if p.shipped {
		return fresh
	}
	return append(fresh, "--lease", p.Lease.String(), "--call-timeout", p.Call.String(), "--cooldown",
		p.Cooldown.String())
}

// Silence is how long a worker must be away to be certainly taken as dead.
func (p Pace) Silence() time.Duration { return p.Lease + deadFor + time.Second }
