//go:build unix

// A gateway that is slow in every possible way, and one that lies in every way.

package scenario

import (
	"context"
	"fmt"
	"time"

	"protocolq/cmd/chaos/testbed"
	"protocolq/cmd/chaos/verdict"
)

// slowness would block a client without a deadline for everything, or without bounds on what it
// reads. Half of the calls meet one kind.
var slowness = []string{"delay=1500ms:0.1", "slow-drip=300ms:0.1", "hang:0.1", "endless:0.08", "gzip-bomb:0.08",
	"huge-headers:0.08", "interim:0.05", "half-body:0.05"}

// untruths are what must never be believed. Two of three calls meet one of them.
var untruths = []string{"bad-sign:0.045", "other-account:0.045", "duplicate:0.045", "second-root:0.045",
	"wrong-root:0.045", "prefixed:0.045", "doctype:0.045",
	"truncated:0.045", "garbage:0.045", "empty:0.045", "half-body:0.045", "gbk-label:0.045", "utf8-label:0.045",
	"utf-16:0.045", "p:0.045", "html:0.045",
	"404:0.045", "500:0.045", "502:0.045", "503:0.045", "redirect-301:0.045", "redirect-302:0.045",
	"redirect-307:0.045", "reset:0.045"}

// overrun is how much longer than the workers' setting a call may take, as the gateway sees it.
const overrun = 500 * time.Millisecond

// slowScenario also checks the fleet's concurrency limit, because calls that hang fill it.
func slowScenario(p verdict.Pace) Scenario {
	const concurrency = 6
	return Scenario{Name: "slow", About: "half of the gateway's answers late, in drops, endless, as bombs or never",
		least: 14 * time.Second,
		harm:  instead(verdict.Sluggish, slowness),
		plan: testbed.Plan{Proxied: true, Rate: 8, Keys: 7,
			Worker: []string{"--concurrency", fmt.Sprint(concurrency)}},
		bounds: verdict.Bounds{Excused: true, Failing: true, Unknown: true,
			Load: &verdict.LoadBounds{Concurrency: concurrency, Call: p.Call + overrun}}}
}

func lyingScenario() Scenario {
	return recorded(Scenario{Name: "lying",
		About: "two of three answers false, forged, for others, or no answers at all", least: 7 * time.Second,
		harm:   instead(verdict.Lies, untruths),
		plan:   testbed.Plan{Proxied: true, Rate: 20, Keys: 15},
		bounds: verdict.Bounds{Excused: true, Failing: true, Unknown: true, Lies: true}})
}

// instead replaces the sound gateway by one with faults until the load is nearly over, so that
// everything ends then.
func instead(kind string, faults []string) func(context.Context, *testbed.Bed, time.Duration) error {
	return func(ctx context.Context, h *testbed.Bed, long time.Duration) error {
		var args []string
		for _, f := range faults {
			args = append(args, "--fault", f)
		}
		bad, err := h.Practice(ctx, args...)
		if err != nil {
			return err
		}
		at := h.Reroute(kind, bad.Address)
		if err := testbed.Pause(ctx, long-500*time.Millisecond); err != nil {
			return err
		}
		h.ToGateway.Lead(h.Gateways[0].Address)
		h.Recover(at)
		return nil
	}
}
