// Package tracing traces queries for OpenTelemetry: it makes spans from what the doors and the
// outbox report, and sends them to a collector, OTLP over HTTP.
//
//	asker's span ─► door    process protocol.query     one for each message
//	                 ├────► run     run                one for each run, below the ask that started it
//	                 │       └────► call    POST       one for each attempt, below its run
//	                 └────► reply   publish …          one for each reply, linked to its run
//
// A span is made after what it describes has ended, from data in the journal: a run's calls, the
// worker of each, and how long each took. So a trace does not delay a query, and a worker that dies
// leaves no half-finished span. The ids of spans follow from tokens and runs: see spanID. A
// redelivered query begins a new trace, which is linked to the asker's.
//
// No span has an e-mail, an account, an asker's id or idempotency key, or an inbox.
package tracing

import (
	"encoding/binary"
	"math"
	"strconv"
	"strings"
	"time"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"protocolq/messages"
	"protocolq/worker/intake"
	"protocolq/worker/outbox"
	"protocolq/worker/querylog"
)

// Sampler says which asks are followed: a share Ratio of the asks that begin a trace. An ask in its
// asker's trace follows the flag of that trace, unless Alone is set.
type Sampler struct {
	Ratio float64
	Alone bool // the asker's flag does not count
}

// Options are what a Tracer needs.
type Options struct {
	Names   messages.Names
	Gateway string // the gateway's host
	Sampler Sampler
	To      func(*tracepb.Span) // gets each span, and must not block
}

// Tracer makes spans: a worker.Traces.
type Tracer struct{ o Options }

// New makes a Tracer. It starts nothing.
func New(o Options) *Tracer { return &Tracer{o} }

// Enter implements [intake.Traces]. An ask continues with the context of its door's span. A
// redelivered ask continues with its asker's context.
func (t *Tracer) Enter(asker, token string, redelivered bool) (trace string, followed bool) {
	c, given := parse(asker)
	id := traceID(token)
	if given {
		id = c.trace
	}
	if !t.o.Sampler.takes(c, given, id) {
		return asker, false
	}
	if given && redelivered {
		c.sampled = true
		return c.String(), true
	}
	return spanContext{id, spanID(ofDoor, token), true}.String(), true
}

func (s Sampler) takes(asker spanContext, given bool, id [16]byte) bool {
	if given && !s.Alone {
		return asker.sampled
	}
	// The rule of OpenTelemetry's TraceIDRatioBased, so that programs agree.
	return s.Ratio >= 1 || binary.BigEndian.Uint64(id[8:])>>1 < uint64(max(0, s.Ratio)*math.MaxInt64)
}

// Passed implements [intake.Traces].
func (t *Tracer) Passed(p *intake.Passage) {
	c, ok := parse(p.Trace)
	if !ok {
		return
	}
	asker, given := parse(p.Asker)
	subject, group := t.o.Names.Query(), messages.QueueGroup
	if p.Door == messages.DoorSubmit {
		subject, group = t.o.Names.Submit(), ""
	}
	s := span(c, spanID(ofDoor, p.Token), "process "+subject, tracepb.Span_SPAN_KIND_CONSUMER, p.Came, p.Ended)
	switch {
	case given && p.Redelivered:
		about := p.Token + p.Came.String()
		id, own := traceID(about), spanID(ofDoor, about)
		s.TraceId, s.SpanId = id[:], own[:]
		s.Links = []*tracepb.Span_Link{link(asker)}
	case given:
		s.ParentSpanId = asker.span[:]
	}
	var a attributes
	a.text(messagingSystem, "nats")
	a.text(messagingOperation, "process")
	a.text(messagingType, "process")
	a.text(messagingDestination, subject)
	a.text(messagingGroup, group)
	a.text(messagingMessageID, p.Token)
	a.text(messagingCorrelation, p.Run)
	a.text(ourPartner, p.Partner)
	a.text(ourSource, string(p.Source))
	a.flag(ourRedelivered, p.Redelivered)
	a.replied(p.Outcome, p.Code)
	t.end(s, a, unless(p.Outcome == messages.Unknown || p.Outcome == messages.Refused, p.Code))
}

// mostLinks bounds the links of one span, mostCalls the calls shown of one run.
const (
	mostLinks = 32
	mostCalls = 32
)

