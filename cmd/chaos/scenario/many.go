//go:build unix

// Five hundred deaths, for the long run.

package scenario

import (
	"context"
	"fmt"
	"time"

	"protocolq/cmd/chaos/testbed"
	"protocolq/cmd/chaos/verdict"
)

const manyKills = 500

// manyScenario gives no worker more than a second or two. A key whose holders die three times is
// given up, so that answers that settle nothing are to be expected. An asker waits through many
// deaths and asks again meanwhile, and the journal grows. So few bounds hold for replies and
// memory.
func manyScenario() Scenario {
	f := &figures{}
	return recorded(Scenario{Name: "many", About: fmt.Sprintf("kill -9 of a worker every moment, %d times", manyKills),
		least: 220 * time.Second, long: true,
		bounds: verdict.Bounds{Excused: true, Unknown: true, Resident: 512 << 10}, observe: f.tell,
		harm: func(ctx context.Context, h *testbed.Bed, long time.Duration) error { return killMany(ctx, h, long, f) }})
}

// killMany kills and replaces workers until it has done so often enough, or the load ends.
func killMany(ctx context.Context, h *testbed.Bed, long time.Duration, f *figures) error {
	done := 0
	for end := time.Now().Add(long - 5*time.Second); time.Now().Before(end) && done < manyKills; done++ {
		if err := testbed.Pause(ctx, time.Duration(200+h.Rand.IntN(400))*time.Millisecond); err != nil {
			return err
		}
		if err := replace(ctx, h); err != nil {
			return err
		}
	}
	f.add("workers killed", fmt.Sprint(done), "")
	return nil
}
