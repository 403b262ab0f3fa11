//go:build linux

// Disks that a scenario may harm: file systems in files, and system calls that fail or are slow.

package testbed

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"protocolq/messages"
	"protocolq/messages/ask"
)

// Tool runs a tool of the system.
func Tool(ctx context.Context, name string, args ...string) error {
	if out, err := exec.CommandContext(ctx, name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, out)
	}
	return nil
}

// Unmount removes the file systems of a test bed.
func Unmount(h *Bed) {
	for _, name := range append([]string{"small", "disk", "after"}, Disks...) {
		_ = Tool(context.Background(), "umount", "-l", filepath.Join(h.Dir, name)) // some may not be there
	}
}

// Cut runs a server on its own disk, kills it, and counts what a copy of the raw disk holds.
func (h *Bed) Cut(ctx context.Context, sync string) (accepted, left int, err error) {
	defer func() { h.reset(); Unmount(h) }()
	image, disk := filepath.Join(h.Dir, "image"), filepath.Join(h.Dir, "disk")
	h.Store, h.Sync = disk, sync
	if sync == "" {
		h.Sync = "2m"
	}
	err = errors.Join(os.MkdirAll(disk, 0o700), os.WriteFile(image, nil, 0o600), os.Truncate(image, 512<<20),
		Tool(ctx, "mkfs.ext4", "-q", "-F", image), Tool(ctx, "mount", "-o", "loop", image, disk))
	if err != nil {
		return 0, 0, err
	}
	if err := h.Build(ctx); err != nil {
		return 0, 0, err
	}
	client, err := ask.New(h.Observer.Conn, ask.Options{})
	if err != nil {
		return 0, 0, err
	}
	h.Inject("load", fmt.Sprintf("submitted queries, %s", h.Sync))
	for end := time.Now().Add(4 * time.Second); time.Now().Before(end); accepted++ {
		q := messages.Query{ID: fmt.Sprintf("cut-%d", accepted), UserEmail: accountOf(h.Seed, accepted),
			ReplyTo: fmt.Sprintf("protocol.reply.chaos.cut-%d", accepted)}
		if _, err := client.Submit(ctx, q); err != nil {
			return accepted, 0, err
		}
	}
	h.Inject("power cut", h.Sync)
	h.Cluster.Servers[0].Running.Kill()
	copied, after := filepath.Join(h.Dir, "copy"), filepath.Join(h.Dir, "after")
	err = errors.Join(Tool(ctx, "cp", "--sparse=always", image, copied), Tool(ctx, "umount", "-l", disk),
		os.MkdirAll(after, 0o700), Tool(ctx, "mount", "-o", "loop", copied, after))
	if err != nil {
		return accepted, 0, err
	}
	left, err = h.survivors(ctx, after)
	return accepted, left, err
}

// survivors starts a server on what the disk had, and counts the queries that it still has.
func (h *Bed) survivors(ctx context.Context, store string) (int, error) {
	p := h.Plan
	p.Store, p.Sync = store, "always"
	c, err := newCluster(h.Dir, h.Programs.Nats, p)
	if err != nil {
		return 0, err
	}
	h.Cluster = c
	if err := c.Up(ctx); err != nil {
		return 0, err
	}
	h.Observer.close()
	if h.Observer, err = observe(c.uRLs(), 1); err != nil {
		return 0, err
	}
	n, err := h.Observer.Left(ctx)
	return int(n), err
}

// LogDisk is the disk of the database.
const LogDisk = "log"

// Disks are mounted in the test bed, each a file system in a file. Those of servers have the
// servers' names.
var Disks = []string{"nats-1", "nats-2", "nats-3", LogDisk}

// Image is the file with the n-th life of a disk.
func (h *Bed) Image(disk string, life int) string {
	return filepath.Join(h.Dir, fmt.Sprintf("%s.image.%d", disk, life))
}

// Format makes a disk of 256 MiB and mounts it.
func (h *Bed) Format(ctx context.Context, disk string) error {
	image := h.Image(disk, 0)
	return errors.Join(os.WriteFile(image, nil, 0o600), os.Truncate(image, 256<<20),
		Tool(ctx, "mkfs.ext4", "-q", "-F", image), h.Mount(ctx, disk, 0))
}

// Mount puts the given life of a disk into its place in the test bed.
func (h *Bed) Mount(ctx context.Context, disk string, life int) error {
	folder := filepath.Join(h.Dir, disk)
	return errors.Join(os.MkdirAll(folder, 0o700), Tool(ctx, "mount", "-o", "loop", h.Image(disk, life), folder))
}

// Tamper lets strace change the calls of a process until the returned func is called. calls and
// inject are in strace's syntax.
func (h *Bed) Tamper(ctx context.Context, p *Process, calls, inject string) (func() error, error) {
	name := fmt.Sprintf("strace-%d", len(h.Harm)+1)
	s, err := start(ctx, h.Dir, name, nil, "strace", "-f", "-o", "/dev/null", "-e", "trace="+calls, "-e",
		"inject="+calls+":"+inject, "-p", fmt.Sprint(p.cmd.Process.Pid))
	if err != nil {
		return nil, err
	}
	if err := Eventually(ctx, 5*time.Second, "strace attached",
		func() bool { return s.Said("attached") || !s.Alive() }); err != nil || !s.Alive() {
		s.Kill()
		return nil, errors.Join(err, fmt.Errorf("strace does not attach to %s: see %s", p.Name, s.log))
	}
	return func() error {
		s.Signal(syscall.SIGTERM) // strace detaches, and the process goes on
		_, err := s.End(10 * time.Second)
		return err
	}, nil
}

// Sweep removes what a server has left behind in the streams that are queues, until they are empty:
// messages that were acknowledged while the disk did not let it remove them. The server neither
// delivers them again nor removes them later.
func (h *Bed) Sweep(ctx context.Context) error {
	swept := 0
	err := Eventually(ctx, Settle, "the queues empty, but for what is left behind", func() bool {
		for consumer, kind := range map[string]messages.Kind{messages.ConsumerSubmitted: messages.Submitted,
			messages.ConsumerRecorder: messages.Log} {
			n, err := h.sweepOne(ctx, kind, consumer)
			if swept += n; err != nil {
				return false
			}
		}
		left, err := h.Observer.Left(ctx)
		lines, lerr := h.Observer.Count(ctx, messages.Log)
		return err == nil && lerr == nil && left == 0 && lines == 0
	})
	if swept > 0 {
		h.Inject("swept", fmt.Sprintf("%d messages that were acknowledged and not removed", swept))
	}
	return err
}

// sweepOne removes messages below the position up to which a consumer has acknowledged everything.
func (h *Bed) sweepOne(ctx context.Context, kind messages.Kind, consumer string) (n int, err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	stream := h.Observer.Names.Stream(kind)
	c, err := h.Observer.JS.Consumer(ctx, stream, consumer)
	if err != nil {
		return 0, err
	}
	for _, subject := range h.Observer.Names.Captures(kind) {
		body := fmt.Sprintf(`{"filter":%q,"seq":%d}`, subject, c.CachedInfo().AckFloor.Stream+1)
		m, err := h.Observer.Conn.RequestWithContext(ctx, "$JS.API.STREAM.PURGE."+stream, []byte(body))
		if err != nil {
			return n, err
		}
		var answer struct{ Purged int }
		if err := json.Unmarshal(m.Data, &answer); err != nil {
			return n, err
		}
		n += answer.Purged
	}
	return n, nil
}
