//go:build unix

// The checker on load is held to a made-up storm: each bound broken once, and seen.

package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"protocolq/gateway/simulator"
)

// stormy is a storm of ten seconds from the twentieth on: calls at 10 a second throughout, each of half a second, and an ask each
// fifth of a second.
func stormy() *testimony {
	t := &testimony{Asks: map[string]*asked{}, Faults: []fault{{At: 20 * second, Until: 30 * second, Kind: storm}}}
	for n := range int64(600) {
		at := n * second / 10
		t.Calls = append(t.Calls, simulator.Call{Partner: partner, Key: fmt.Sprintf("signed+%d@example.com", n), Started: at, Ended: at + second/2 - 1})
	}
	for n := range int64(300) {
		id, at, outcome := fmt.Sprint(n), n*second/5, "signed"
		if at >= 20*second && at < 33*second {
			outcome = "unknown"
		}
		t.Asks[id] = &asked{ID: id, Door: "query", Email: "signed+1@example.com", Sent: at, Told: []telling{{At: at + second/2, Outcome: outcome}}}
	}
	return t
}

func TestLoadThatIsAllowedHolds(t *testing.T) {
	v := verdict{}
	v.load(stormy(), &loadBounds{Cooldown: cooldown, Workers: 3, Rate: 10, Concurrency: 5, Goodput: 5 * time.Second})
	if len(v.Broken) != 0 || len(v.Figures) != 4 {
		t.Errorf("broken: %v, figures: %v", v.Broken, v.Figures)
	}
}

func TestEveryBoundOnLoadIsHeld(t *testing.T) {
	good := loadBounds{Cooldown: cooldown, Workers: 3, Rate: 10, Concurrency: 5, Goodput: 5 * time.Second}
	for _, c := range []struct {
		word   string
		breaks func(*testimony, *loadBounds)
	}{
		{"calls while the gateway fails", func(t *testimony, _ *loadBounds) { // each key five times over, none of them new
			for i := range t.Calls {
				t.Calls[i].Key = fmt.Sprintf("signed+%d@example.com", i%2)
			}
		}},
		{"nothing is proved", func(t *testimony, _ *loadBounds) { t.Faults[0].Until = 21 * second }},
		{"goodput back after", func(_ *testimony, b *loadBounds) { b.Goodput = 2 * time.Second }},
		{"goodput was not back", func(t *testimony, _ *loadBounds) { t.Asks["299"].Told = nil }},
		{"goodput was not back", func(t *testimony, _ *loadBounds) { t.Asks["299"].Told[0].At += 6 * second }},
		{"before the storm", func(t *testimony, _ *loadBounds) {
			for i := range 20 {
				t.Asks[fmt.Sprint(i)].Told = nil
			}
		}},
		{"calls a second over all workers", func(_ *testimony, b *loadBounds) { b.Rate = 9 }},
		{"never the 20 that are allowed", func(_ *testimony, b *loadBounds) { b.Rate = 20 }},
		{"under way over all workers", func(_ *testimony, b *loadBounds) { b.Concurrency = 4 }},
		{"never the 9 that are allowed", func(_ *testimony, b *loadBounds) { b.Concurrency = 9 }},
	} {
		t.Run(c.word, func(t *testing.T) {
			saw, b := stormy(), good
			c.breaks(saw, &b)
			v := verdict{}
			v.load(saw, &b)
			if !strings.Contains(fmt.Sprint(v.Broken), c.word) {
				t.Errorf("not seen; broken: %v", v.Broken)
			}
		})
	}
}
