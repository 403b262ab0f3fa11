// Spans as OTLP has them.

package tracing

import (
	"time"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
)

// span begins a span in c's trace.
func span(c spanContext, id [8]byte, name string, kind tracepb.Span_SpanKind, from, to time.Time) *tracepb.Span {
	return &tracepb.Span{TraceId: c.trace[:], SpanId: id[:], Name: name, Kind: kind, Flags: 1,
		StartTimeUnixNano: nanos(from), EndTimeUnixNano: max(nanos(from), nanos(to))}
}

// link is a link to a span of this or another trace.
func link(c spanContext) *tracepb.Span_Link {
	return &tracepb.Span_Link{TraceId: c.trace[:], SpanId: c.span[:], Flags: 1}
}

func nanos(t time.Time) uint64 {
	if t.IsZero() {
		return 0
	}
	return uint64(t.UnixNano())
}

// end ends a span and hands it over. code says why it is a failure; "": it is none.
func (t *Tracer) end(s *tracepb.Span, a attributes, code string) {
	if code != "" {
		a.text(errorType, code)
		s.Status = &tracepb.Status{Code: tracepb.Status_STATUS_CODE_ERROR}
	}
	s.Attributes = a
	t.o.To(s)
}
