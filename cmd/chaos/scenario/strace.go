//go:build linux

// Disks that fail and disks that are slow: strace changes the system calls of a NATS server. It
// must be installed, and needs root.

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

// straceScenarios are those in which a server's system calls are changed; none if strace is not
// installed.
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

// failingDisk fails every sync for a while, then every write. A server that met such a failure
// refuses every message to the affected streams until it is restarted, which its operator must do.
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

// slowDisk makes every sync slow, and then so slow that a claim, a call and its storing do not fit
// into a lease.
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
