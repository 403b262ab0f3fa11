// An example as a process of its own, so that its test can kill it.

// Package exampletest runs the program of an example from its test, as a process that can be killed
// and started again.
package exampletest

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// asProgram is the variable that makes a process of the test run the program.
const asProgram = "PROTOCOLQ_EXAMPLE"

// Main is for TestMain: it runs the program in a process that Start began, and the tests otherwise.
func Main(m *testing.M, program func()) {
	if os.Getenv(asProgram) != "" {
		program()
		return
	}
	os.Exit(m.Run())
}

// Process is a running program.
type Process struct {
	t       testing.TB
	command *exec.Cmd
	out     output
	ended   chan error
}

// Start runs the program until the test stops it, or at the latest until the test ends.
func Start(t testing.TB, stdin string, args ...string) *Process {
	t.Helper()
	p := &Process{t: t, command: exec.CommandContext(t.Context(), os.Args[0], args...), ended: make(chan error, 1)}
	p.command.Env = append(os.Environ(), asProgram+"=1")
	p.command.Stdin, p.command.Stdout, p.command.Stderr = strings.NewReader(stdin), &p.out, &p.out
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { p.ended <- p.command.Wait() }()
	t.Cleanup(func() {
		p.Kill()
		if t.Failed() {
			t.Logf("the program said:\n%s", p.out.String())
		}
	})
	return p
}

// Kill ends the program at once, without giving it time for anything.
func (p *Process) Kill() {
	_ = p.command.Process.Kill() // it may have ended
	err := <-p.ended
	p.ended <- err
}

// Stop asks the program to end, and waits until it has.
func (p *Process) Stop() {
	p.t.Helper()
	if err := p.command.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Error(err)
	}
	select {
	case err := <-p.ended:
		if p.ended <- err; err != nil {
			p.t.Errorf("it ended with %v", err)
		}
	case <-time.After(20 * time.Second):
		p.t.Error("it has not ended after 20 s")
	}
}

// Said is what the program has written so far.
func (p *Process) Said() string { return p.out.String() }

// Eventually waits until ok is true.
func Eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(60 * time.Second); !ok(); {
		if time.Now().After(end) {
			t.Fatalf("not within a minute: %s", what)
		}
		<-time.After(20 * time.Millisecond)
	}
}

// output is written by the process and read by the test.
type output struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}
