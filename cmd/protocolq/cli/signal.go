// Signals: the first asks for an orderly end, the second ends at once with 130.

package cli

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

var signalledContext, setSignalled = context.WithCancel(context.Background())

// Signalled ends at the first signal, for waits before there is a command with a context: files may
// be pipes.
func Signalled() context.Context { return signalledContext }

// ErrStopped ends a command that a signal stopped before it had a result to print.
var ErrStopped = errors.New("stopped by a signal")

// StoppedError ends a command that a signal stopped while it read a file.
type StoppedError struct{ Path string }

func (e *StoppedError) Error() string { return "stopped by a signal while reading " + e.Path }

// UntilSignal returns a context that ends at the first SIGINT or SIGTERM. At the second the program
// exits 130: a second signal means that the person does not want to wait for the drain.
func UntilSignal(parent context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(parent)
	// If the reader of our output has gone (| head), the write fails, but the program goes on: it may
	// have to clean up first.
	signal.Ignore(syscall.SIGPIPE)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		select {
		case <-signals:
			setSignalled()
			cancel()
		case <-parent.Done():
			return
		}
		<-signals
		removeAllTemporary()
		os.Exit(ExitSignalled)
	}()
	return ctx, cancel
}

// EndWithin ends the process with 1 if over was not called d after the end of ctx. A part that
// hangs, for whatever cause, would keep a process that was told to end.
func EndWithin(ctx context.Context, d time.Duration, log *slog.Logger) (over func()) {
	done := make(chan struct{})
	go func() {
		select {
		case <-ctx.Done():
		case <-done:
			return
		}
		select {
		case <-time.After(d):
			log.Error("it hangs, and is ended: others go on with what is left", "after", d.String())
			removeAllTemporary()
			os.Exit(ExitOther)
		case <-done:
		}
	}()
	return sync.OnceFunc(func() { close(done) })
}
