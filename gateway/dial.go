// A fresh connection: DNS, TCP, a proxy where one is set, and TLS.

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
	through     *url.URL // the proxy; nil: the gateway is asked directly
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
		// 1.2 is the least that the gateway's own rules and ours allow. No protocol is offered but
		// HTTP/1: HTTP/2 shares a connection, so that nothing could be stopped at its first byte.
		d.roots = &tls.Config{
			ServerName: target.Hostname(), MinVersion: tls.VersionTLS12, RootCAs: o.RootCAs,
			ClientSessionCache: tls.NewLRUClientSessionCache(0),
		}
	}
	return d
}

// dial gives a connection that no question has used.
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

// reach gives the TCP connection, and what leads over it to the gateway.
func (d *dialer) reach(ctx context.Context) (socket, conn net.Conn, err error) {
	if d.through != nil {
		return throughProxy(ctx, d.tcp, d.through, hostPort(d.target))
	}
	conn, err = d.tcp(ctx, "tcp", hostPort(d.target))
	if err != nil {
		return nil, nil, err
	}
	// A name such as localhost is what the resolver makes of it.
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

// hostPort is where a URL leads, its scheme's own port included.
func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443", "socks5": "1080", "socks5h": "1080"}[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// bind lets a context's end be the end of a connection's reads and writes; release undoes
// that and says whether it came in time.
func bind(ctx context.Context, conn net.Conn) (release func() bool) {
	end, _ := ctx.Deadline()
	_ = conn.SetDeadline(end)
	return context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
}
