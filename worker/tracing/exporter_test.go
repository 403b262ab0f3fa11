// Spans go to a collector, repeatedly if that may help, and nothing waits for that.

package tracing

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// collector takes what an exporter sends, after it has responded with the statuses.
type collector struct {
	mu       sync.Mutex
	statuses []int
	got      []*tracepb.TracesData
	at       []time.Time
	headers  http.Header
}

// RoundTrip implements [http.RoundTripper], so that there is no network between.
func (c *collector) RoundTrip(r *http.Request) (*http.Response, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at, c.headers = append(c.at, time.Now()), r.Header
	w := httptest.NewRecorder()
	if len(c.statuses) > 0 {
		if c.statuses[0] == http.StatusTooManyRequests {
			w.Header().Set("Retry-After", "7")
		}
		w.WriteHeader(c.statuses[0])
		c.statuses = c.statuses[1:]
		return w.Result(), nil
	}
	body, err := io.ReadAll(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		var z *gzip.Reader
		if z, err = gzip.NewReader(bytes.NewReader(body)); err == nil {
			body, err = io.ReadAll(z)
		}
	}
	var d tracepb.TracesData
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return w.Result(), nil
	}
	if err = proto.Unmarshal(body, &d); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return w.Result(), nil
	}
	c.got = append(c.got, &d)
	return w.Result(), nil
}

func TestExporter(t *testing.T) {
	for _, c := range []struct {
		name          string
		statuses      []int
		sent, dropped uint64
		after         []time.Duration // of each request, counted from the first span
		lines         int
	}{
		{"at once", nil, 3, 0, []time.Duration{time.Second}, 0},
		{"again", []int{503, 502}, 3, 0, []time.Duration{1 * time.Second, 2 * time.Second, 4 * time.Second}, 2},
		{"when it wants to", []int{429}, 3, 0, []time.Duration{1 * time.Second, 8 * time.Second}, 2},
		{"never", []int{400}, 0, 3, []time.Duration{time.Second}, 1},
		{"elsewhere", []int{307}, 0, 3, []time.Duration{time.Second}, 1},
		{"not for ever", []int{503, 503, 503, 503}, 0, 3, []time.Duration{1 * time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				to, log := &collector{statuses: c.statuses}, &bytes.Buffer{}
				e := NewExporter(ExportOptions{URL: "http://c/v1/traces", Gzip: true, Headers: map[string]string{"authorization": "s3cret"},
					Resource: map[string]string{"service.name": "protocolq"}, Logger: slog.New(slog.NewTextHandler(log, nil))})
				e.client.Transport = to
				ctx, stop := context.WithCancel(t.Context())
				ended := make(chan struct{})
				go func() { e.Run(ctx); close(ended) }()
				begun := time.Now()
				for range 3 {
					e.Add(&tracepb.Span{Name: "run"})
				}
				time.Sleep(time.Minute)
				synctest.Wait() // what was sent and logged is read below
				if sent, dropped := e.Counts(); sent != c.sent || dropped != c.dropped {
					t.Errorf("%d sent, %d dropped", sent, dropped)
				}
				for i, at := range to.at {
					if i >= len(c.after) || at.Sub(begun) != c.after[i] {
						t.Errorf("request %d after %v", i, at.Sub(begun))
					}
				}
				if len(to.at) != len(c.after) || to.headers.Get("Authorization") != "s3cret" {
					t.Errorf("%d requests, %v", len(to.at), to.headers)
				}
				if n := strings.Count(log.String(), "\n"); n != c.lines || strings.Contains(log.String(), "s3cret") {
					t.Errorf("%d lines:\n%s", n, log)
				}
				stop()
				<-ended
			})
		})
	}
}

// Waiting spans are bounded, and sent at the end while there is time.
func TestExporterEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		to := &collector{}
		e := NewExporter(ExportOptions{URL: "http://c/v1/traces"})
		e.client.Transport = to
		for range mostWaiting + 10 {
			e.Add(&tracepb.Span{Name: "run"})
		}
		ctx, stop := context.WithCancel(t.Context())
		stop()
		e.Run(ctx)
		if sent, dropped := e.Counts(); sent != mostWaiting || dropped != 10 || len(to.got) != mostWaiting/mostInBatch {
			t.Errorf("%d sent, %d dropped, %d requests", sent, dropped, len(to.got))
		}
	})
	synctest.Test(t, func(t *testing.T) {
		to := &collector{statuses: slicesOf(503, 1000)}
		e := NewExporter(ExportOptions{URL: "http://c/v1/traces"})
		e.client.Transport = to
		for range mostWaiting {
			e.Add(&tracepb.Span{Name: "run"})
		}
		ctx, stop := context.WithCancel(t.Context())
		stop()
		begun := time.Now()
		e.Run(ctx)
		if took := time.Since(begun); took > lastTime {
			t.Errorf("it took %v to end where the collector is away", took)
		}
	})
}

func slicesOf(status, n int) (list []int) {
	for range n {
		list = append(list, status)
	}
	return list
}

// A collector's address may have a key in it, which no line of the log shows.
func TestExporterLogsNoAddress(t *testing.T) {
	var log bytes.Buffer
	e := NewExporter(ExportOptions{URL: "http://127.0.0.1:1/v1/traces?api-key=s3cret", Logger: slog.New(slog.NewTextHandler(&log, nil))})
	_, err := e.post(t.Context(), nil)
	e.say(err)
	if !strings.Contains(log.String(), "traces not sent") || strings.Contains(log.String(), "s3cret") {
		t.Error(log.String())
	}
}
