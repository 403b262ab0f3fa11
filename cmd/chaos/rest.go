//go:build unix

// Back to rest (I10): when all is quiet, a worker that was there through the harm holds no more than one that was just started.

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"protocolq/messages"
	"protocolq/messages/ask"
)

// rest is what one worker holds when nothing is asked of it.
type rest struct {
	Name                 string
	Descriptors, Threads int
	Goroutines           int
	Resident, Peak       int // KiB, now and at most ever
}

// rested waits until the consumers have nothing pending, takes the gateways away, with whose connections their goroutines end,
// and looks at the workers beside a new one that has answered a little. At last each is ended by SIGQUIT, which makes it say what its goroutines do.
func (h *house) rested(ctx context.Context, t *testimony) error {
	if err := h.seen.idle(ctx, restWithin); err != nil {
		t.Surplus = append(t.Surplus, "consumers not back to rest: "+err.Error())
	}
	var old []*process
	for _, p := range h.workers {
		switch {
		case p == nil:
		case p.alive():
			old = append(old, p)
		default:
			t.Surplus = append(t.Surplus, p.name+" has ended, and nobody ended it")
		}
	}
	if _, err := os.Stat("/proc/self/fd"); err != nil || len(old) == 0 {
		return nil // nobody to look at, or no way to
	}
	if err := h.work(ctx, len(h.workers), ""); err != nil {
		return err
	}
	fresh := h.workers[len(h.workers)-1]
	if err := errors.Join(h.ready(ctx), h.warm(ctx), h.seen.idle(ctx, settle)); err != nil {
		return err
	}
	for _, g := range h.gateways {
		g.kill()
	}
	var want rest
	err := eventually(ctx, restWithin, "the new worker has no connection to a gateway", func() (calm bool) {
		before := want.Descriptors
		var err error
		want, err = look(fresh)
		return err == nil && want.Descriptors == before
	})
	if err != nil {
		return err
	}
	for _, p := range old {
		var r rest
		// What is still open is no fault, if it is closed soon.
		err := eventually(ctx, restWithin, p.name+" rests", func() bool {
			r, err = look(p)
			return err == nil && r.Descriptors <= want.Descriptors
		})
		if err != nil && ctx.Err() != nil {
			return err
		}
		t.Rests = append(t.Rests, r)
	}
	t.Rests = append(t.Rests, want) // the last one is the new one
	if err := pause(ctx, restPause); err != nil {
		return err
	}
	for i, p := range append(old, fresh) {
		if t.Rests[i].Goroutines, err = goroutines(p); err != nil {
			return err
		}
	}
	return nil
}

// warm lets every worker answer something by each door: some of what a worker holds it only begins to hold then.
func (h *house) warm(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, settle)
	defer cancel()
	const asks = 40
	ended := make(chan error, 2*asks)
	for i := range asks {
		q := messages.Query{ID: fmt.Sprintf("warm-%d", i), UserEmail: emailOf("signed", fmt.Sprintf("warm%d.%d", h.seed, i))}
		go func() { _, err := ask.Ask(ctx, h.seen.nc, q); ended <- err }()
		q.ID, q.ReplyTo = "warmed-"+fmt.Sprint(i), "protocol.reply.chaos.warmed"
		go func() { _, err := ask.Submit(ctx, h.seen.nc, q); ended <- err }()
	}
	for range 2 * asks {
		if err := <-ended; err != nil {
			return fmt.Errorf("warm the new worker: %w", err)
		}
	}
	return nil
}

// How long descriptors may take to be given back, and what waits a moment for more work before it ends.
const (
	restWithin = 10 * time.Second
	restPause  = 500 * time.Millisecond
)

// look reads what the kernel knows of a process.
func look(p *process) (rest, error) {
	r := rest{Name: p.name}
	dir := fmt.Sprintf("/proc/%d", p.cmd.Process.Pid)
	open, err := os.ReadDir(filepath.Join(dir, "fd"))
	status, serr := os.ReadFile(filepath.Join(dir, "status"))
	if err := errors.Join(err, serr); err != nil {
		return r, fmt.Errorf("look at %s: %w", p.name, err)
	}
	r.Descriptors = len(open)
	for line := range strings.Lines(string(status)) {
		for name, into := range map[string]*int{"Threads:": &r.Threads, "VmRSS:": &r.Resident, "VmHWM:": &r.Peak} {
			if value, found := strings.CutPrefix(line, name); found {
				_, _ = fmt.Sscan(value, into)
			}
		}
	}
	return r, nil
}

// aGoroutine is the head of one that is not the garbage collector's.
var aGoroutine = regexp.MustCompile(`(?m)^goroutine \d+ .*\[[^G]`)

// goroutines ends a worker and counts what it says that it did.
func goroutines(p *process) (int, error) {
	before, err := os.ReadFile(p.log)
	if err != nil {
		return 0, err
	}
	p.signal(syscall.SIGQUIT)
	if _, err := p.end(10 * time.Second); err != nil {
		return 0, err
	}
	after, err := os.ReadFile(p.log)
	if err != nil {
		return 0, err
	}
	n := len(aGoroutine.FindAll(bytes.TrimPrefix(after, before), -1))
	if n == 0 {
		return 0, fmt.Errorf("%s tells of no goroutine", p.name)
	}
	return n, nil
}

// idle waits until no consumer of the workers has anything pending.
func (o *observer) idle(ctx context.Context, within time.Duration) error {
	held := ""
	err := eventually(ctx, within, "nothing pending", func() bool {
		held = ""
		for kind, name := range map[messages.Kind]string{messages.Requests: messages.ConsumerAsked, messages.Waiting: messages.ConsumerWaiting} {
			held += o.pending(ctx, kind, name)
		}
		held += o.pending(ctx, messages.Requests, messages.ConsumerSubmitted)
		return held == ""
	})
	if err != nil && held != "" {
		return errors.New(held)
	}
	return err
}

// pending says what a consumer still has before it, in words, "" where that is nothing.
func (o *observer) pending(ctx context.Context, kind messages.Kind, name string) string {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	c, err := o.js.Consumer(ctx, o.names.Stream(kind), name)
	if errors.Is(err, jetstream.ErrConsumerNotFound) || errors.Is(err, jetstream.ErrStreamNotFound) {
		return ""
	}
	if err != nil {
		return fmt.Sprintf("%s: %v; ", name, err)
	}
	if i := c.CachedInfo(); i.NumPending > 0 || i.NumAckPending > 0 {
		return fmt.Sprintf("%s has %d pending and %d unacknowledged; ", name, i.NumPending, i.NumAckPending)
	}
	return ""
}
