//go:build unix

// Five hundred deaths, for the long run.

package main

import (
	"context"
	"fmt"
	"time"
)

const manyKills = 500

// manyScenario gives no worker half a second. A key whose holders die three times is given up, so that answers that settle
// nothing are to be expected.
func manyScenario() scenario {
	f := &figures{}
	return recorded(scenario{name: "many", about: fmt.Sprintf("kill -9 of a worker every moment, %d times", manyKills), least: 220 * time.Second, long: true,
		bounds: bounds{Excused: true, Unknown: true, Recovery: recovery}, witness: f.tell,
		harm: func(ctx context.Context, h *house, long time.Duration) error { return killMany(ctx, h, long, f) }})
}

// killMany kills and replaces until it has done so often enough, or the load ends.
func killMany(ctx context.Context, h *house, long time.Duration, f *figures) error {
	done := 0
	for end := time.Now().Add(long - 5*time.Second); time.Now().Before(end) && done < manyKills; done++ {
		if err := pause(ctx, time.Duration(200+h.rng.IntN(400))*time.Millisecond); err != nil {
			return err
		}
		i := h.victim()
		h.did(killed, h.workers[i].name)
		h.workers[i].kill()
		if err := h.work(ctx, i, ""); err != nil {
			return err
		}
	}
	f.add("workers killed", fmt.Sprint(done), "")
	return nil
}
