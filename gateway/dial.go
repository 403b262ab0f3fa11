// A new connection: DNS, TCP, a proxy if one is set, and TLS.

package gateway

import (
	"context"
	"crypto/tls"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http/httptrace"
	"net/url"
	"time"
)

// dialer makes connections to the one gateway.
type dialer struct {
	target      *url.URL
	through     *url.URL // the proxy; nil: no proxy
	tcp         func(ctx context.Context, network, address string) (net.Conn, error)
	roots       *tls.Config // nil for http: loopback only
	rotateEvery time.Duration
}

func newDialer(o Options, target, through *url.URL) *dialer {
	d := &dialer{target: target, through: through, tcp: o.Dial, rotateEvery: o.RotateEvery}
	if d.tcp == nil {
		d.tcp = new(net.Dialer).DialContext
	}
	if target.Scheme == "https" {
		// TLS 1.2 is the minimum by the gateway's rules and ours. Only HTTP/1 is offered: HTTP/2 shares a
		// connection, so that a request could not be stopped at its first byte.
		d.roots = &tls.Config{
			ServerName: target.Hostname(), MinVersion: tls.VersionTLS12, RootCAs: o.RootCAs,
			ClientSessionCache: tls.NewLRUClientSessionCache(0),
		}
	}
	return d
}

// dial returns a connection that no question has used.
func (d *dialer) dial(ctx context.Context, t *tracer) (*connection, error) {
	ctx = httptrace.WithClientTrace(ctx, t.hooks())
	socket, conn, err := d.reach(ctx)
	if err != nil {
		return nil, err
	}
	if d.roots != nil {
		if conn, err = d.secure(ctx, conn, t); err != nil {
			return nil, err
		}
	}
	c := newConnection(socket, conn)
	c.until = time.Now().Add(d.rotateEvery - rand.N(d.rotateEvery/5+1))
	return c, nil
}

// reach returns the TCP connection, and the connection to the gateway over it.
func (d *dialer) reach(ctx context.Context) (socket, conn net.Conn, err error) {
	if d.through != nil {
		return throughProxy(ctx, d.tcp, d.through, hostPort(d.target))
	}
	conn, err = d.tcp(ctx, "tcp", hostPort(d.target))
	if err != nil {
		return nil, nil, err
	}
	// The resolver decides what a name such as localhost means.
	if a, ok := conn.RemoteAddr().(*net.TCPAddr); ok && d.roots == nil && !a.IP.IsLoopback() {
		_ = conn.Close()
		return nil, nil, fmt.Errorf("http to %s, which is not loopback", a)
	}
	return conn, conn, nil
}

func (d *dialer) secure(ctx context.Context, conn net.Conn, t *tracer) (net.Conn, error) {
	secured := tls.Client(&records{Conn: conn}, d.roots)
	t.handshakeStart()
	err := secured.HandshakeContext(ctx)
	t.handshakeDone()
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	return secured, nil
}

// hostPort is the address of a URL, with the default port of its scheme.
func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443", "socks5": "1080", "socks5h": "1080"}[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// bind ends a connection's reads and writes when a context ends. release undoes that and reports
// whether it came in time.
func bind(ctx context.Context, conn net.Conn) (release func() bool) {
	end, _ := ctx.Deadline()
	_ = conn.SetDeadline(end)
	return context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
}
