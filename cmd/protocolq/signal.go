// Signals: the first asks for an orderly end, the second ends at once with 130.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// signalled ends at the first signal, for whoever waits before there is a command with a context:
// files may be pipes.
var signalled, setSignalled = context.WithCancel(context.Background())

// stoppedError ends a command that a signal found reading a file.
type stoppedError struct{ path string }

func (e *stoppedError) Error() string { return "stopped by a signal while reading " + e.path }

// untilSignal returns a context that ends at the first SIGINT or SIGTERM. At the second the
// program exits 130: whoever signals twice no longer wants to wait for the drain.
func untilSignal(parent context.Context) (context.Context, context.CancelFunc) {
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
		removeTemporary()
		os.Exit(exitSignalled)
	}()
	return ctx, cancel
}
