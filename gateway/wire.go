// The network below a call: connections that age, and that ask before they write.

package gateway

import (
	"context"
	"crypto/tls"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// wire hands out a transport that is never older than RotateEvery. A kept-alive
// connection outlives any change of DNS, and http.Transport knows no greatest age
// (measured: 60 of 60 requests went to the old address, idle time-out or not); so the
// transport itself is replaced, at the first call after its time.
type wire struct {
	options   Options
	plainText bool // http: loopback only

	mu    sync.Mutex // guards the two below; held for lines
	now   *http.Transport
	until time.Time // on the monotonic clock
}

func newWire(o Options, plainText bool) *wire { return &wire{options: o, plainText: plainText} }

// current gives the transport of the time. Calls in flight on an old one finish there,
// and their connections close as they become idle.
func (w *wire) current() *http.Transport {
	w.mu.Lock()
	old := w.now
	if old != nil && time.Now().Before(w.until) {
		w.mu.Unlock()
		return old
	}
	w.now = w.transport()
	every := w.options.RotateEvery
	w.until = time.Now().Add(every - rand.N(every/5+1))
	fresh := w.now
	w.mu.Unlock()
	if old != nil {
		old.CloseIdleConnections()
	}
	return fresh
}

func (w *wire) close() {
	w.mu.Lock()
	old := w.now
	w.now = nil
	w.mu.Unlock()
	if old != nil {
		old.CloseIdleConnections()
	}
}

func (w *wire) transport() *http.Transport {
	t := &http.Transport{
		DialContext: w.dial,
		// 1.2 is the least that the gateway's own rules and ours allow.
		TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: w.options.RootCAs},
		TLSHandshakeTimeout: w.options.Timeout,
		DisableCompression:  true, // 204 KB of gzip become 210 MB (measured)
		// HTTP/1 only. HTTP/2 sends a request again by itself when the server says GOAWAY,
		// and shares a connection, so that nothing could be stopped at its first byte.
		Protocols:              new(http.Protocols),
		MaxIdleConns:           1024,
		MaxIdleConnsPerHost:    1024,
		IdleConnTimeout:        30 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
	}
	t.Protocols.SetHTTP1(true)
	if w.options.UseEnvProxy {
		t.Proxy = http.ProxyFromEnvironment
	}
	return t
}

func (w *wire) dial(ctx context.Context, network, address string) (net.Conn, error) {
	dial := w.options.Dial
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	conn, err := dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	// A name such as localhost is what the resolver makes of it.
	if a, ok := conn.RemoteAddr().(*net.TCPAddr); ok && w.plainText && !a.IP.IsLoopback() {
		_ = conn.Close()
		return nil, fmt.Errorf("http to %s, which is not loopback", a)
	}
	return &fencedConn{Conn: conn}, nil
}

// fencedConn asks a fence at the first write of each request: behind TLS and behind every
// buffer of net/http, as near to the network as a program comes.
type fencedConn struct {
	net.Conn
	fence atomic.Pointer[func() error] // set by the call that got the connection, taken by its first write
}

func (c *fencedConn) Write(b []byte) (int, error) {
	if fence := c.fence.Swap(nil); fence != nil {
		if err := (*fence)(); err != nil {
			_ = c.Conn.Close()
			return 0, err
		}
	}
	return c.Conn.Write(b)
}

// guard sets the fence of the connection that a call was given.
func guard(conn net.Conn, fence func() error) {
	for conn != nil {
		if c, ok := conn.(*fencedConn); ok {
			c.fence.Store(&fence)
			return
		}
		wrapped, ok := conn.(interface{ NetConn() net.Conn })
		if !ok {
			return
		}
		conn = wrapped.NetConn()
	}
}