// Ran makes the spans of a run and of its calls.
func (t *Tracer) Ran(run *outbox.Run, r *messages.Result) {
	asked, ok := parse(run.Trace)
	if !ok || !asked.sampled {
		return
	}
	begun := run.Stored
	var a attributes
	if n := len(run.Begins); n > 0 {
		begun = run.Begins[0].Stored
		a.number(ourDeaths, int64(run.Begins[n-1].Begin.Deaths))
	}
	s := span(asked, spanID(ofRun, run.Answer.Run), "run", tracepb.Span_SPAN_KIND_INTERNAL, begun, run.Stored)
	s.ParentSpanId = asked.span[:]
	for _, other := range run.Asks {
		if c, ok := parse(other.Ask.Trace); ok && c != asked && len(s.Links) < mostLinks {
			s.Links = append(s.Links, link(c))
		}
	}
	a.text(messagingCorrelation, run.Answer.Run)
	a.text(ourPartner, run.Answer.Partner)
	a.text(ourMember, string(run.By))
	a.number(ourAttempts, int64(r.Attempts))
	a.number(ourSettles, int64(run.Settles))
	a.replied(r.Outcome, r.Code)
	t.end(s, a, unless(!r.Outcome.Conclusive(), r.Code))
	calls := run.Calls()
	first := max(0, len(calls)-mostCalls)
	for i := range calls[first:] {
		t.call(s, run, first+i, &calls[first+i])
	}
}

// call makes the span of a run's call n, counted from 0.
func (t *Tracer) call(of *tracepb.Span, run *outbox.Run, n int, c *querylog.Attempt) {
	id := spanID(ofCall, run.Answer.Run+" "+strconv.Itoa(n))
	s := &tracepb.Span{TraceId: of.TraceId, SpanId: id[:], ParentSpanId: of.SpanId, Flags: of.Flags, Name: "POST",
		Kind:              tracepb.Span_SPAN_KIND_CLIENT,
		StartTimeUnixNano: nanos(c.At), EndTimeUnixNano: nanos(c.At.Add(c.Total))}
	var a attributes
	a.text(httpMethod, "POST")
	a.text(serverAddress, t.o.Gateway)
	a.text(ourPartner, run.Answer.Partner)
	a.text(ourCode, c.Code)
	a.number(httpResend, int64(n))
	a.number(httpStatus, int64(c.HTTPStatus))
	a.number(httpBodySize, int64(c.Bytes))
	a.flag(ourReused, c.Reused)
	for name, took := range map[string]time.Duration{ourDNSMs: c.DNS, ourConnectMs: c.Connect, ourTLSMs: c.TLS,
		ourFirstByteMs: c.FirstByte, ourBodyMs: c.Body} {
		a.float(name, float64(took.Microseconds())/1000)
	}
	code := unless(c.Class != "", c.Code)
	if c.Cut {
		code = "cut"
	}
	t.end(s, a, code)
}

// Replied makes the span of a reply.
func (t *Tracer) Replied(r *messages.Result, of *outbox.Ask, made time.Time) {
	ask := of.Ask
	c, ok := parse(ask.Trace)
	if !ok || !c.sampled {
		return
	}
	s := span(c, spanID(ofReply, ask.Token), "publish", tracepb.Span_SPAN_KIND_PRODUCER, made, time.Now())
	s.ParentSpanId = c.span[:]
	var a attributes
	if strings.HasPrefix(ask.Reply, t.o.Names.Reply()) {
		template := t.o.Names.Reply() + "{asker}"
		s.Name = "publish " + template
		a.text(messagingTemplate, template)
	}
	if of.Answer != nil {
		a.text(messagingCorrelation, of.Answer.Run)
		if of.Source == messages.Asked { // a run that other asks began is in their trace, and linked from here
			s.Links = []*tracepb.Span_Link{link(spanContext{c.trace, spanID(ofRun, of.Answer.Run), true})}
		}
	}
	a.text(messagingSystem, "nats")
	a.text(messagingOperation, "publish")
	a.text(messagingType, "send")
	a.text(messagingMessageID, ask.Token)
	a.text(ourPartner, ask.Partner)
	a.text(ourSource, string(of.Source))
	a.number(ourWaitedMs, made.Sub(of.Stored).Milliseconds())
	a.replied(r.Outcome, r.Code)
	t.end(s, a, unless(r.Outcome == messages.Unknown || r.Outcome == messages.Refused, r.Code))
}

// unless returns code if a span's end is a failure.
func unless(failed bool, code string) string {
	if failed {
		return code
	}
	return ""
}
