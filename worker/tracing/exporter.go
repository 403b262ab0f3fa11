// Exporter: sends spans to a collector in batches, and drops what it cannot send.

package tracing

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// ExportOptions say where spans go. The zero value of a setting is its default.
type ExportOptions struct {
	URL      string            // needed: with its path, such as http://127.0.0.1:4318/v1/traces
	Headers  map[string]string // sent with each request; may be secret
	Timeout  time.Duration     // 10 s: for one request
	Gzip     bool
	TLS      *tls.Config       // nil: the system's
	Resource map[string]string // attributes of all spans
	Logger   *slog.Logger      // discarded when nil
}

// Bounds: how many spans wait, how many go together, and for how long.
const (
	mostWaiting = 8192 // spans; more are dropped
	mostInBatch = 512  // spans
	batchWait   = time.Second
	mostTries   = 4
	firstWait   = time.Second
	mostWait    = 30 * time.Second // the longest that a collector may ask for
	lastTime    = 3 * time.Second  // for what is left at the end
	mostReply   = 64 << 10
	saidEvery   = 30 * time.Second
)

// Exporter sends the spans that Add takes, while its Run runs.
type Exporter struct {
	o             ExportOptions
	client        *http.Client
	resource      *resourcepb.Resource
	waiting       chan *tracepb.Span
	sent, dropped atomic.Uint64
	said          time.Time // when a failure was last logged; only for Run
	failing       bool
}

// NewExporter makes an Exporter. It starts nothing.
func NewExporter(o ExportOptions) *Exporter {
	o.Timeout = cmp.Or(o.Timeout, 10*time.Second)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	e := &Exporter{o: o, waiting: make(chan *tracepb.Span, mostWaiting), resource: &resourcepb.Resource{},
		client: &http.Client{
			Transport: &http.Transport{TLSClientConfig: o.TLS, MaxIdleConns: 1, IdleConnTimeout: time.Minute,
				ForceAttemptHTTP2: true},
			// The headers may be secret: they must not follow a redirect.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}}
	for name, value := range o.Resource {
		e.resource.Attributes = append(e.resource.Attributes,
			&commonpb.KeyValue{Key: name,
				Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: value}}})
	}
	return e
}

// Add takes a span, or drops it if too many wait. It does not block.
func (e *Exporter) Add(s *tracepb.Span) {
	select {
	case e.waiting <- s:
	default:
		e.dropped.Add(1)
	}
}

// Counts are the spans that the collector has, and those that it never gets.
func (e *Exporter) Counts() (sent, dropped uint64) { return e.sent.Load(), e.dropped.Load() }

// Run sends until ctx ends, and then for a moment what is left.
func (e *Exporter) Run(ctx context.Context) {
	defer e.client.CloseIdleConnections()
	sending, stop := context.WithCancel(context.WithoutCancel(ctx)) // outlives ctx
	defer stop()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(lastTime, stop) })()
	for ctx.Err() == nil || len(e.waiting) > 0 {
		if batch := e.collect(ctx); len(batch) > 0 {
			e.send(sending, batch)
		}
	}
}

// collect waits for a span, and then briefly for more.
func (e *Exporter) collect(ctx context.Context) []*tracepb.Span {
	var batch []*tracepb.Span
	select {
	case s := <-e.waiting:
		batch = append(batch, s)
	case <-ctx.Done():
		return e.rest(nil)
	}
	timer := time.NewTimer(batchWait)
	defer timer.Stop()
	for len(batch) < mostInBatch {
		select {
		case s := <-e.waiting:
			batch = append(batch, s)
			continue
		case <-timer.C:
		case <-ctx.Done():
		}
		break
	}
	return e.rest(batch)
}

// rest fills a batch with waiting spans.
func (e *Exporter) rest(batch []*tracepb.Span) []*tracepb.Span {
	for len(batch) < mostInBatch {
		select {
		case s := <-e.waiting:
			batch = append(batch, s)
			continue
		default:
		}
		break
	}
	return batch
}

// send sends a batch, a few times if that may help.
func (e *Exporter) send(ctx context.Context, batch []*tracepb.Span) {
	body, err := e.encode(batch)
	wait := firstWait
	for try := 1; err == nil; try++ {
		var after time.Duration
		if after, err = e.post(ctx, body); err == nil {
			e.sent.Add(uint64(len(batch)))
			if e.failing {
				e.failing = false
				e.o.Logger.Info("traces sent again")
			}
			return
		}
		final := errors.Is(err, errFinal)
		if e.say(err); final || try == mostTries {
			break
		}
		select {
		case <-time.After(max(wait, after)):
			wait, err = min(2*wait, mostWait), nil
		case <-ctx.Done():
		}
	}
	e.dropped.Add(uint64(len(batch)))
}

// say logs now and then that traces do not reach the collector.
func (e *Exporter) say(err error) {
	if now := time.Now(); now.Sub(e.said) >= saidEvery {
		e.said, e.failing = now, true
		e.o.Logger.Warn("traces not sent", "dropped", e.dropped.Load(), "err", err,
			"hint", "does a collector take OTLP over HTTP at otlp-endpoint?")
	}
}

// encode writes a request. It has the same encoding as TracesData.
func (e *Exporter) encode(batch []*tracepb.Span) ([]byte, error) {
	body, err := proto.Marshal(&tracepb.TracesData{ResourceSpans: []*tracepb.ResourceSpans{{Resource: e.resource,
		ScopeSpans: []*tracepb.ScopeSpans{{Scope: &commonpb.InstrumentationScope{Name: "protocolq"}, Spans: batch}}}}})
	if err != nil || !e.o.Gzip {
		return body, err
	}
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, err = w.Write(body)
	err = errors.Join(err, w.Close()) // which writes most of it
	return out.Bytes(), err
}

// errFinal is wrapped if the same request would be refused again.
var errFinal = errors.New("refused")

// post makes one request. after is how long the collector asks to wait.
func (e *Exporter) post(ctx context.Context, body []byte) (after time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, e.o.Timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, e.o.URL, bytes.NewReader(body))
	if err != nil {
		return 0, fmt.Errorf("%w: %w", errFinal, err)
	}
	for name, value := range e.o.Headers {
		r.Header.Set(name, value)
	}
	r.Header.Set("Content-Type", "application/x-protobuf")
	if e.o.Gzip {
		r.Header.Set("Content-Encoding", "gzip")
	}
	resp, err := e.client.Do(r)
	if whole, ok := errors.AsType[*url.Error](err); ok {
		err = whole.Err // without the address, which may hold a key
	}
	if err != nil {
		return 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, mostReply))
	switch resp.StatusCode {
	case http.StatusOK, http.StatusAccepted, http.StatusNoContent:
		return 0, nil
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		seconds, _ := strconv.Atoi(resp.Header.Get("Retry-After"))
		return min(time.Duration(max(0, seconds))*time.Second, mostWait),
			fmt.Errorf("the collector answers %s", resp.Status)
	}
	return 0, fmt.Errorf("%w: the collector answers %s", errFinal, resp.Status)
}
