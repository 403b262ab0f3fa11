//go:build unix

// A rolling restart of the whole fleet under load: every ask is answered, and nothing is asked
// twice.

package main

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"protocolq/cmd/protocolq/cli/clitest"
	"protocolq/messages"
)

// steadily asks at a steady rate until stop is called, which returns how many it asked. Every
// third ask repeats what was asked a moment before.
func steadily(t *testing.T, c *crowd, name string, every time.Duration, parts ...string) (stop func() int) {
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	n := 0
	running.Go(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for ctx.Err() == nil {
			select {
			case <-ctx.Done():
			case <-tick.C:
				account := n
				if n%3 == 2 {
					account = n - 13 // 0.2 s before: in flight, sometimes answered
				}
				c.ask(messages.Query{UserEmail: person(parts[(account+len(parts)*40)%len(parts)], name+strconv.Itoa(account))})
				n++
			}
		}
	})
	return func() int { cancel(); running.Wait(); return n }
}

func TestRollingRestart(t *testing.T) {
	const grace, most = 20 * time.Second, 10 * time.Second // most: how long a drain may take with calls of half a second, on a busy machine too
	s := newStand(t, standOptions{Simulator: []string{"--latency", "250ms", "--jitter", "250ms"}, Worker: append(slices.Clip(patient), "--grace", grace.String(), "--call-timeout", "8s", "--retry-budget", "100000")})
	fleet := s.workers(3)
	crowds := []*crowd{newCrowd(s), newCrowd(s)}
	var stops []func() int
	for i, c := range crowds {
		stops = append(stops, steadily(t, c, strconv.Itoa(i)+"x", 15*time.Millisecond, "signed", "not-signed", "debit-only", "system-error-1", "signed"))
	}
	clitest.Eventually(t, "calls under way", func() bool { return s.stats().InFlight >= 20 })
	for i, old := range fleet {
		began := s.stats()
		took := old.stop()
		s.workers(1)
		// The next worker is stopped only when the new one has its share of the work.
		clitest.Eventually(t, "calls after the restart", func() bool { return s.stats().Calls > began.Calls+200 })
		t.Logf("worker %d drained in %v with %d calls under way", i+1, took.Round(time.Millisecond), began.InFlight)
		if took >= most {
			t.Errorf("worker %d took %v to drain, want less than %v", i+1, took, most)
		}
	}
	asks := 0
	for _, stop := range stops {
		asks += stop()
	}
	all := everybody(t, crowds...)
	sums := s.askedOnce()
	counts := told(all)
	if counts["joined"] == 0 {
		t.Errorf("nobody joined a call: not the test that was meant: %v", counts)
	}
	if len(all) != asks || counts["unknown"]+counts["refused"] != 0 {
		t.Errorf("%d of %d asks answered, %v", len(all), asks, counts)
	}
	t.Logf("%d asks, %d accounts, %d calls; p50 %v, p99 %v; %v", asks, sums.Accounts, sums.Calls, percentile(all, 50), percentile(all, 99), counts)
}
