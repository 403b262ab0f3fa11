//go:build linux

// Harm to disks, which only root can do: a full disk, and one whose power is cut.

package scenario

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"protocolq/cmd/chaos/testbed"
	"protocolq/cmd/chaos/verdict"
)

// diskScenarios are those that need root.
func diskScenarios() []Scenario {
	return append([]Scenario{
		{Name: "disk", About: "the disk of the NATS server full, then with room again", Root: true,
			least:  12 * time.Second,
			bounds: verdict.Bounds{Unknown: true}, prepare: smallDisk, harm: fillDisk, tidy: testbed.Unmount},
		{Name: "powercut", About: "kill -9, and the server started again from what the disk really had", Root: true,
			plan: testbed.Plan{Workers: -1, Unlogged: true}, alone: powerCut, tidy: testbed.Unmount},
		blackoutScenario(),
	}, straceScenarios()...)
}

// smallDisk is a file system of 48 MiB for the streams.
func smallDisk(ctx context.Context, h *testbed.Bed) error {
	h.Store = filepath.Join(h.Dir, "small")
	if err := os.MkdirAll(h.Store, 0o700); err != nil {
		return err
	}
	return testbed.Tool(ctx, "mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", h.Store)
}

// fillDisk leaves no byte for a while.
func fillDisk(ctx context.Context, h *testbed.Bed, long time.Duration) error {
	if err := testbed.Pause(ctx, 2*time.Second); err != nil {
		return err
	}
	at := h.Inject(verdict.Full, h.Store)
	ballast := filepath.Join(h.Store, "ballast")
	f, err := os.Create(ballast)
	if err != nil {
		return err
	}
	for block := make([]byte, 64<<10); err == nil; {
		_, err = f.Write(block)
	}
	_ = f.Close()
	if err := testbed.Pause(ctx, long/3); err != nil {
		return err
	}
	if err := os.Remove(ballast); err != nil {
		return err
	}
	// A server that met a full disk keeps JetStream off until it is restarted; its operator must do
	// that.
	s := h.Cluster.Servers[0]
	s.Running.Kill()
	if err := h.Cluster.Start(ctx, s); err != nil {
		return err
	}
	h.Recover(at)
	return nil
}

// powerCut asks, cuts the power, and checks what is left: with sync_interval always, everything
// that was accepted and answered must be there. The server's default is also cut, for comparison.
func powerCut(ctx context.Context, h *testbed.Bed) (v verdict.Verdict, err error) {
	for _, sync := range []string{"", "always"} {
		accepted, left, err := h.Cut(ctx, sync)
		if err != nil {
			return v, err
		}
		name := "sync_interval by default (2 minutes)"
		if sync != "" {
			name = "sync_interval " + sync
		}
		fmt.Fprintf(&h.Story, "           %s: %d durable writes acknowledged, %d survive\n", name, accepted, left)
		v.Asked, v.Lost = accepted, accepted-left
	}
	if v.Lost > 0 || v.Asked == 0 {
		v.Broken = append(v.Broken,
			fmt.Sprintf("%d of %d acknowledged writes are gone with the power", v.Lost, v.Asked))
	}
	return v, nil
}
