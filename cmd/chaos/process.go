//go:build unix

// Processes: started with their output in a file, and treated as no supervisor would.

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// process is one child. One goroutine at a time uses it.
type process struct {
	name  string
	log   string // file with all it wrote
	cmd   *exec.Cmd
	ended chan struct{} // closed when it has ended
}

// start runs a program until it ends or ctx does. Its environment is what is given and little else, so that nobody's own
// settings get in.
func start(ctx context.Context, dir, name string, env []string, program string, args ...string) (*process, error) {
	p := &process{name: name, log: filepath.Join(dir, name+".log"), cmd: exec.CommandContext(ctx, program, args...), ended: make(chan struct{})}
	out, err := os.OpenFile(p.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open log of %s: %w", name, err)
	}
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = dir, out, out
	p.cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "TMPDIR=" + dir}, env...)
	if err := p.cmd.Start(); err != nil {
		_ = out.Close()
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() {
		_ = p.cmd.Wait() // how it ended is asked for by who wants to know
		_ = out.Close()
		close(p.ended)
	}()
	return p, nil
}

// signal tells whether the process was there to get it.
func (p *process) signal(s syscall.Signal) bool {
	return p.alive() && p.cmd.Process.Signal(s) == nil
}

func (p *process) alive() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// kill ends it at once and waits for that.
func (p *process) kill() {
	p.signal(syscall.SIGKILL)
	<-p.ended
}

// end waits for the process to end by itself and gives its exit code.
func (p *process) end(within time.Duration) (int, error) {
	select {
	case <-p.ended:
		return p.cmd.ProcessState.ExitCode(), nil
	case <-time.After(within):
		return 0, fmt.Errorf("%s has not ended within %v", p.name, within)
	}
}

// said reports whether text stands in what it wrote.
func (p *process) said(text string) bool {
	b, err := os.ReadFile(p.log)
	return err == nil && strings.Contains(string(b), text)
}

// eventually polls until ok; the error names what did not come.
func eventually(ctx context.Context, within time.Duration, what string, ok func() bool) error {
	for end := time.Now().Add(within); !ok(); {
		if time.Now().After(end) {
			return fmt.Errorf("not within %v: %s", within, what)
		}
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// pause waits, or gives the end of ctx.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
