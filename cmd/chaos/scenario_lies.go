//go:build unix

// A gateway that is slow in every way there is, and one that lies in every way.

package main

import (
	"context"
	"fmt"
	"time"
)

// slowness is what a client without a deadline over everything, or without bounds on what it reads, would drown in. Half of the
// calls meet one of them.
var slowness = []string{"delay=1500ms:0.1", "slow-drip=300ms:0.1", "hang:0.1", "endless:0.08", "gzip-bomb:0.08", "huge-headers:0.08", "interim:0.05", "half-body:0.05"}

// untruths are what must never be believed. Two of three calls meet one of them.
var untruths = []string{"bad-sign", "other-account", "duplicate", "second-root", "wrong-root", "prefixed", "doctype", "truncated", "garbage", "empty", "half-body",
	"gbk-label", "utf8-label", "utf-16", "p", "html", "404", "500", "502", "503", "redirect-301", "redirect-302", "redirect-307", "reset"}

// callTimeout is what the workers are told; a call may take a little longer in the gateway's eyes.
const (
	callTimeout = 2 * time.Second
	overrun     = 500 * time.Millisecond
)

// slowScenario also holds the fleet to its concurrency, since calls that hang are what fills it.
func slowScenario() scenario {
	const concurrency = 6
	s := scenario{name: "slow", about: "half of the gateway's answers late, in drops, endless, as bombs or never", least: 8 * time.Second, harm: asIs,
		plan:   plan{Rate: 8, Keys: 7, Worker: []string{"--concurrency", fmt.Sprint(concurrency)}},
		bounds: bounds{Excused: true, Failing: true, Unknown: true, Load: &loadBounds{Concurrency: concurrency, Call: callTimeout + overrun}},
	}
	for _, f := range slowness {
		s.plan.Simulator = append(s.plan.Simulator, "--fault", f)
	}
	return s
}

func lyingScenario() scenario {
	s := scenario{name: "lying", about: "two of three answers false, forged, for others, or no answers at all", least: 8 * time.Second, harm: asIs,
		plan:   plan{Rate: 20, Keys: 15},
		bounds: bounds{Excused: true, Failing: true, Unknown: true, Lies: true},
	}
	for _, f := range untruths {
		s.plan.Simulator = append(s.plan.Simulator, "--fault", f+":0.045")
	}
	return recorded(s)
}

// asIs does no harm but that of the gateway itself.
func asIs(ctx context.Context, _ *house, long time.Duration) error { return pause(ctx, long) }
