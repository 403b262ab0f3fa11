// Processes: each in its own group, with its output in a file, ended with the bench.
package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

type proc struct {
	cmd     *exec.Cmd
	logPath string
	done    chan struct{}
	err     error // what Wait said, once done is closed
}

func (p *proc) exited() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// stop ends the process group; false if it had to be killed.
func (p *proc) stop(grace time.Duration) bool {
	if p.exited() {
		return true
	}
	if grace > 0 {
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGTERM)
	}
	select {
	case <-p.done:
		return true
	case <-time.After(grace):
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
		<-p.done
		return false
	}
}

// finish waits for a command that ends by itself.
func (p *proc) finish(limit time.Duration) error {
	select {
	case <-p.done:
		return p.err
	case <-time.After(limit):
		p.stop(0)
		return fmt.Errorf("still running after %v", limit)
	}
}

// start runs a program in its own process group, its output in a file below tmp.
func start(ctx context.Context, tmp, name string, env []string, bin string, args ...string) (*proc, error) {
	p, out, err := newProc(ctx, tmp, name, env, bin, args)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	p.cmd.Stdout = out
	return p, p.begin()
}

// startTelling runs a program like start and returns the first line that it prints.
func startTelling(ctx context.Context, tmp, name, bin string, args ...string) (*proc, string, error) {
	p, out, err := newProc(ctx, tmp, name, nil, bin, args)
	if err != nil {
		return nil, "", err
	}
	defer out.Close()
	lines, w, err := os.Pipe()
	if err != nil {
		return nil, "", err
	}
	p.cmd.Stdout = w
	err = p.begin()
	w.Close()
	if err != nil {
		lines.Close()
		return nil, "", err
	}
	s := bufio.NewScanner(lines)
	if !s.Scan() {
		return nil, "", fmt.Errorf("%s said nothing: %s", name, p.tail())
	}
	first := strings.TrimSpace(s.Text())
	go func() {
		_, _ = io.Copy(io.Discard, lines)
		lines.Close()
	}()
	return p, first, nil
}

func newProc(ctx context.Context, tmp, name string, env []string, bin string, args []string) (*proc, *os.File, error) {
	p := &proc{logPath: filepath.Join(tmp, name+".log"), done: make(chan struct{})}
	p.cmd = exec.CommandContext(ctx, bin, args...) // which looks a name without a slash up in PATH
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	f, err := os.Create(p.logPath)
	if err != nil {
		return nil, nil, err
	}
	p.cmd.Stderr = f
	return p, f, nil
}

func (p *proc) begin() error {
	if err := p.cmd.Start(); err != nil {
		return err
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	return nil
}

// tail is the end of what the process wrote.
func (p *proc) tail() string {
	b, _ := os.ReadFile(p.logPath)
	return string(b[max(0, len(b)-1500):])
}
