//go:build linux

// Harm to disks, which only root can do: one that is full, and one whose power is cut.

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"protocolq/messages"
	"protocolq/messages/ask"
)

// diskScenarios are those that need root.
func diskScenarios() []scenario {
	return append([]scenario{
		{name: "disk", about: "the disk of the NATS server full, then with room again", root: true, least: 12 * time.Second,
			bounds: bounds{Unknown: true}, prepare: smallDisk, harm: fillDisk, tidy: unmount},
		{name: "powercut", about: "kill -9, and the server started again from what the disk really had", root: true,
			plan: plan{Workers: -1}, alone: powerCut, tidy: unmount},
		blackoutScenario(),
	}, straceScenarios()...)
}

// run runs a tool of the system.
func run(ctx context.Context, name string, args ...string) error {
	if out, err := exec.CommandContext(ctx, name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, out)
	}
	return nil
}

// smallDisk is a file system of 48 MiB for the streams.
func smallDisk(ctx context.Context, h *house) error {
	h.Store = filepath.Join(h.dir, "small")
	if err := os.MkdirAll(h.Store, 0o700); err != nil {
		return err
	}
	return run(ctx, "mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", h.Store)
}

// fillDisk leaves no byte for a while.
func fillDisk(ctx context.Context, h *house, long time.Duration) error {
	if err := pause(ctx, 2*time.Second); err != nil {
		return err
	}
	at := h.did(full, h.Store)
	ballast := filepath.Join(h.Store, "ballast")
	f, err := os.Create(ballast)
	if err != nil {
		return err
	}
	for block := make([]byte, 64<<10); err == nil; {
		_, err = f.Write(block)
	}
	_ = f.Close()
	if err := pause(ctx, long/3); err != nil {
		return err
	}
	if err := os.Remove(ballast); err != nil {
		return err
	}
	// A server that met a full disk keeps JetStream off until it is started again; that is its operator's part.
	s := h.cluster.servers[0]
	s.running.kill()
	if err := h.cluster.start(ctx, s); err != nil {
		return err
	}
	h.mended(at)
	return nil
}

// unmount takes the file systems of a house away again.
func unmount(h *house) {
	for _, name := range append([]string{"small", "disk", "after"}, disks...) {
		_ = run(context.Background(), "umount", "-l", filepath.Join(h.dir, name)) // not all are there
	}
}

// powerCut asks, cuts the power, and looks at what is left: with sync_interval always all that was accepted and answered
// must be there. The server's default is cut beside it, for the figure.
func powerCut(ctx context.Context, h *house) (v verdict, err error) {
	for _, sync := range []string{"", "always"} {
		accepted, left, err := h.cut(ctx, sync)
		if err != nil {
			return v, err
		}
		name := "sync_interval by default (2 minutes)"
		if sync != "" {
			name = "sync_interval " + sync
		}
		fmt.Fprintf(&h.told, "           %s: %d durable writes acknowledged, %d survive\n", name, accepted, left)
		v.Asked, v.Lost = accepted, accepted-left
	}
	if v.Lost > 0 || v.Asked == 0 {
		v.Broken = append(v.Broken, fmt.Sprintf("%d of %d acknowledged writes are gone with the power", v.Lost, v.Asked))
	}
	return v, nil
}

// cut lets a server run on a disk of its own, kills it, and counts what a copy of the raw disk holds.
func (h *house) cut(ctx context.Context, sync string) (accepted, left int, err error) {
	defer func() { h.razed(); unmount(h) }()
	image, disk := filepath.Join(h.dir, "image"), filepath.Join(h.dir, "disk")
	h.Store, h.Sync = disk, sync
	if sync == "" {
		h.Sync = "2m"
	}
	err = errors.Join(os.MkdirAll(disk, 0o700), os.WriteFile(image, nil, 0o600), os.Truncate(image, 512<<20),
		run(ctx, "mkfs.ext4", "-q", "-F", image), run(ctx, "mount", "-o", "loop", image, disk))
	if err != nil {
		return 0, 0, err
	}
	if err := h.build(ctx); err != nil {
		return 0, 0, err
	}
	client, err := ask.New(h.seen.nc, ask.Options{})
	if err != nil {
		return 0, 0, err
	}
	h.did("load", fmt.Sprintf("submitted queries, %s", h.Sync))
	for end := time.Now().Add(4 * time.Second); time.Now().Before(end); accepted++ {
		q := messages.Query{ID: fmt.Sprintf("cut-%d", accepted), UserEmail: accountOf(h.seed, accepted), ReplyTo: fmt.Sprintf("protocol.reply.chaos.cut-%d", accepted)}
		if _, err := client.Submit(ctx, q); err != nil {
			return accepted, 0, err
		}
	}
	h.did("power cut", h.Sync)
	h.cluster.servers[0].running.kill()
	copied, after := filepath.Join(h.dir, "copy"), filepath.Join(h.dir, "after")
	err = errors.Join(run(ctx, "cp", "--sparse=always", image, copied), run(ctx, "umount", "-l", disk), os.MkdirAll(after, 0o700), run(ctx, "mount", "-o", "loop", copied, after))
	if err != nil {
		return accepted, 0, err
	}
	left, err = h.survivors(ctx, after)
	return accepted, left, err
}

// survivors starts a server on what the disk had, and counts the queries that it still has.
func (h *house) survivors(ctx context.Context, store string) (int, error) {
	p := h.plan
	p.Store, p.Sync = store, "always"
	c, err := newCluster(h.dir, h.prog.nats, p)
	if err != nil {
		return 0, err
	}
	h.cluster = c
	if err := c.up(ctx); err != nil {
		return 0, err
	}
	h.seen.nc.Close()
	if h.seen, err = observe(c.urls()); err != nil {
		return 0, err
	}
	n, err := h.seen.left(ctx)
	return int(n), err
}
