// The door while it serves: which callers may be slow, which may wait, and an end that answers
// them all.

package httpdoor

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"protocolq/messages"
)

// pipes is a listener in memory, so that its connections use the fake clock.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func newPipes() *pipes { return &pipes{make(chan net.Conn), make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}
func (p *pipes) Close() error   { close(p.closed); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

// dial opens a connection on which the test itself writes the request.
func (p *pipes) dial(t *testing.T) net.Conn {
	t.Helper()
	here, there := net.Pipe()
	select {
	case p.conns <- there:
	case <-p.closed:
		t.Fatal("the door is closed")
	}
	return here
}

// opened serves a door until stop is called; ended receives its error.
func opened(t *testing.T, fleet fleet, grace time.Duration) (p *pipes, stop context.CancelFunc, ended chan error) {
	p, ended = newPipes(), make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	d := openDoor(t, options{Fleet: fleet})
	go func() {
		ended <- d.serve(ctx, listening{Listener: p, Grace: grace, Logger: slog.New(slog.DiscardHandler)})
	}()
	return p, cancel, ended
}

func text(prefer string, length int) string {
	return "POST /v1/queries HTTP/1.1\r\nHost: door\r\nContent-Type: application/json\r\nAuthorization: Bearer " + tokens["shop"] +
		"\r\nPrefer: " + prefer + "\r\nContent-Length: " + strconv.Itoa(length) + "\r\n\r\n"
}

// sent writes a request and reads its answer.
func sent(t *testing.T, c net.Conn, written string) (status int) {
	t.Helper()
	go func() { _, _ = io.WriteString(c, written) }()
	r, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Error(err)
		return 0
	}
	defer r.Body.Close()
	if _, err := io.ReadAll(r.Body); err != nil {
		t.Error(err)
	}
	return r.StatusCode
}

// A caller that has sent its request may wait longer than a body may take. One that has not is
// cut off.
func TestSlowCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, stop, ended := opened(t, silent(), 0)
		began := time.Now()
		if s := sent(t, p.dial(t), text("wait=45", len(good))+good); s != http.StatusAccepted || time.Since(began) != 45*time.Second {
			t.Errorf("a long wait: %d after %s", s, time.Since(began))
		}
		began = time.Now()
		if s := sent(t, p.dial(t), text("wait=45", len(good))+good[:10]); s != http.StatusBadRequest || time.Since(began) != bodyTime {
			t.Errorf("a slow body: %d after %s", s, time.Since(began))
		}
		began = time.Now()
		if s := sent(t, p.dial(t), strings.Replace(text("wait=45", len(good)), "pq_", "no_", 1)+good[:10]); s != http.StatusUnauthorized || time.Since(began) != bodyTime {
			t.Errorf("a slow body that nobody wants: %d after %s", s, time.Since(began))
		}
		began = time.Now()
		c := p.dial(t)
		go func() { _, _ = io.WriteString(c, "POST /v1/queries HTTP/1.1\r\nHost: door\r\n") }()
		if _, err := io.ReadAll(c); err != nil || time.Since(began) > headerTime+time.Second {
			t.Errorf("slow headers: %v after %s", err, time.Since(began))
		}
		if s := sent(t, p.dial(t), "GET /v1/queries HTTP/1.1\r\nHost: door\r\nX: "+strings.Repeat("x", 2*headerMax)+"\r\n\r\n"); s != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("large headers: %d", s)
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// At the end, requests that wait are answered. If the answer does not come within the grace
// period, the query is stored, and its answer is found later at its address.
func TestEndAnswersAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := &played{answer: func(ctx context.Context, q messages.Query) (messages.Result, error) {
			took := 5 * time.Second
			if q.ID == "never" {
				took = time.Hour
			}
			select {
			case <-time.After(took):
				return signed, nil
			case <-ctx.Done():
				return messages.Result{}, ctx.Err()
			}
		}}
		p, stop, ended := opened(t, slow, 8*time.Second)
		answered, never := make(chan int, 1), make(chan int, 1)
		c1, c2 := p.dial(t), p.dial(t)
		go func() { answered <- sent(t, c1, text("wait=45", len(good))+good) }()
		go func() { never <- sent(t, c2, text("wait=45", len(good)+2)+strings.Replace(good, "r-1", "never", 1)) }()
		synctest.Wait()
		began := time.Now()
		stop()
		if s := <-answered; s != http.StatusOK || time.Since(began) != 5*time.Second {
			t.Errorf("within the grace: %d after %s", s, time.Since(began))
		}
		if s := <-never; s != http.StatusAccepted || time.Since(began) != 8*time.Second {
			t.Errorf("at its end: %d after %s", s, time.Since(began))
		}
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if _, err := p.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Error("it still listens")
		}
	})
}

// TLS uses the certificate that is in the files now.
func TestCertificateIsReadAgain(t *testing.T) {
	c := certificateIn(t)
	first, err := c.get(nil)
	if err != nil {
		t.Fatal(err)
	}
	writeCertificate(t, c.cert.Path, c.key.Path)
	second, err := c.get(nil)
	if err != nil || string(first.Certificate[0]) == string(second.Certificate[0]) {
		t.Errorf("the new certificate is not used: %v", err)
	}
}

func TestTLS(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	d := openDoor(t, options{Fleet: says(signed)})
	go func() {
		ended <- d.serve(ctx, listening{Listener: l, TLS: certificateIn(t), Logger: slog.New(slog.DiscardHandler)})
	}()
	client := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true}}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+l.Addr().String()+"/v1/queries", strings.NewReader(good))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+tokens["shop"])
	r.Header.Set("Content-Type", "application/json")
	w, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Body.Close()
	if w.StatusCode != http.StatusOK || w.ProtoMajor != 2 {
		t.Errorf("%d by %s", w.StatusCode, w.Proto)
	}
	client.CloseIdleConnections()
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
