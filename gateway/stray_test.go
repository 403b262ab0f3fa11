// Unexpected bytes never become an answer.

package gateway_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"protocolq/gateway"
	"protocolq/gateway/mapi"
)

// Every account of these tests has signed; the stray answer says that it has not.
var (
	rightAnswer = httpAnswer(`<alipay><is_success>T</is_success><charge_agent>T</charge_agent><refund_charge>T</refund_charge></alipay>`)
	strayAnswer = httpAnswer(`<alipay><is_success>F</is_success><error>NO_SIGN_CUSTOMER</error></alipay>`)
)

func httpAnswer(body string) string {
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

// strayWays are what the other side does on each connection, with a func to read a request.
var strayWays = []struct {
	name  string
	speak func(conn net.Conn, next func() error)
	// apart says whether the right answer can be distinguished from the stray one.
	apart bool
}{
	{"in the same segment", func(conn net.Conn, next func() error) {
		for next() == nil {
			_, _ = io.WriteString(conn, rightAnswer+strayAnswer)
		}
	}, false},
	{"a blank line behind the answer", func(conn net.Conn, next func() error) {
		for next() == nil {
			_, _ = io.WriteString(conn, rightAnswer+"\r\n")
		}
	}, false},
	{"0 to 50 ms after the answer", func(conn net.Conn, next func() error) {
		for next() == nil {
			_, _ = io.WriteString(conn, rightAnswer)
			// Real time: the clock of a bubble does not govern this server.
			time.Sleep(rand.N(51 * time.Millisecond))
			_, _ = io.WriteString(conn, strayAnswer)
		}
	}, true},
}

// TestStrayAnswers asks only about signed accounts. PROTOCOLQ_STRAY_CALLS is the number of calls in
// each way (make stray).
func TestStrayAnswers(t *testing.T) {
	calls := fromEnv(t, "PROTOCOLQ_STRAY_CALLS", 320)
	for _, way := range strayWays {
		for _, secure := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, TLS %v", way.name, secure), func(t *testing.T) {
				sums := askMany(t, strayClient(t, way.speak, secure, nil), calls)
				if n := sums.notSigned.Load(); n > 0 {
					t.Errorf("%d false not_signed of %d", n, calls)
				}
				if n := sums.signed.Load(); (n > 0) != way.apart {
					t.Errorf("%d right answers were believed", n)
				}
				t.Logf("%d signed, %d unknown", sums.signed.Load(), sums.unknown.Load())
			})
		}
	}
}

// TestAnswerBeforeTheQuestion lets the other side speak first, on a new connection: a dial ends
// only when that is done. PROTOCOLQ_STRAY_CALLS is the number of calls (make stray).
func TestAnswerBeforeTheQuestion(t *testing.T) {
	var spoken sync.Map // a channel by the client's address, closed when the other side has spoken
	until := func(client net.Addr) chan struct{} {
		c, _ := spoken.LoadOrStore(client.String(), make(chan struct{}))
		return c.(chan struct{})
	}
	c := strayClient(t, func(conn net.Conn, next func() error) {
		_, _ = io.WriteString(conn, strayAnswer)
		close(until(conn.RemoteAddr()))
		for next() == nil {
			_, _ = io.WriteString(conn, rightAnswer)
		}
		spoken.Delete(conn.RemoteAddr().String())
	}, false, func(o *gateway.Options) {
		o.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, network, address)
			if err == nil {
				<-until(conn.LocalAddr())
			}
			return conn, err
		}
	})
	calls := fromEnv(t, "PROTOCOLQ_STRAY_CALLS", 320)
	if sums := askMany(t, c, calls); sums.unknown.Load() != int64(calls) {
		t.Errorf("%d not_signed and %d signed of %d were believed", sums.notSigned.Load(), sums.signed.Load(), calls)
	}
}

// TestAnswerBeforeTheQuestionTLS asks one by one: over TLS the dial is over before the other side
// can speak, so that only the rest can be long enough.
func TestAnswerBeforeTheQuestionTLS(t *testing.T) {
	t.Parallel()
	c := strayClient(t, func(conn net.Conn, next func() error) {
		_, _ = io.WriteString(conn, strayAnswer)
		for next() == nil {
			_, _ = io.WriteString(conn, rightAnswer)
		}
	}, true, nil)
	for range 20 {
		a, _, err := c.Ask(t.Context(), email("signed"), nil)
		var e *gateway.Error
		if !errors.As(err, &e) || e.Code != gateway.CodeStray || e.Class != mapi.Temp {
			t.Fatalf("%+v, %v", a, err)
		}
	}
}

// fromEnv lets a test run longer than by default.
func fromEnv(t *testing.T, name string, otherwise int) int {
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n <= 0 {
		t.Fatalf("%s is %q, not a number above 0", name, text)
	}
	return n
}

type sums struct{ signed, notSigned, unknown atomic.Int64 }

// askMany asks again and again, from many goroutines at once.
func askMany(t *testing.T, c *gateway.Client, calls int) *sums {
	var s sums
	var wg sync.WaitGroup
	left := atomic.Int64{}
	left.Store(int64(calls))
	for range min(max(64, calls/50), 256) {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				a, _, err := c.Ask(t.Context(), email("signed"), nil)
				switch {
				case err != nil:
					s.unknown.Add(1)
					if e := (*gateway.Error)(nil); !errors.As(err, &e) || e.Code != gateway.CodeStray {
						t.Errorf("got %v", err)
					}
				case a.Status == gateway.NotSigned:
					s.notSigned.Add(1)
				default:
					s.signed.Add(1)
				}
			}
		})
	}
	wg.Wait()
	return &s
}

// strayClient is a client of a plain server that speaks as the test says.
func strayClient(t *testing.T, speak func(net.Conn, func() error), secure bool, change func(*gateway.Options)) *gateway.Client {
	l := listen(t, "127.0.0.1:0")
	t.Cleanup(func() { _ = l.Close() })
	scheme := "http"
	var roots *x509.CertPool
	if secure {
		server := httptest.NewUnstartedServer(nil)
		server.StartTLS() // for its certificate
		server.Close()
		scheme, roots = "https", server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
		l = tls.NewListener(l, &tls.Config{Certificates: server.TLS.Certificates}) //nolint:gosec // a test's server
	}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				if tc, ok := conn.(*tls.Conn); ok && tc.HandshakeContext(context.Background()) != nil {
					return
				}
				in := bufio.NewReader(conn)
				speak(conn, func() error {
					r, err := http.ReadRequest(in)
					if err == nil {
						_, err = io.Copy(io.Discard, r.Body)
					}
					return err
				})
			}()
		}
	}()
	return newClient(t, func(o *gateway.Options) {
		o.URL, o.UnsafeHost, o.RootCAs = scheme+"://"+l.Addr().String()+"/gateway.do", true, roots
		o.Timeout = time.Minute
		if change != nil {
			change(o)
		}
	})
}
