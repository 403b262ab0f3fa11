//go:build unix

// The checker on load is held to a made-up storm: each bound broken once, and seen.

package verdict

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"protocolq/gateway/simulator"
)

// stormy is a storm of ten seconds from the twentieth on: calls at 10 a second throughout, each of
// half a second, which the gateway sees end a little later, and an ask each fifth of a second.
func stormy() *Evidence {
	t := &Evidence{Asks: map[string]*Ask{}, Faults: []Fault{{At: 20 * Second, Until: 30 * Second, Kind: Storm}}}
	for n := range int64(600) {
		at := n * Second / 10
		t.Calls = append(t.Calls, simulator.Call{Partner: Partner, Key: fmt.Sprintf("signed+%d@example.com", n), Started: at, Ended: at + Second/2 + leaving - 1})
	}
	for n := range int64(300) {
		id, at, outcome := fmt.Sprint(n), n*Second/5, "signed"
		if at >= 20*Second && at < 33*Second {
			outcome = "unknown"
		}
		t.Asks[id] = &Ask{ID: id, Door: "query", Email: "signed+1@example.com", Sent: at, Replies: []reply{{At: at + Second/2, Outcome: outcome}}}
	}
	return t
}

func TestLoadThatIsAllowedHolds(t *testing.T) {
	v := Verdict{}
	v.load(stormy(), &LoadBounds{Cooldown: ShortPace().Cooldown, Workers: 3, Rate: 10, Concurrency: 5, Goodput: 5 * time.Second})
	if len(v.Broken) != 0 || len(v.Figures) != 4 {
		t.Errorf("broken: %v, figures: %v", v.Broken, v.Figures)
	}
}

func TestEveryBoundOnLoadIsHeld(t *testing.T) {
	good := LoadBounds{Cooldown: ShortPace().Cooldown, Workers: 3, Rate: 10, Concurrency: 5, Goodput: 5 * time.Second}
	for _, c := range []struct {
		word   string
		breaks func(*Evidence, *LoadBounds)
	}{
		{"calls while the gateway fails", func(t *Evidence, _ *LoadBounds) { // each key five times over, none of them new
			for i := range t.Calls {
				t.Calls[i].Key = fmt.Sprintf("signed+%d@example.com", i%2)
			}
		}},
		{"nothing is proved", func(t *Evidence, _ *LoadBounds) { t.Faults[0].Until = 21 * Second }},
		{"goodput back after", func(_ *Evidence, b *LoadBounds) { b.Goodput = 2 * time.Second }},
		{"goodput was not back", func(t *Evidence, _ *LoadBounds) { t.Asks["299"].Replies = nil }},
		{"goodput was not back", func(t *Evidence, _ *LoadBounds) { t.Asks["299"].Replies[0].At += 6 * Second }},
		{"before the storm", func(t *Evidence, _ *LoadBounds) {
			for i := range 20 {
				t.Asks[fmt.Sprint(i)].Replies = nil
			}
		}},
		{"calls a second over all workers", func(_ *Evidence, b *LoadBounds) { b.Rate = 9 }},
		{"never the 20 that are allowed", func(_ *Evidence, b *LoadBounds) { b.Rate = 20 }},
		{"under way over all workers", func(_ *Evidence, b *LoadBounds) { b.Concurrency = 4 }},
		{"never the 9 that are allowed", func(_ *Evidence, b *LoadBounds) { b.Concurrency = 9 }},
	} {
		t.Run(c.word, func(t *testing.T) {
			saw, b := stormy(), good
			c.breaks(saw, &b)
			v := Verdict{}
			v.load(saw, &b)
			if !strings.Contains(fmt.Sprint(v.Broken), c.word) {
				t.Errorf("not seen; broken: %v", v.Broken)
			}
		})
	}
}
