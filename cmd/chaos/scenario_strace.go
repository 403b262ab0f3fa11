//go:build linux

// Disks that fail and disks that are slow: strace answers for the disk of a NATS server. It must be there, and root.

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"syscall"
	"time"

	"protocolq/messages"
)

// Kinds of faults of a disk that is there.
const (
	broken = "disk EIO"
	slowed = "disk slow"
)

// straceScenarios are those in which a server's calls of the system are tampered with; none where strace is not installed.
func straceScenarios() []scenario {
	if _, err := exec.LookPath("strace"); err != nil {
		return nil
	}
	return []scenario{
		recorded(scenario{name: "eio", about: "the NATS server's disk fails to sync, then to write (EIO), and is mended", root: true, least: 10 * time.Second,
			bounds: bounds{Unknown: true}, harm: failingDisk}),
		recorded(scenario{name: "slowdisk", about: "the NATS server's disk takes 20 ms, then 300 ms for each sync", root: true, least: 9 * time.Second,
			bounds: bounds{Unknown: true}, harm: slowDisk}),
	}
}

// tamper lets strace answer for a process until the returned func is called: calls and inject are in strace's own words.
func (h *house) tamper(ctx context.Context, p *process, calls, inject string) (func() error, error) {
	name := fmt.Sprintf("strace-%d", len(h.harm)+1)
	s, err := start(ctx, h.dir, name, nil, "strace", "-f", "-o", "/dev/null", "-e", "trace="+calls, "-e", "inject="+calls+":"+inject, "-p", fmt.Sprint(p.cmd.Process.Pid))
	if err != nil {
		return nil, err
	}
	if err := eventually(ctx, 5*time.Second, "strace attached", func() bool { return s.said("attached") || !s.alive() }); err != nil || !s.alive() {
		s.kill()
		return nil, errors.Join(err, fmt.Errorf("strace does not attach to %s: see %s", p.name, s.log))
	}
	return func() error {
		s.signal(syscall.SIGTERM) // it lets go, and the process goes on
		_, err := s.end(10 * time.Second)
		return err
	}, nil
}

// failingDisk fails every sync for a while, then every write. A server that met that refuses every message to the streams that
// met it until it is started again, which is its operator's part.
func failingDisk(ctx context.Context, h *house, long time.Duration) error {
	server := h.cluster.servers[0]
	for _, calls := range []string{"fsync", "pwrite64"} {
		if err := pause(ctx, long/8); err != nil {
			return err
		}
		at := h.did(broken, calls)
		letGo, err := h.tamper(ctx, server.running, calls, "error=EIO")
		if err != nil {
			return err
		}
		err = pause(ctx, long/5)
		if err := errors.Join(err, letGo()); err != nil {
			return err
		}
		server.running.kill()
		if err := h.cluster.start(ctx, server); err != nil {
			return err
		}
		h.mended(at)
	}
	return h.sweep(ctx)
}

// sweep takes out what a server has left behind in the streams that are queues, until they are empty: messages that were
// acknowledged while the disk did not let it remove them. It neither delivers them again nor removes them later.
func (h *house) sweep(ctx context.Context) error {
	swept := 0
	err := eventually(ctx, settle, "the queues empty, but for what is left behind", func() bool {
		for consumer, kind := range map[string]messages.Kind{messages.ConsumerAsked: messages.Requests, messages.ConsumerSubmitted: messages.Requests, messages.ConsumerRecorder: messages.Log} {
			n, err := h.sweepOne(ctx, kind, consumer)
			if swept += n; err != nil {
				return false
			}
		}
		left, err := h.seen.left(ctx)
		lines, lerr := h.seen.count(ctx, messages.Log)
		return err == nil && lerr == nil && left == 0 && lines == 0
	})
	if swept > 0 {
		h.did("swept", fmt.Sprintf("%d messages that were acknowledged and not removed", swept))
	}
	return err
}

// sweepOne removes what lies below the place up to which a consumer's messages are all acknowledged.
func (h *house) sweepOne(ctx context.Context, kind messages.Kind, consumer string) (n int, err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	stream := h.seen.names.Stream(kind)
	c, err := h.seen.js.Consumer(ctx, stream, consumer)
	if err != nil {
		return 0, err
	}
	for _, subject := range h.seen.names.Filter(consumer) {
		body := fmt.Sprintf(`{"filter":%q,"seq":%d}`, subject, c.CachedInfo().AckFloor.Stream+1)
		m, err := h.seen.nc.RequestWithContext(ctx, "$JS.API.STREAM.PURGE."+stream, []byte(body))
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

// slowDisk makes every sync slow, then so slow that nothing can be claimed, called and stored within a lease.
func slowDisk(ctx context.Context, h *house, long time.Duration) error {
	for _, delay := range []time.Duration{20 * time.Millisecond, 300 * time.Millisecond} {
		if err := pause(ctx, long/8); err != nil {
			return err
		}
		at := h.did(slowed, delay.String())
		letGo, err := h.tamper(ctx, h.cluster.servers[0].running, "fsync", fmt.Sprintf("delay_enter=%d", delay.Microseconds()))
		if err != nil {
			return err
		}
		err = pause(ctx, long/4)
		if err := errors.Join(err, letGo()); err != nil {
			return err
		}
		h.mended(at)
	}
	return pause(ctx, time.Second)
}
