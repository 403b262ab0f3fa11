// How often a call is tried and how long apart: growing waits with full jitter.

// Package retry says how often something is tried and how long to wait in between. The waits are
// those of cenkalti/backoff, exponential with full jitter: the n-th is drawn evenly from 0 to twice
// its interval, so that callers that failed together do not come back together. The caller does the
// waiting.
package retry

import (
	"time"

	"github.com/cenkalti/backoff/v4"
)

// Policy says how often and how long apart. The zero value of a field is its default.
type Policy struct {
	Attempts int           // 5: tries in all
	Initial  time.Duration // 100 ms: the first interval; each next one is 1.5 times as long
	Max      time.Duration // 2.5 s: no interval is longer; a wait is at most twice that
}

// Most is how many tries there are in all.
func (p Policy) Most() int {
	if p.Attempts <= 0 {
		return 5
	}
	return p.Attempts
}

// Waits gives one call's waits, one after the other. They keep state, so no two calls may share
// them.
func (p Policy) Waits() func() time.Duration {
	if p.Initial <= 0 {
		p.Initial = 100 * time.Millisecond
	}
	if p.Max <= 0 {
		p.Max = 2500 * time.Millisecond
	}
	return backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(p.Initial),
		backoff.WithMaxInterval(p.Max),
		backoff.WithMultiplier(backoff.DefaultMultiplier),
		backoff.WithRandomizationFactor(1),
		backoff.WithMaxElapsedTime(0), // attempts and deadlines bound it, not the clock
	).NextBackOff
}
