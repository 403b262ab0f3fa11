// A change of DNS takes effect: no connection outlives its time.

package gateway_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"protocolq/gateway"
	"protocolq/gateway/simulator"
)

// TestDNSChangeIsFollowed moves the gateway while a call a second keeps a connection to the old
// address alive. The clock and the network are the bubble's.
func TestDNSChangeIsFollowed(t *testing.T) {
	for reuse, most := range map[time.Duration]int{0: 302, time.Millisecond: 8} {
		t.Run(fmt.Sprintf("reuse after %s", reuse), func(t *testing.T) { followDNS(t, reuse, most) })
	}
}

func followDNS(t *testing.T, reuse time.Duration, mostDials int) {
	synctest.Test(t, func(t *testing.T) {
		old, moved := newSimulator(t, nil), newSimulator(t, nil)
		addresses := []*pipes{servePipes(t, old), servePipes(t, moved)}
		var dns atomic.Int32
		var dials atomic.Int32
		c := newClient(t, func(o *gateway.Options) {
			o.URL, o.UnsafeHost, o.ReuseAfter = "http://localhost/gateway.do", true, reuse
			o.Dial = func(context.Context, string, string) (net.Conn, error) {
				dials.Add(1)
				return addresses[dns.Load()].dial(), nil
			}
		})
		var change, last time.Time
		for second := range 300 {
			if second == 100 {
				dns.Store(1)
				change = time.Now()
			}
			before := old.Stats().Calls
			if _, _, err := c.Ask(t.Context(), email("signed"), nil); err != nil {
				t.Fatal(err)
			}
			if old.Stats().Calls > before {
				last = time.Now()
			}
			time.Sleep(time.Second)
		}
		if stale := last.Sub(change); stale > time.Minute {
			t.Errorf("%s after the change a call still went to the old address", stale)
		}
		if n := moved.Stats().Calls; n < 140 {
			t.Errorf("%d calls at the new address", n)
		}
		if n := dials.Load(); n < 5 || int(n) > mostDials {
			t.Errorf("%d connections in 300 s: a minute each, less up to a fifth, or one a call", n)
		}
		// The old connections are closed, not left to their idle time-out.
		c.Close()
		synctest.Wait()
		for i, a := range addresses {
			if n := a.open.Load(); n != 0 {
				t.Errorf("address %d: %d connections open", i, n)
			}
		}
	})
}

func TestCallInFlightOutlivesTheRotation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := servePipes(t, newSimulator(t, nil))
		c := newClient(t, func(o *gateway.Options) {
			o.URL, o.UnsafeHost = "http://localhost/gateway.do", true
			o.RotateEvery = time.Second
			o.Dial = func(context.Context, string, string) (net.Conn, error) { return p.dial(), nil }
		})
		ended := make(chan error)
		go func() {
			_, _, err := c.Ask(t.Context(), email("fault-delay-5s"), nil)
			ended <- err
		}()
		for range 4 {
			time.Sleep(time.Second)
			if _, _, err := c.Ask(t.Context(), email("signed"), nil); err != nil {
				t.Error(err)
			}
		}
		if err := <-ended; err != nil {
			t.Errorf("the call in flight: %v", err)
		}
		c.Close()
		synctest.Wait()
		if n := p.open.Load(); n != 0 {
			t.Errorf("%d connections open", n)
		}
	})
}

// pipes is a listener in memory. A bubble's clock waits for its connections.
type pipes struct {
	accept chan net.Conn
	closed chan struct{}
	open   atomic.Int32
}

func servePipes(t *testing.T, s *simulator.Simulator) *pipes {
	p := &pipes{accept: make(chan net.Conn), closed: make(chan struct{})}
	server := &http.Server{Handler: s}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Serve(p)
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-ended
	})
	return p
}

func (p *pipes) dial() net.Conn {
	near, far := net.Pipe()
	p.open.Add(1)
	p.accept <- far
	return &counted{Conn: near, open: &p.open}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.accept:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { close(p.closed); return nil }
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

type counted struct {
	net.Conn
	open   *atomic.Int32
	closed atomic.Bool
}

func (c *counted) Close() error {
	if c.closed.CompareAndSwap(false, true) {
		c.open.Add(-1)
	}
	return c.Conn.Close()
}

// TestDNSChangeOnSockets is the same on real sockets, where every connection ages at once.
func TestDNSChangeOnSockets(t *testing.T) {
	old, moved := newSimulator(t, nil), newSimulator(t, nil)
	addresses := []string{serveAt(t, old, "127.0.0.1:0"), serveAt(t, moved, "127.0.0.2:0")}
	var dns atomic.Int32
	ask := func(rotate time.Duration) (stale uint64) {
		dns.Store(0)
		c := newClient(t, func(o *gateway.Options) {
			o.URL, o.UnsafeHost, o.RotateEvery, o.ReuseAfter = "http://localhost/gateway.do", true, rotate, 1
			o.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, network, addresses[dns.Load()])
			}
		})
		for i := range 20 {
			if i == 10 {
				dns.Store(1)
				stale = old.Stats().Calls
			}
			if _, _, err := c.Ask(t.Context(), email("signed"), nil); err != nil {
				t.Fatal(err)
			}
		}
		return old.Stats().Calls - stale
	}
	if n := ask(time.Nanosecond); n != 0 {
		t.Errorf("%d calls at the old address", n)
	}
	if n := ask(time.Hour); n != 10 {
		t.Errorf("without an end to a connection all 10 should be stale, were %d: the test shows nothing", n)
	}
}

func serveAt(t *testing.T, s *simulator.Simulator, address string) string {
	l := listen(t, address)
	serveOn(t, s, l)
	return l.Addr().String()
}
