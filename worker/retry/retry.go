// Trying again with growing, fully jittered waits, up to a number of attempts.

// Package retry calls a function until it succeeds, says that another try is
// useless, or has been tried often enough. The waits are those of
// cenkalti/backoff, exponential with full jitter: the n-th is drawn evenly from
// 0 to twice its interval, so that callers which failed together do not come
// back together.
package retry

import (
	"context"
	"errors"
	"time"

	"github.com/cenkalti/backoff/v4"
)

// Policy says how often and how long apart. The zero value of a field is its default.
type Policy struct {
	Attempts int           // 5: tries in all
	Initial  time.Duration // 100 ms: the first interval; each next one is 1.5 times as long
	Max      time.Duration // 2.5 s: no interval is longer; a wait is at most twice that
}

// Reason says why Do stopped.
type Reason string

// The reasons.
const (
	Succeeded Reason = "succeeded"
	Useless   Reason = "useless"   // the error is not one that another try can mend
	GaveUp    Reason = "gave_up"   // the last attempt failed, too
	Cancelled Reason = "cancelled" // ctx ended first
)

// Attempt is one try. n is 1-based; again says whether another may mend err, and
// floor how long it must not be made: what is drawn comes on top of it.
type Attempt func(ctx context.Context, n int) (again bool, floor time.Duration, err error)

// Before is called with each wait that is about to begin, and with the attempt
// that has just failed. An error from it ends Do: it is returned joined to the
// attempt's.
type Before func(wait time.Duration, failed int) error

// Do tries until it stops for one of the Reasons. The error is that of the
// last attempt; with ctx ended, ctx's own is joined to it.
func (p Policy) Do(ctx context.Context, try Attempt, before Before) (Reason, error) {
	waits := p.backoff()
	for n := 1; ; n++ {
		again, floor, err := try(ctx, n)
		switch {
		case err == nil:
			return Succeeded, nil
		case ctx.Err() != nil:
			return Cancelled, errors.Join(ctx.Err(), err)
		case !again:
			return Useless, err
		case n >= p.Most():
			return GaveUp, err
		}
		wait := waits.NextBackOff() + max(floor, 0)
		if before != nil {
			if berr := before(wait, n); berr != nil {
				return Cancelled, errors.Join(berr, err)
			}
		}
		if !sleep(ctx, wait) {
			return Cancelled, errors.Join(ctx.Err(), err)
		}
	}
}

// Waits gives one call's waits, one after the other, to who waits by other means than Do.
func (p Policy) Waits() func() time.Duration { return p.backoff().NextBackOff }

// Most is how many tries there are in all.
func (p Policy) Most() int {
	if p.Attempts <= 0 {
		return 5
	}
	return p.Attempts
}

// backoff makes the waits of one call: they keep state, so no two calls may share them.
func (p Policy) backoff() *backoff.ExponentialBackOff {
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
	)
}

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
