// The client on real sockets: what it sends, how often, where, and for how long.

package gateway_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"protocolq/gateway"
	"protocolq/gateway/mapi"
	"protocolq/gateway/simulator"
)

func listen(t testing.TB, address string) net.Listener {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// serveOn runs the simulator until the test ends.
func serveOn(t testing.TB, s *simulator.Simulator, l net.Listener) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- s.Serve(ctx, l, nil) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// serve returns the simulator's URL on loopback.
func serve(t testing.TB, s *simulator.Simulator) string {
	l := listen(t, "127.0.0.1:0")
	serveOn(t, s, l)
	return "http://" + l.Addr().String() + "/gateway.do"
}

func wired(t testing.TB, s *simulator.Simulator, change func(*gateway.Options)) *gateway.Client {
	url := serve(t, s)
	return newClient(t, func(o *gateway.Options) {
		o.URL, o.UnsafeHost = url, true
		if change != nil {
			change(o)
		}
	})
}

func TestOnePostAndNoMore(t *testing.T) {
	var requests atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		body, _ := io.ReadAll(r.Body)
		want := "_input_charset=gbk&biz_type=10004&partner=" + partnerID + "&service=query_customer_protocol&user_email=%D5%C5%C8%FD%40example.com&sign="
		if r.Method != "POST" || r.URL.RawQuery != "_input_charset=gbk" || !strings.HasPrefix(string(body), want) ||
			!strings.HasSuffix(string(body), "&sign_type=MD5") {
			t.Errorf("%s %s\n%s", r.Method, r.URL, body)
		}
		for name, value := range map[string]string{
			"Content-Type": "application/x-www-form-urlencoded; charset=gbk", "Accept-Encoding": "",
			"Idempotency-Key": "", "X-Idempotency-Key": "", "Referer": "", "Cookie": "",
		} {
			if got := r.Header.Get(name); got != value {
				t.Errorf("%s: %q", name, got)
			}
		}
		if !r.Close {
			t.Error("the server is not told that this connection carries one question")
		}
		if r.ContentLength != int64(len(body)) || len(r.TransferEncoding) > 0 {
			t.Errorf("length %d, %v", r.ContentLength, r.TransferEncoding)
		}
		_, _ = io.WriteString(w, `<alipay><is_success>F</is_success><error>NO_SIGN_CUSTOMER</error></alipay>`)
	}))
	defer server.Close()
	c := newClient(t, func(o *gateway.Options) {
		o.URL, o.UnsafeHost = server.URL+"/gateway.do", true
		o.Partners[0].Charset = mapi.GBK
	})
	a, report, err := c.Ask(t.Context(), email("张三"), nil)
	if err != nil || a.Status != gateway.NotSigned || requests.Load() != 1 {
		t.Errorf("%+v, %v, %d requests", a, err, requests.Load())
	}
	if report.Reused || report.Connect == 0 || report.FirstByte == 0 || report.Remote != server.Listener.Addr().String() {
		t.Errorf("%+v", report)
	}
}

// TestNothingIsSentTwice drops kept-alive connections after the request was read: in that case
// net/http automatically repeats a GET, or a POST with a body that it can rewind (measured).
func TestNothingIsSentTwice(t *testing.T) {
	for _, fault := range []string{"fault-drop", "fault-reset"} {
		s := newSimulator(t, nil)
		c := wired(t, s, func(o *gateway.Options) { o.ReuseAfter = 1 })
		asked := 0
		for range 20 {
			for _, local := range []string{"signed", fault} {
				_, report, err := c.Ask(t.Context(), email(local), nil)
				asked++
				if (local == fault) != (err != nil) {
					t.Fatalf("%s: %v", local, err)
				}
				if local == fault && !report.Reused {
					t.Fatal("the connection was not a kept-alive one: nothing is tested")
				}
			}
		}
		if n := settled(t, s).Calls; n != uint64(asked) {
			t.Errorf("%s: %d asked, the gateway saw %d", fault, asked, n)
		}
	}
}

// settled waits for calls that the gateway is still ending: it cuts a connection slightly before it
// logs the call.
func settled(t *testing.T, s *simulator.Simulator) simulator.Stats {
	t.Helper()
	for {
		if sums := s.Stats(); sums.InFlight == 0 {
			return sums
		}
		select {
		case <-t.Context().Done():
			t.Fatal("calls do not end")
		case <-time.After(time.Millisecond):
		}
	}
}

