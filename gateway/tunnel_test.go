// Through a proxy: what the proxy is asked for, and the result of each of its possible responses.

package gateway_test

import (
	"bufio"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"protocolq/gateway"
	"protocolq/gateway/mapi"
)

// behindProxy is a client of a practice gateway at example.com that only the proxy can reach. speak
// is what the proxy does on each connection before it connects to the gateway's address.
func behindProxy(t *testing.T, scheme string, speak func(conn net.Conn, in *bufio.Reader) bool, timeout time.Duration) *gateway.Client {
	server := httptest.NewUnstartedServer(newSimulator(t, nil))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // connections are cut here
	server.StartTLS()
	t.Cleanup(server.Close)
	l := listen(t, "127.0.0.1:0")
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				if in := bufio.NewReader(conn); speak(conn, in) {
					handOn(conn, in, server.Listener.Addr().String())
				}
			}()
		}
	}()
	return newClient(t, func(o *gateway.Options) {
		o.URL, o.UnsafeHost, o.Timeout = "https://example.com/gateway.do", true, timeout
		o.RootCAs = server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
		o.ProxyEnv = env{"HTTPS_PROXY": scheme + "://u:" + proxySecret + "@" + l.Addr().String()}.get
	})
}

func handOn(conn net.Conn, in io.Reader, address string) {
	far, err := net.Dial("tcp", address)
	if err != nil {
		return
	}
	defer far.Close()
	var wg sync.WaitGroup
	wg.Go(func() { _, _ = io.Copy(far, in); _ = far.Close() })
	_, _ = io.Copy(conn, far)
	_ = conn.Close()
	wg.Wait()
}

// connectProxy responds to CONNECT as the test says, and forwards after a 200.
func connectProxy(t *testing.T, answer string) func(net.Conn, *bufio.Reader) bool {
	credentials := "Basic " + base64.StdEncoding.EncodeToString([]byte("u:"+proxySecret))
	return func(conn net.Conn, in *bufio.Reader) bool {
		r, err := http.ReadRequest(in)
		if err != nil {
			return false
		}
		if r.Method != http.MethodConnect || r.RequestURI != "example.com:443" || r.Header.Get("Proxy-Authorization") != credentials {
			t.Errorf("the proxy was asked: %s %s, %v", r.Method, r.RequestURI, r.Header)
		}
		_, _ = io.WriteString(conn, answer)
		return strings.HasPrefix(answer, "HTTP/1.1 200")
	}
}

// socksProxy is the part of RFC 1928 and RFC 1929 that one CONNECT by name and password needs.
func socksProxy(t *testing.T) func(net.Conn, *bufio.Reader) bool {
	return func(conn net.Conn, in *bufio.Reader) bool {
		const login = "\x01\x01u\x07" + proxySecret
		const target = "\x05\x01\x00\x03\x0bexample.com\x01\xbb"
		methods := make([]byte, 2)
		if _, err := io.ReadFull(in, methods); err != nil {
			return false
		}
		for _, step := range []struct {
			skip      int
			say, want string
		}{{int(methods[1]), "\x05\x02", login}, {0, "\x01\x00", target}} {
			_, _ = in.Discard(step.skip)
			_, _ = io.WriteString(conn, step.say)
			got := make([]byte, len(step.want))
			if _, err := io.ReadFull(in, got); err != nil {
				return false // a connection dialled ahead ends with the test
			}
			if string(got) != step.want {
				t.Errorf("the proxy was sent %q", got)
			}
		}
		_, _ = io.WriteString(conn, "\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x00")
		return true
	}
}

func TestThroughAProxy(t *testing.T) {
	t.Parallel()
	for scheme, speak := range map[string]func(net.Conn, *bufio.Reader) bool{
		"http": connectProxy(t, "HTTP/1.1 200 Connection established\r\n\r\n"), "socks5": socksProxy(t), "socks5h": socksProxy(t),
	} {
		t.Run(scheme, func(t *testing.T) {
			t.Parallel()
			c := behindProxy(t, scheme, speak, time.Minute)
			for range 3 {
				if a, _, err := c.Ask(t.Context(), email("signed"), nil); err != nil || a.Status != gateway.Signed {
					t.Errorf("%+v, %v", a, err)
				}
			}
		})
	}
}

func TestProxyThatRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ answer, says string }{
		"a page":                  {"HTTP/1.1 403 Forbidden\r\nContent-Length: 4\r\n\r\nnope", "it answers CONNECT with status 403"},
		"bytes before a word":     {"HTTP/1.1 200 OK\r\n\r\n" + strayAnswer, "it sends bytes before they are asked for"},
		"closes":                  {"", "EOF"},
		"no HTTP":                 {proxySecret + "\r\n\r\n", "is not an answer in HTTP/1"},
		"repeats what it is sent": {"HTTP/1.1 " + proxySecret + "\r\n\r\n", "is not an answer in HTTP/1"},
		"a head without an end":   {"HTTP/1.1 200 OK\r\n" + strings.Repeat("X-A: b\r\n", 16<<10), "longer than"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, err := behindProxy(t, "http", connectProxy(t, c.answer), time.Minute).Ask(t.Context(), email("signed"), nil)
			var e *gateway.Error
			if !errors.As(err, &e) || e.Code != gateway.CodeUnreachable || e.Class != mapi.Temp || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v", err)
			}
			if text := fmt.Sprint(err); strings.Contains(text, proxySecret) || len(text) > 300 {
				t.Errorf("it repeats what came: %.300s", text)
			}
		})
	}
}

// TestProxyThatHangs is bounded like every other part of a call.
func TestProxyThatHangs(t *testing.T) {
	t.Parallel()
	done := make(chan struct{})
	defer close(done)
	c := behindProxy(t, "http", func(net.Conn, *bufio.Reader) bool { <-done; return false }, 300*time.Millisecond)
	_, _, err := c.Ask(t.Context(), email("signed"), nil)
	var e *gateway.Error
	if !errors.As(err, &e) || e.Code != gateway.CodeTimeout {
		t.Errorf("got %v", err)
	}
}
