// Connections that strangers can open are bounded.

package console

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// crowd is a listener that gets more connections than it may take.
type crowd struct {
	came   int
	closed chan struct{}
}

func (c *crowd) Accept() (net.Conn, error) {
	if c.came > connections {
		<-c.closed
		return nil, net.ErrClosed
	}
	c.came++
	_, ours := net.Pipe()
	return ours, nil
}

func (c *crowd) Close() error   { close(c.closed); return nil }
func (c *crowd) Addr() net.Addr { return &net.TCPAddr{} }

// A silent connection takes a place, and places are limited.
func TestConnectionsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		from, ended := &crowd{closed: make(chan struct{})}, make(chan error, 1)
		go func() { ended <- serve(ctx, from, http.NotFoundHandler(), slog.New(slog.DiscardHandler)) }()
		synctest.Wait()
		if from.came != connections {
			t.Errorf("%d are connected", from.came)
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		time.Sleep(headTime) // until the last of these connections is closed
	})
}
