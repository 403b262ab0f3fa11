//go:build unix

// Processes: started with their output in a file, and treated worse than by any supervisor.

package testbed

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

// Process is one child. One goroutine at a time uses it.
type Process struct {
	Name  string
	log   string // file with all its output
	cmd   *exec.Cmd
	ended chan struct{} // closed when it has ended
}

// start runs a program until it ends or ctx does. Its environment has the given variables and few
// others, so that a user's own settings do not get in.
func start(ctx context.Context, dir, name string, env []string, program string, args ...string) (*Process, error) {
	p := &Process{Name: name, log: filepath.Join(dir, name+".log"), cmd: exec.CommandContext(ctx, program, args...),
		ended: make(chan struct{})}
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
		_ = p.cmd.Wait() // callers who need to know how it ended ask for it
		_ = out.Close()
		close(p.ended)
	}()
	return p, nil
}

// Signal reports whether the process existed to receive it.
func (p *Process) Signal(s syscall.Signal) bool {
	return p.Alive() && p.cmd.Process.Signal(s) == nil
}

// Alive reports whether the process has not ended yet.
func (p *Process) Alive() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// Kill ends it at once and waits for its end.
func (p *Process) Kill() {
	p.Signal(syscall.SIGKILL)
	<-p.ended
}

// End waits for the process to end by itself and returns its exit code.
func (p *Process) End(within time.Duration) (int, error) {
	select {
	case <-p.ended:
		return p.cmd.ProcessState.ExitCode(), nil
	case <-time.After(within):
		return 0, fmt.Errorf("%s has not ended within %v", p.Name, within)
	}
}

// Said reports whether its output contains text.
func (p *Process) Said(text string) bool {
	b, err := os.ReadFile(p.log)
	return err == nil && strings.Contains(string(b), text)
}

// Eventually polls until ok; the error names what did not happen.
func Eventually(ctx context.Context, within time.Duration, what string, ok func() bool) error {
	for end := time.Now().Add(within); !ok(); {
		if time.Now().After(end) {
			return fmt.Errorf("not within %v: %s", within, what)
		}
		if err := Pause(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// Pause waits, or returns the error of ctx.
func Pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