func TestRedirectIsNotFollowed(t *testing.T) {
	elsewhere := newSimulator(t, nil)
	to := serve(t, elsewhere)
	s := newSimulator(t, func(o *simulator.Options) { o.RedirectTo = to })
	c := wired(t, s, nil)
	for _, status := range []string{"301", "302", "303", "307", "308"} {
		_, report, err := c.Ask(t.Context(), email("fault-redirect-"+status), nil)
		var e *gateway.Error
		if !errors.As(err, &e) || e.Code != gateway.CodeRedirect || report.HTTPStatus/100 != 3 {
			t.Errorf("%s: %v", status, err)
		}
	}
	if n := elsewhere.Stats().Calls; n != 0 {
		t.Errorf("%d calls elsewhere", n)
	}
}

func TestBodiesAreBounded(t *testing.T) {
	s := newSimulator(t, nil)
	c := wired(t, s, nil)
	for _, local := range []string{"fault-endless", "fault-gzip-bomb"} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, report, err := c.Ask(t.Context(), email(local), nil)
		runtime.ReadMemStats(&after)
		var e *gateway.Error
		if !errors.As(err, &e) || e.Code != gateway.CodeUnreadable || report.Bytes > mapi.MaxAnswer+1 {
			t.Errorf("%s: %d bytes, %v", local, report.Bytes, err)
		}
		// Both sides run here; the bomb alone would be 200 MB.
		if grown := after.TotalAlloc - before.TotalAlloc; grown > 16<<20 {
			t.Errorf("%s: allocated %d bytes", local, grown)
		}
	}
}

func TestDeadlineLiesOverTheBodyToo(t *testing.T) {
	s := newSimulator(t, nil)
	c := wired(t, s, func(o *gateway.Options) { o.Timeout = 200 * time.Millisecond })
	for _, local := range []string{"fault-slow-drip-20ms", "fault-hang"} {
		start := time.Now()
		_, _, err := c.Ask(t.Context(), email(local), nil)
		var e *gateway.Error
		if !errors.As(err, &e) || e.Code != gateway.CodeTimeout {
			t.Errorf("%s: %v", local, err)
		}
		if took := time.Since(start); took < 190*time.Millisecond || took > time.Second {
			t.Errorf("%s: took %s", local, took)
		}
	}
}

