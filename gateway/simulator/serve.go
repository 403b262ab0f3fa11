// The simulator on a network, and without one.

package simulator

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// Serve serves the gateway on one listener and, if log is not nil, the call log on another, until
// ctx ends. It closes both, and cuts the calls in flight after a second. When it returns, every
// goroutine that it began has ended. Its error is nil if ctx ended it.
func (s *Simulator) Serve(ctx context.Context, gateway, log net.Listener) error {
	servers := []*http.Server{s.server(s)}
	listeners := []net.Listener{gateway}
	servers[0].ConnContext = s.ConnContext
	if log != nil {
		servers, listeners = append(servers, s.server(s.LogHandler())), append(listeners, log)
	}
	ended := make(chan error, len(servers))
	for i, server := range servers {
		go func() { ended <- server.Serve(listeners[i]) }()
	}
	var first error
	running := len(servers)
	select {
	case <-ctx.Done():
	case first = <-ended:
		running--
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	for _, server := range servers {
		if server.Shutdown(grace) != nil {
			_ = server.Close()
		}
	}
	for range running {
		<-ended
	}
	if errors.Is(first, http.ErrServerClosed) {
		return nil
	}
	return first
}

func (s *Simulator) server(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       5 * time.Minute,
		ErrorLog:          slog.NewLogLogger(s.logger.Handler(), slog.LevelDebug),
	}
}

// RoundTrip makes the simulator an http.RoundTripper that calls its own handler without a network:
// for tests in a synctest bubble, and for programs that are gateway and client in one. A connection
// that the handler cuts results in io.ErrUnexpectedEOF. The body of the response must be closed.
func (s *Simulator) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := req.Context().Err(); err != nil {
		return nil, err // as in net/http: nothing is sent for a caller that has left
	}
	ctx, cancel := context.WithCancel(req.Context())
	inner := req.Clone(ctx)
	if inner.Body == nil {
		inner.Body = http.NoBody
	}
	pr, pw := io.Pipe()
	w := &pipeWriter{header: http.Header{}, body: pw, status: make(chan int, 1)}
	go s.handle(w, inner)
	select {
	case status := <-w.status:
		if status == 0 {
			cancel()
			return nil, io.ErrUnexpectedEOF
		}
		return &http.Response{
			Status: http.StatusText(status), StatusCode: status,
			Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
			Header: w.sent, ContentLength: -1, Request: req,
			Body: &pipeBody{PipeReader: pr, cancel: cancel},
		}, nil
	case <-req.Context().Done():
		cancel()
		_ = pr.Close()
		return nil, req.Context().Err()
	}
}

// handle runs the handler like net/http, including its abort.
func (s *Simulator) handle(w *pipeWriter, r *http.Request) {
	defer func() {
		cut := recover()
		_ = r.Body.Close()
		if cut != nil && cut != http.ErrAbortHandler { //nolint:errorlint // the panic's value, never wrapped
			panic(cut)
		}
		if cut != nil {
			w.tell(0) // no status was written: there is no response at all
			_ = w.body.CloseWithError(io.ErrUnexpectedEOF)
			return
		}
		w.tell(http.StatusOK)
		// A body that is still being read when the caller's time ends must not look complete.
		_ = w.body.CloseWithError(r.Context().Err())
	}()
	s.ServeHTTP(w, r)
}

type pipeWriter struct {
	header, sent http.Header
	body         *io.PipeWriter
	once         sync.Once
	status       chan int
}

func (w *pipeWriter) tell(status int) {
	w.once.Do(func() {
		w.sent = w.header.Clone()
		w.status <- status
	})
}

func (w *pipeWriter) Header() http.Header { return w.header }

func (w *pipeWriter) WriteHeader(status int) {
	if status >= 200 {
		w.tell(status)
	}
}

func (w *pipeWriter) Write(b []byte) (int, error) {
	w.tell(http.StatusOK)
	return w.body.Write(b)
}

type pipeBody struct {
	*io.PipeReader
	cancel context.CancelFunc
}

func (b *pipeBody) Close() error {
	b.cancel()
	return b.PipeReader.Close()
}
