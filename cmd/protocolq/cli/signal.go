// Signals: the first asks for an orderly end, the second ends at once with 130.

package cli

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"
)

var signalledContext, setSignalled = context.WithCancel(context.Background())

// Signalled ends at the first signal, for whoever waits before there is a command with a context:
// files may be pipes.
func Signalled() context.Context { return signalledContext }

// ErrStopped ends a command that a signal found waiting for what it was to print.
var ErrStopped = errors.New("stopped by a signal")

// StoppedError ends a command that a signal found reading a file.
type StoppedError struct{ Path string }

func (e *StoppedError) Error() string { return "stopped by a signal while reading " + e.Path }

// UntilSignal returns a context that ends at the first SIGINT or SIGTERM. At the second the
// program exits 130: whoever signals twice no longer wants to wait for the drain.
func UntilSignal(parent context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(parent)
	// A reader that went away (| head) is an error of the write, not the end of us: there is
	// something to put away first.
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
