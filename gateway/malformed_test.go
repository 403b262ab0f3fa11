// Responses that are not HTTP, or no consent of a proxy: their codes have true texts, and nothing
// of them is repeated.

package gateway_test

import (
	"bufio"
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"

	"protocolq/gateway"
	"protocolq/gateway/mapi"
)

// sayOnce sends fixed bytes on each connection once the request's head is there, and closes it.
func sayOnce(t *testing.T, raw string) string {
	t.Helper()
	l := listen(t, "127.0.0.1:0")
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			if r, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
				_ = r.Body.Close()
				_, _ = conn.Write([]byte(raw))
			}
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-ended })
	return l.Addr().String()
}

// TestMalformedIsNoCut: the connection did not end before the answer; the response was not an
// answer. The response may repeat the question, so that no error may quote it.
func TestMalformedIsNoCut(t *testing.T) {
	const canary = "canary@example.com"
	const ok = "HTTP/1.1 200 OK\r\n"
	for name, c := range map[string]struct{ raw, code string }{
		"another protocol":     {"SSH-2.0-" + canary + "\r\n", gateway.CodeUnreadable},
		"a status of letters":  {"HTTP/1.1 " + canary + " OK\r\n\r\n", gateway.CodeUnreadable},
		"no header's line":     {ok + canary + "\r\n\r\n", gateway.CodeUnreadable},
		"a header with a NUL":  {ok + "X: " + canary + "\x00\r\n\r\n", gateway.CodeUnreadable},
		"two lengths":          {ok + "Content-Length: 3\r\nContent-Length: 9\r\n\r\nabc", gateway.CodeUnreadable},
		"a length of letters":  {ok + "Content-Length: " + canary + "\r\n\r\nabc", gateway.CodeUnreadable},
		"an unknown encoding":  {ok + "Transfer-Encoding: " + canary + "\r\n\r\nabc", gateway.CodeUnreadable},
		"a chunk of no length": {ok + "Transfer-Encoding: chunked\r\n\r\n" + canary + "\r\n", gateway.CodeUnreadable},
		"another version":      {"HTTP/" + canary + " 200 OK\r\n\r\n", gateway.CodeUnreadable},
		"no trailer":           {ok + "Transfer-Encoding: chunked\r\n\r\n0\r\n" + canary + "\r\n\r\n", gateway.CodeUnreadable},
		"a trailer too much":   {ok + "Transfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: " + canary + "\r\n\r\n", gateway.CodeUnreadable},
		"nothing":              {"", gateway.CodeCut},
		"half a status":        {"HTTP/1.1 20", gateway.CodeCut},
		"half a header":        {ok + "Content-Le", gateway.CodeCut},
		"half a body":          {ok + "Content-Length: 9\r\n\r\nabc", gateway.CodeCut},
		"half a chunk":         {ok + "Transfer-Encoding: chunked\r\n\r\n9\r\nabc", gateway.CodeCut},
	} {
		t.Run(name, func(t *testing.T) {
			address := sayOnce(t, c.raw)
			client := newClient(t, func(o *gateway.Options) { o.URL, o.UnsafeHost = "http://"+address+"/gateway.do", true })
			_, _, err := client.Ask(t.Context(), email("signed"), nil)
			if e := (*gateway.Error)(nil); !errors.As(err, &e) || e.Code != c.code || e.Class != mapi.Temp {
				t.Fatalf("got %v, want %s", err, c.code)
			}
			if strings.Contains(err.Error(), "canary") {
				t.Errorf("it repeats what came: %v", err)
			}
		})
	}
}

// TestWhatTheProxySays: the text for a wrong password names the variable that holds it.
func TestWhatTheProxySays(t *testing.T) {
	for name, c := range map[string]struct{ raw, code string }{
		"wants a login": {"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n", gateway.CodeHTTP + "407"},
		"cannot":        {"HTTP/1.1 502 No\r\nContent-Length: 0\r\n\r\n", gateway.CodeUnreachable},
		"is no proxy":   {"SSH-2.0-canary\r\n", gateway.CodeUnreachable},
		"ends":          {"", gateway.CodeUnreachable},
	} {
		t.Run(name, func(t *testing.T) {
			address := sayOnce(t, c.raw)
			client := newClient(t, func(o *gateway.Options) {
				o.ProxyEnv = env{"HTTPS_PROXY": "http://canary:canary@proxy.example:3128"}.get
				o.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
					return new(net.Dialer).DialContext(ctx, network, address)
				}
			})
			_, _, err := client.Ask(t.Context(), email("signed"), nil)
			if e := (*gateway.Error)(nil); !errors.As(err, &e) || e.Code != c.code || e.Class != mapi.Temp {
				t.Fatalf("got %v, want %s", err, c.code)
			}
			if said := err.Error(); !strings.Contains(said, "through the proxy proxy.example:3128: ") || strings.Contains(said, "canary") {
				t.Errorf("it says %v", err)
			}
		})
	}
}
