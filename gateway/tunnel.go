// Through a proxy: SOCKS5, or CONNECT of an HTTP proxy with or without TLS to it.

package gateway

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"

	"golang.org/x/net/proxy"
)

// errLogin is the one refusal of a proxy that has its own code: somebody must correct a password.
var errLogin = fmt.Errorf("it answers CONNECT with status %d", http.StatusProxyAuthRequired)

// dialFunc has the type of net.Dialer.DialContext.
type dialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// Dial is for x/net/proxy: its interface requires it, but its code does not use it.
func (d dialFunc) Dial(network, address string) (net.Conn, error) {
	return d(context.Background(), network, address)
}

// DialContext reaches a proxy like any other address.
func (d dialFunc) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return d(ctx, network, address)
}

// throughProxy returns the TCP connection to the proxy, and the connection over it to address.
func throughProxy(ctx context.Context, tcp dialFunc, through *url.URL, address string) (socket, conn net.Conn,
	err error) {
	keep := func(ctx context.Context, network, at string) (net.Conn, error) {
		socket, err = tcp(ctx, network, at)
		return socket, err
	}
	switch through.Scheme {
	case "socks5", "socks5h":
		conn, err = socks(ctx, keep, through, address)
	case "http", "https":
		conn, err = connectTunnel(ctx, keep, through, address)
	default:
		err = fmt.Errorf("a %q proxy is not supported", through.Scheme)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("through the proxy %s: %w", through.Host, err)
	}
	return socket, conn, nil
}

func socks(ctx context.Context, tcp dialFunc, through *url.URL, address string) (net.Conn, error) {
	var auth *proxy.Auth
	if u := through.User; u != nil {
		auth = &proxy.Auth{User: u.Username()}
		auth.Password, _ = u.Password()
	}
	d, err := proxy.SOCKS5("tcp", hostPort(through), auth, tcp)
	if err != nil {
		return nil, err
	}
	return d.(proxy.ContextDialer).DialContext(ctx, "tcp", address)
}

func connectTunnel(ctx context.Context, tcp dialFunc, through *url.URL, address string) (net.Conn, error) {
	conn, err := tcp(ctx, "tcp", hostPort(through))
	if err != nil {
		return nil, err
	}
	if through.Scheme == "https" {
		conn = tls.Client(&records{Conn: conn},
			&tls.Config{ServerName: through.Hostname(), MinVersion: tls.VersionTLS12})
	}
	release := bind(ctx, conn)
	err = askForTunnel(conn, through.User, address)
	if !release() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	return conn, nil
}

func askForTunnel(conn net.Conn, user *url.Userinfo, address string) error {
	r := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: address}, Host: address, Header: http.Header{}}
	if user != nil {
		password, _ := user.Password()
		secret := base64.StdEncoding.EncodeToString([]byte(user.Username() + ":" + password))
		r.Header.Set("Proxy-Authorization", "Basic "+secret)
	}
	if err := r.Write(conn); err != nil {
		return err
	}
	c := newConnection(conn, conn)
	c.left = maxHead
	resp, err := http.ReadResponse(c.in, r) //nolint:bodyclose // the body of a CONNECT is the tunnel
	switch {
	case err != nil:
		return c.fault(err)
	case resp.StatusCode == http.StatusProxyAuthRequired:
		return errLogin
	case resp.StatusCode != http.StatusOK:
		return fmt.Errorf("it answers CONNECT with status %d", resp.StatusCode)
	case c.in.Buffered() > 0:
		return errors.New("it sends bytes before they are asked for")
	}
	return nil
}
