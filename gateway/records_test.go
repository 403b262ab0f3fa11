// A partly received TLS record is an unexpected byte, although TLS hides it.

package gateway_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"protocolq/gateway"
)

// lateByte holds back a record's last byte until it is released.
type lateByte struct {
	net.Conn
	holds bool
	last  []byte
}

func (c *lateByte) Write(b []byte) (int, error) {
	if !c.holds {
		return c.Conn.Write(b)
	}
	c.last = bytes.Clone(b[len(b)-1:])
	_, err := c.Conn.Write(b[:len(b)-1])
	return len(b), err
}

func (c *lateByte) letGo() error {
	c.holds = false
	_, err := c.Conn.Write(c.last)
	return err
}

// TestHalfARecordBeforeTheQuestion lets the other side send a whole answer except its record's last
// byte, and that byte when the question comes.
func TestHalfARecordBeforeTheQuestion(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			t.Parallel()
			c := halfRecords(t, version, strayAnswer)
			for range 3 {
				a, _, err := c.Ask(t.Context(), email("signed"), nil)
				if e := (*gateway.Error)(nil); !errors.As(err, &e) || e.Code != gateway.CodeStray {
					t.Errorf("%q, %v", a.Status, err)
				}
			}
		})
	}
}

// halfRecords is a client of a server that sends something early, less one byte.
func halfRecords(t *testing.T, version uint16, early string) *gateway.Client {
	server := httptest.NewUnstartedServer(nil)
	server.StartTLS() // for its certificate
	server.Close()
	l := listen(t, "127.0.0.1:0")
	t.Cleanup(func() { _ = l.Close() })
	speak := func(socket net.Conn) error {
		late := &lateByte{Conn: socket}
		conn := tls.Server(late, &tls.Config{Certificates: server.TLS.Certificates, MaxVersion: version}) //nolint:gosec // a test's server
		defer conn.Close()
		if err := conn.HandshakeContext(context.Background()); err != nil {
			return err
		}
		late.holds = true
		if _, err := io.WriteString(conn, early); err != nil {
			return err
		}
		if _, err := io.ReadFull(socket, make([]byte, 6)); err != nil { // the question: TLS need not read it
			return err
		}
		if err := late.letGo(); err != nil {
			return err
		}
		_, err := io.Copy(io.Discard, socket)
		return err
	}
	go func() {
		for {
			socket, err := l.Accept()
			if err != nil {
				return
			}
			go func() { _ = speak(socket) }()
		}
	}()
	return newClient(t, func(o *gateway.Options) {
		o.URL, o.UnsafeHost = fmt.Sprintf("https://%s/gateway.do", l.Addr()), true
		o.RootCAs = server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	})
}
