//go:build linux

// The power of a whole cluster is cut, and that of the query log with it: only root can make the disks for it.

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// blackoutScenario cuts the power of all that stores anything, while workers and askers live on and wait.
func blackoutScenario() scenario {
	r := &recording{}
	return scenario{name: "blackout", about: "the power of three NATS servers and of the query log cut at once, and back on what the disks really had",
		root: true, least: 8 * time.Second, plan: plan{Servers: 3},
		prepare: func(ctx context.Context, h *house) error {
			for _, disk := range disks {
				if err := h.format(ctx, disk); err != nil {
					return err
				}
			}
			r.path, r.key = filepath.Join(h.dir, "log.db"), filepath.Join(h.dir, "log-hmac.key")
			h.Worker = append(h.Worker, "--log-hmac-key-file", r.key)
			return errors.Join(os.WriteFile(r.key, []byte(strings.Repeat("5a", 32)+"\n"), 0o600), os.Symlink(filepath.Join(logDisk, "log.db"), r.path))
		},
		harm:    func(ctx context.Context, h *house, long time.Duration) error { return blackout(ctx, h, r, long) },
		witness: r.read,
		tidy: func(h *house) {
			if r.running != nil {
				r.running.kill()
			}
			unmount(h)
		},
	}
}

// logDisk is where the database lies.
const logDisk = "log"

// disks are mounted in the house, each a file system in a file; the servers' are named as they are.
var disks = []string{"nats-1", "nats-2", "nats-3", logDisk}

// image is the file with the n-th life of a disk.
func (h *house) image(disk string, life int) string {
	return filepath.Join(h.dir, fmt.Sprintf("%s.image.%d", disk, life))
}

// format makes a disk of 256 MiB and mounts it.
func (h *house) format(ctx context.Context, disk string) error {
	image := h.image(disk, 0)
	return errors.Join(os.WriteFile(image, nil, 0o600), os.Truncate(image, 256<<20), run(ctx, "mkfs.ext4", "-q", "-F", image), h.mount(ctx, disk, 0))
}

func (h *house) mount(ctx context.Context, disk string, life int) error {
	folder := filepath.Join(h.dir, disk)
	return errors.Join(os.MkdirAll(folder, 0o700), run(ctx, "mount", "-o", "loop", h.image(disk, life), folder))
}

// blackout kills everything that stores, at once, and starts it again from copies of what had come through to the disks.
func blackout(ctx context.Context, h *house, r *recording, long time.Duration) error {
	if err := r.start(ctx, h); err != nil {
		return err
	}
	for life := 1; life <= max(1, int(long/(20*time.Second))); life++ {
		if err := pause(ctx, time.Duration(3000+h.rng.IntN(2000))*time.Millisecond); err != nil {
			return err
		}
		at := h.did(powerOut, "all servers and the query log")
		dying := []*process{r.running}
		for _, s := range h.cluster.servers {
			dying = append(dying, s.running)
		}
		for _, p := range dying {
			p.signal(syscall.SIGKILL)
		}
		for _, p := range dying {
			p.kill()
		}
		for _, disk := range disks { // copied before anything is unmounted, which would write what is still in memory
			if err := run(ctx, "cp", "--sparse=always", h.image(disk, life-1), h.image(disk, life)); err != nil {
				return err
			}
		}
		for _, disk := range disks {
			if err := errors.Join(run(ctx, "umount", filepath.Join(h.dir, disk)), h.mount(ctx, disk, life), os.Remove(h.image(disk, life-1))); err != nil {
				return err
			}
		}
		if err := errors.Join(h.cluster.up(ctx), r.start(ctx, h)); err != nil {
			return err
		}
		h.mended(at)
	}
	return pause(ctx, 2*time.Second)
}
