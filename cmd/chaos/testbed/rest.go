//go:build unix

// Back to rest (I10): when all is quiet, a worker that was there during the harm holds no more than
// a new one.

package testbed

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

	"protocolq/cmd/chaos/verdict"
	"protocolq/messages"
	"protocolq/messages/ask"
)

// Rested waits until the consumers have nothing pending, and stops the gateways, whose connections
// have goroutines. Then it compares the workers with a new one that has answered a few queries.
// Finally it ends each by SIGQUIT, which prints its goroutines.
func (h *Bed) Rested(ctx context.Context, t *verdict.Evidence) error {
	if err := h.Observer.idle(ctx, restWithin); err != nil {
		t.Surplus = append(t.Surplus, "consumers not back to rest: "+err.Error())
	}
	var old []*Process
	for _, p := range h.Fleet {
		switch {
		case p == nil:
		case p.Alive():
			old = append(old, p)
		default:
			t.Surplus = append(t.Surplus, p.Name+" has ended, and nobody ended it")
		}
	}
	if _, err := os.Stat("/proc/self/fd"); err != nil || len(old) == 0 {
		return nil // nothing to inspect, or no way to
	}
	if err := h.Work(ctx, len(h.Fleet), ""); err != nil {
		return err
	}
	fresh := h.Fleet[len(h.Fleet)-1]
	if err := errors.Join(h.Ready(ctx), h.warm(ctx), h.Observer.idle(ctx, Settle),
		h.Observer.rests(ctx, Settle)); err != nil {
		return err
	}
	for _, g := range h.Gateways {
		g.Kill()
	}
	var want verdict.Rest
	err := Eventually(ctx, restWithin, "the new worker has no connection to a gateway", func() (calm bool) {
		before := want.Descriptors
		var err error
		want, err = look(fresh)
		return err == nil && want.Descriptors == before
	})
	if err != nil {
		return err
	}
	for _, p := range old {
		var r verdict.Rest
		// A descriptor that is still open is no fault, if it is closed soon.
		err := Eventually(ctx, restWithin, p.Name+" rests", func() bool {
			r, err = look(p)
			return err == nil && r.Descriptors <= want.Descriptors
		})
		if err != nil && ctx.Err() != nil {
			return err
		}
		t.Rests = append(t.Rests, r)
	}
	t.Rests = append(t.Rests, want) // the last one is the new one
	if err := Pause(ctx, restPause+h.Calm); err != nil {
		return err
	}
	for i, p := range append(old, fresh) {
		r, err := look(p) // all but the descriptors once more: memory is given back when it is calm
		if err == nil {
			r.Goroutines, err = goroutines(p)
		}
		if err != nil {
			return err
		}
		r.Descriptors = t.Rests[i].Descriptors
		t.Rests[i] = r
	}
	return nil
}

// warm lets every worker answer something by each door: a worker holds some things only from then
// on.
func (h *Bed) warm(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, Settle)
	defer cancel()
	const asks = 40
	ended := make(chan error, 2*asks)
	for i := range asks {
		q := messages.Query{ID: fmt.Sprintf("warm-%d", i),
			UserEmail: EmailOf("signed", fmt.Sprintf("warm%d.%d", h.Seed, i))}
		go func() { _, err := ask.Ask(ctx, h.Observer.Conn, q); ended <- err }()
		q.ID, q.ReplyTo = "warmed-"+fmt.Sprint(i), "protocol.reply.chaos.warmed"
		go func() { _, err := ask.Submit(ctx, h.Observer.Conn, q); ended <- err }()
	}
	for range 2 * asks {
		if err := <-ended; err != nil {
			return fmt.Errorf("warm the new worker: %w", err)
		}
	}
	return nil
}

// How long descriptors may take to be closed, and how long what waits for more work needs to end.
const (
	restWithin = 10 * time.Second
	restPause  = 2500 * time.Millisecond
)

// look reads what the kernel reports of a process.
func look(p *Process) (verdict.Rest, error) {
	r := verdict.Rest{Name: p.Name}
	dir := fmt.Sprintf("/proc/%d", p.cmd.Process.Pid)
	open, err := os.ReadDir(filepath.Join(dir, "fd"))
	status, serr := os.ReadFile(filepath.Join(dir, "status"))
	if err := errors.Join(err, serr); err != nil {
		return r, fmt.Errorf("look at %s: %w", p.Name, err)
	}
	r.Descriptors = len(open)
	readStatus(string(status), &r)
	return r, nil
}

// readStatus takes threads and memory from /proc/PID/status. The pages of the program's own file do
// not count, of which the kernel maps more or less as it likes; where the file lies in memory, in a
// tmpfs, they are shared ones.
func readStatus(status string, r *verdict.Rest) {
	file, shared := 0, 0
	for line := range strings.Lines(status) {
		for name, into := range map[string]*int{"Threads:": &r.Threads, "VmRSS:": &r.Resident, "VmHWM:": &r.Peak,
			"RssFile:": &file, "RssShmem:": &shared} {
			if value, found := strings.CutPrefix(line, name); found {
				_, _ = fmt.Sscan(value, into)
			}
		}
	}
	r.Resident, r.Peak = r.Resident-file-shared, r.Peak-file-shared
}

// aGoroutine is the head of a goroutine other than the garbage collector's.
var aGoroutine = regexp.MustCompile(`(?m)^goroutine \d+ .*\[[^G]`)

// goroutines ends a worker and counts the goroutines that it prints.
func goroutines(p *Process) (int, error) {
	before, err := os.ReadFile(p.log)
	if err != nil {
		return 0, err
	}
	p.Signal(syscall.SIGQUIT)
	if _, err := p.End(10 * time.Second); err != nil {
		return 0, err
	}
	after, err := os.ReadFile(p.log)
	if err != nil {
		return 0, err
	}
	n := len(aGoroutine.FindAll(bytes.TrimPrefix(after, before), -1))
	if n == 0 {
		return 0, fmt.Errorf("%s tells of no goroutine", p.Name)
	}
	return n, nil
}

// idle waits until no consumer of the workers has anything pending.
func (o *observer) idle(ctx context.Context, within time.Duration) error {
	held := ""
	err := Eventually(ctx, within, "nothing pending", func() bool {
		held = o.pending(ctx, messages.Submitted, messages.ConsumerSubmitted)
		return held == ""
	})
	if err != nil && held != "" {
		return errors.New(held)
	}
	return err
}

// rests waits until every ask in the journal is told: an ask that waits for an unavailable gateway
// causes more calls.
func (o *observer) rests(ctx context.Context, within time.Duration) error {
	for end := time.Now().Add(within); time.Now().Before(end) && !o.Settled(ctx); {
		if err := Pause(ctx, 300*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// pending says what a consumer still has pending, in words, "" if nothing.
func (o *observer) pending(ctx context.Context, kind messages.Kind, name string) string {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	c, err := o.JS.Consumer(ctx, o.Names.Stream(kind), name)
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