// TestCallersDeadlineIsTheCallers lets many deadlines of the caller pass at a silent gateway: the
// connection and the context end at the same time, and either may be first.
func TestCallersDeadlineIsTheCallers(t *testing.T) {
	c := strayClient(t, func(_ net.Conn, next func() error) {
		for next() == nil {
			continue
		}
	}, false, nil)
	for range 4 {
		together(32, func() {
			ctx, cancel := context.WithTimeout(t.Context(), 150*time.Millisecond)
			defer cancel()
			_, _, err := c.Ask(ctx, email("signed"), nil)
			if e := (*gateway.Error)(nil); errors.As(err, &e) || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestUnwantedBodyIsNotWaitedFor responds with the beginning of a body and never ends it.
func TestUnwantedBodyIsNotWaitedFor(t *testing.T) {
	large := strings.Repeat("x", mapi.MaxAnswer+1)
	for head, code := range map[string]string{
		"503 Unavailable\r\nRetry-After: 7\r\nContent-Length: 100\r\n\r\nabc": "GATEWAY_HTTP_503",
		"502 Bad\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nabc":              "GATEWAY_HTTP_502",
		"302 Found\r\nLocation: /\r\n\r\nabc":                                 gateway.CodeRedirect,
		"200 OK\r\nContent-Length: 400000\r\n\r\n" + large:                    gateway.CodeUnreadable,
	} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			const forever = 20 * time.Second
			c := strayClient(t, func(conn net.Conn, next func() error) {
				for next() == nil {
					_, _ = io.WriteString(conn, "HTTP/1.1 "+head)
				}
			}, false, func(o *gateway.Options) { o.Timeout = forever })
			begun := time.Now()
			_, _, err := c.Ask(t.Context(), email("signed"), nil)
			if e := (*gateway.Error)(nil); !errors.As(err, &e) || e.Code != code || time.Since(begun) > forever/2 {
				t.Errorf("%v after %s", err, time.Since(begun))
			}
		})
	}
}

func TestUnreachable(t *testing.T) {
	l := listen(t, "127.0.0.1:0")
	_ = l.Close()
	nowhere := "http://" + l.Addr().String() + "/gateway.do"
	dns := func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.DNSError{Err: "no such host", Name: "mapi.alipay.com", IsNotFound: true}
	}
	for name, change := range map[string]func(*gateway.Options){
		"refused":  func(o *gateway.Options) { o.URL, o.UnsafeHost = nowhere, true },
		"NXDOMAIN": func(o *gateway.Options) { o.Dial = dns },
	} {
		_, _, err := newClient(t, change).Ask(t.Context(), email("signed"), nil)
		var e *gateway.Error
		if !errors.As(err, &e) || e.Code != gateway.CodeUnreachable || e.Class != mapi.Temp {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestHTTPStaysOnLoopback(t *testing.T) {
	// localhost, as a resolver may know it: the address of the connection itself is checked.
	c := newClient(t, func(o *gateway.Options) {
		o.URL, o.UnsafeHost = "http://localhost:80/gateway.do", true
		o.Dial = func(context.Context, string, string) (net.Conn, error) {
			near, far := net.Pipe()
			t.Cleanup(func() { _ = far.Close() })
			return abroad{near}, nil
		}
	})
	_, _, err := c.Ask(t.Context(), email("signed"), nil)
	if err == nil || !strings.Contains(err.Error(), "not loopback") {
		t.Errorf("got %v", err)
	}
}

type abroad struct{ net.Conn }

func (abroad) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 80} }

func TestTLS(t *testing.T) {
	s := newSimulator(t, nil)
	server := httptest.NewUnstartedServer(s)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	old := httptest.NewUnstartedServer(s)
	old.Config.ErrorLog = server.Config.ErrorLog
	old.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11} //nolint:gosec // what is refused
	old.StartTLS()
	defer old.Close()
	pool := server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs

	ask := func(change func(*gateway.Options)) (gateway.Report, error) {
		c := newClient(t, func(o *gateway.Options) {
			o.URL, o.UnsafeHost, o.RootCAs = server.URL+"/gateway.do", true, pool
			change(o)
		})
		_, report, err := c.Ask(t.Context(), email("signed"), nil)
		return report, err
	}
	if report, err := ask(func(*gateway.Options) {}); err != nil || report.TLS == 0 {
		t.Errorf("trusted: %+v, %v", report, err)
	}
	for name, change := range map[string]func(*gateway.Options){
		"an unknown authority": func(o *gateway.Options) { o.RootCAs = nil },
		"TLS 1.1":              func(o *gateway.Options) { o.URL = old.URL + "/gateway.do" },
		"another name": func(o *gateway.Options) {
			o.URL = "https://mapi.alipay.com/gateway.do"
			o.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, network, server.Listener.Addr().String())
			}
		},
	} {
		_, err := ask(change)
		var e *gateway.Error
		if !errors.As(err, &e) || e.Code != gateway.CodeTLS || e.Class != mapi.Temp {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := s.Stats().Calls; n != 1 {
		t.Errorf("%d calls", n)
	}
}

// TestFenceHoldsTheFirstByte lets the fence fail each time that it is called, on a new and on a
// kept-alive connection, and checks what a plain socket receives.
func TestFenceHoldsTheFirstByte(t *testing.T) {
	l := listen(t, "127.0.0.1:0")
	t.Cleanup(func() { _ = l.Close() })
	received := make(chan int, 8) // bytes on a connection after its good requests
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() { received <- answerGood(conn) }()
		}
	}()
	lost := errors.New("lease lost")
	for _, kept := range []bool{false, true} {
		c := newClient(t, func(o *gateway.Options) {
			o.URL, o.UnsafeHost, o.ReuseAfter = "http://"+l.Addr().String()+"/gateway.do", true, 1
		})
		if kept {
			if _, _, err := c.Ask(t.Context(), email("signed"), nil); err != nil {
				t.Fatal(err)
			}
		}
		asked := 0
		_, report, err := c.Ask(t.Context(), email("signed"), func() error {
			if asked++; asked == 2 {
				return lost
			}
			return nil
		})
		if !errors.Is(err, lost) || asked != 2 || report.Reused != kept {
			t.Errorf("%v, asked %d times, %+v", err, asked, report)
		}
		if n := <-received; n != 0 {
			t.Errorf("kept-alive %v: %d bytes left in spite of the fence", kept, n)
		}
		c.Close()
	}
}

// answerGood answers whole requests and counts the bytes of a last, broken one.
func answerGood(conn net.Conn) int {
	defer conn.Close()
	const body = `<alipay><is_success>F</is_success><error>NO_SIGN_CUSTOMER</error></alipay>`
	r := bufio.NewReader(conn)
	for {
		if _, err := r.Peek(1); err != nil {
			return 0
		}
		req, err := http.ReadRequest(r)
		if err != nil {
			return 1
		}
		if _, err := io.Copy(io.Discard, req.Body); err != nil {
			return 1
		}
		_, _ = fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	}
}
