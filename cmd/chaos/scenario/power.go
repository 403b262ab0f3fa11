//go:build linux

// A power cut of a whole cluster and its query log: only root can make the disks for it.

package scenario

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"protocolq/cmd/chaos/testbed"
	"protocolq/cmd/chaos/verdict"
)

// blackoutScenario cuts the power of everything that stores, while workers and askers stay alive
// and wait.
func blackoutScenario() Scenario {
	return Scenario{Name: "blackout",
		About: "the power of three NATS servers and of the query log cut at once, and back on what the disks really " +
			"had",
		Root: true, least: 8 * time.Second, plan: testbed.Plan{Servers: 3}, harm: blackout, tidy: testbed.Unmount,
		prepare: func(ctx context.Context, h *testbed.Bed) error {
			for _, disk := range testbed.Disks {
				if err := h.Format(ctx, disk); err != nil {
					return err
				}
			}
			return os.Symlink(filepath.Join(testbed.LogDisk, "log.db"), filepath.Join(h.Dir, "log.db"))
		},
	}
}

// blackout kills everything that stores, at once, and starts it again from copies of what had
// reached the disks.
func blackout(ctx context.Context, h *testbed.Bed, long time.Duration) error {
	for life := 1; life <= max(1, int(long/(20*time.Second))); life++ {
		if err := testbed.Pause(ctx, time.Duration(3000+h.Rand.IntN(2000))*time.Millisecond); err != nil {
			return err
		}
		at := h.Inject(verdict.PowerOut, "all servers and the query log")
		dying := []*testbed.Process{h.Recorder.Running}
		for _, s := range h.Cluster.Servers {
			dying = append(dying, s.Running)
		}
		for _, p := range dying {
			p.Signal(syscall.SIGKILL)
		}
		for _, p := range dying {
			p.Kill()
		}
		// copied before anything is unmounted, which would write what is only in memory
		for _, disk := range testbed.Disks {
			if err := testbed.Tool(ctx, "cp", "--sparse=always", h.Image(disk, life-1),
				h.Image(disk, life)); err != nil {
				return err
			}
		}
		for _, disk := range testbed.Disks {
			if err := errors.Join(testbed.Tool(ctx, "umount", filepath.Join(h.Dir, disk)), h.Mount(ctx, disk, life),
				os.Remove(h.Image(disk, life-1))); err != nil {
				return err
			}
		}
		if err := errors.Join(h.Cluster.Up(ctx), h.Recorder.Start(ctx, h)); err != nil {
			return err
		}
		h.Recover(at)
	}
	return testbed.Pause(ctx, 2*time.Second)
}
