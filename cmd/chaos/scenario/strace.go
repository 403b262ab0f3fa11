//go:build linux

// Disks that fail and disks that are slow: strace answers for the disk of a NATS server. It must be
// there, and root.

package scenario

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"time"

	"protocolq/cmd/chaos/testbed"
	"protocolq/cmd/chaos/verdict"
)

// straceScenarios are those in which a server's calls of the system are tampered with; none where
// strace is not installed.
func straceScenarios() []Scenario {
	if _, err := exec.LookPath("strace"); err != nil {
		return nil
	}
	return []Scenario{
		recorded(Scenario{Name: "eio",
			About: "the NATS server's disk fails to sync, then to write (EIO), and is mended", Root: true,
			least:  10 * time.Second,
			bounds: verdict.Bounds{Unknown: true}, harm: failingDisk}),
		recorded(Scenario{Name: "slowdisk", About: "the NATS server's disk takes 20 ms, then 300 ms for each sync",
			Root: true, least: 9 * time.Second,
			bounds: verdict.Bounds{Unknown: true}, harm: slowDisk}),
	}
}

// failingDisk fails every sync for a while, then every write. A server that met that refuses every
// message to the streams that met it until it is started again, which is its operator's part.
func failingDisk(ctx context.Context, h *testbed.Bed, long time.Duration) error {
	server := h.Cluster.Servers[0]
	for _, calls := range []string{"fsync", "pwrite64"} {
		if err := testbed.Pause(ctx, long/8); err != nil {
			return err
		}
		at := h.Inject(verdict.Broken, calls)
		letGo, err := h.Tamper(ctx, server.Running, calls, "error=EIO")
		if err != nil {
			return err
		}
		err = testbed.Pause(ctx, long/5)
		if err := errors.Join(err, letGo()); err != nil {
			return err
		}
		server.Running.Kill()
		if err := h.Cluster.Start(ctx, server); err != nil {
			return err
		}
		h.Recover(at)
	}
	return h.Sweep(ctx)
}

// slowDisk makes every sync slow, then so slow that nothing can be claimed, called and stored
// within a lease.
func slowDisk(ctx context.Context, h *testbed.Bed, long time.Duration) error {
	for _, delay := range []time.Duration{20 * time.Millisecond, 300 * time.Millisecond} {
		if err := testbed.Pause(ctx, long/8); err != nil {
			return err
		}
		at := h.Inject(verdict.Slowed, delay.String())
		letGo, err := h.Tamper(ctx, h.Cluster.Servers[0].Running, "fsync",
			fmt.Sprintf("delay_enter=%d", delay.Microseconds()))
		if err != nil {
			return err
		}
		err = testbed.Pause(ctx, long/4)
		if err := errors.Join(err, letGo()); err != nil {
			return err
		}
		h.Recover(at)
	}
	return testbed.Pause(ctx, time.Second)
}
