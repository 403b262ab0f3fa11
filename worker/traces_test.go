// Traces of a whole fleet: what belongs together and what is linked, without naming a person.

package worker_test

import (
	"encoding/hex"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/prototext"

	"protocolq/gateway/simulator"
	"protocolq/messages"
	"protocolq/worker"
	"protocolq/worker/tracing"
)

// spans are those that workers made.
type spans struct {
	mu  sync.Mutex
	all []*tracepb.Span
}

func (s *spans) add(x *tracepb.Span) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, x)
}

func (s *spans) traced(f *fleet) func(*worker.Options) {
	return func(o *worker.Options) {
		o.Traces = tracing.New(tracing.Options{Names: f.names, Gateway: "gateway.example", Sampler: tracing.Sampler{Ratio: 1}, To: s.add})
	}
}

// named are the spans of a trace with a name, once there are as many as wanted.
func (s *spans) named(t *testing.T, trace, name string, wanted int) (list []*tracepb.Span) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); ; time.Sleep(5 * time.Millisecond) {
		list = nil
		s.mu.Lock()
		for _, x := range s.all {
			if strings.HasPrefix(x.Name, name) && (trace == "" || hex.EncodeToString(x.TraceId) == trace) {
				list = append(list, x)
			}
		}
		s.mu.Unlock()
		if len(list) == wanted {
			return list
		}
		if time.Now().After(end) {
			t.Fatalf("%d spans %q of trace %q, want %d", len(list), name, trace, wanted)
		}
	}
}

func attribute(s *tracepb.Span, name string) string {
	for _, a := range s.Attributes {
		if a.Key == name {
			return a.Value.GetStringValue()
		}
	}
	return ""
}

const (
	askersTrace = "0af7651916cd43dd8448eb211c80319c"
	askersSpan  = "b7ad6b7169203331"
	traceparent = "00-" + askersTrace + "-" + askersSpan + "-01"
)

// traced asks with a trace context and returns the reply.
func (f *fleet) traced(q messages.Query, trace string) *nats.Msg {
	f.t.Helper()
	body, err := q.Encode(messages.JSON)
	if err != nil {
		f.t.Fatal(err)
	}
	m, err := f.nc.RequestMsg(&nats.Msg{Subject: f.names.Query(), Data: body, Header: nats.Header{messages.Traceparent: {trace}}}, time.Minute)
	if err != nil {
		f.t.Fatal(err)
	}
	return m
}

func TestTraceOfAQuery(t *testing.T) {
	f, made := newFleet(t, simulator.Options{}), &spans{}
	f.start(made.traced(f))
	f.start(made.traced(f))
	events, err := f.nc.SubscribeSync("protocol.event.>")
	if err != nil {
		t.Fatal(err)
	}
	reply := f.traced(messages.Query{ID: "canary-id", Key: "canary-key", UserEmail: "system-error-2+canary@example.com", AccountNo: "2088000000000777"}, traceparent)
	door := made.named(t, askersTrace, "process protocol.query", 1)[0]
	run := made.named(t, askersTrace, "run", 1)[0]
	calls := made.named(t, askersTrace, "POST", 3)
	sent := made.named(t, askersTrace, "publish", 1)[0]
	for child, parent := range map[*tracepb.Span]string{door: askersSpan, run: hex.EncodeToString(door.SpanId), calls[0]: hex.EncodeToString(run.SpanId),
		calls[2]: hex.EncodeToString(run.SpanId), sent: hex.EncodeToString(door.SpanId)} {
		if hex.EncodeToString(child.ParentSpanId) != parent {
			t.Errorf("%s is below %x, want %s", child.Name, child.ParentSpanId, parent)
		}
		if child.EndTimeUnixNano < child.StartTimeUnixNano || child.StartTimeUnixNano == 0 {
			t.Errorf("%s: from %d to %d", child.Name, child.StartTimeUnixNano, child.EndTimeUnixNano)
		}
	}
	if len(sent.Links) != 1 || string(sent.Links[0].SpanId) != string(run.SpanId) {
		t.Errorf("the reply is linked to %v", sent.Links)
	}
	if attribute(calls[0], "error.type") != "SYSTEM_ERROR" || attribute(calls[2], "error.type") != "" || attribute(calls[0], "server.address") != "gateway.example" {
		t.Errorf("calls %v", calls)
	}
	want := "00-" + askersTrace + "-" + hex.EncodeToString(door.SpanId) + "-01"
	if got := reply.Header.Get(messages.Traceparent); got != want {
		t.Errorf("the reply goes on with %q, want %q", got, want)
	}
	if m, err := events.NextMsg(5 * time.Second); err != nil || m.Header.Get(messages.Traceparent) != want {
		t.Errorf("the event goes on with %v, %v", m, err)
	}
	f.wantRest() // both workers know the answer
	// An ask that joins or comes later has a trace of its own.
	f.traced(messages.Query{UserEmail: "system-error-2+canary@example.com", AccountNo: "2088000000000777", Key: "canary-key"}, "00-11111111111111111111111111111111-2222222222222222-01")
	if kept := made.named(t, "11111111111111111111111111111111", "process", 1)[0]; attribute(kept, "protocolq.source") != "remembered" {
		t.Errorf("remembered: %v", kept)
	}
	made.mu.Lock()
	defer made.mu.Unlock()
	for _, s := range made.all {
		text := prototext.Format(s)
		for _, secret := range []string{"canary", "example.com", "2088000000000777", "INBOX"} {
			if strings.Contains(text, secret) {
				t.Errorf("a span says %s: %s", secret, text)
			}
		}
	}
}

func TestTraceOfWhoJoins(t *testing.T) {
	f, made := newFleet(t, simulator.Options{Latency: 300 * time.Millisecond}), &spans{}
	f.start(made.traced(f))
	var all sync.WaitGroup
	for _, id := range []string{"1", "2", "3"} {
		all.Go(func() {
			f.traced(messages.Query{UserEmail: "signed@example.com"}, "00-"+strings.Repeat(id, 32)+"-"+strings.Repeat(id, 16)+"-01")
		})
	}
	all.Wait()
	run := made.named(t, "", "run", 1)[0]
	if len(run.Links) != 2 {
		t.Errorf("the run is linked to %v, want both who joined", run.Links)
	}
	made.named(t, "", "POST", 1)
	made.named(t, "", "publish", 3)
}

// Without a context an ask begins a trace. If its asker is not followed, the ask is not followed
// either.
func TestTraceBegins(t *testing.T) {
	f, made := newFleet(t, simulator.Options{}), &spans{}
	f.start(made.traced(f))
	m := f.traced(messages.Query{UserEmail: "signed+1@example.com"}, "nonsense")
	door := made.named(t, "", "process", 1)[0]
	if len(door.ParentSpanId) != 0 || !strings.Contains(m.Header.Get(messages.Traceparent), hex.EncodeToString(door.TraceId)) {
		t.Errorf("%v, and the reply says %v", door, m.Header)
	}
	unsampled := strings.TrimSuffix(traceparent, "01") + "00"
	if m := f.traced(messages.Query{UserEmail: "signed+2@example.com"}, unsampled); m.Header.Get(messages.Traceparent) != unsampled {
		t.Errorf("%v", m.Header)
	}
	f.wantRest()
	made.named(t, askersTrace, "", 0)
}

func TestTraceOfARedelivery(t *testing.T) {
	made := &spans{}
	f := newFleet(t, simulator.Options{})
	c, err := f.js.Consumer(t.Context(), f.names.Stream(messages.Submitted), "submitted")
	if err != nil {
		t.Fatal(err)
	}
	body, _ := messages.Query{UserEmail: "signed@example.com"}.Encode(messages.JSON)
	if _, err := f.js.PublishMsg(t.Context(), &nats.Msg{Subject: f.names.Submit(), Data: body, Header: nats.Header{messages.Traceparent: {traceparent}}}); err != nil {
		t.Fatal(err)
	}
	batch, err := c.Fetch(1)
	if err != nil {
		t.Fatal(err)
	}
	if err := (<-batch.Messages()).Nak(); err != nil {
		t.Fatal(err)
	}
	f.start(made.traced(f))
	run := made.named(t, askersTrace, "run", 1)[0]
	if hex.EncodeToString(run.ParentSpanId) != askersSpan {
		t.Errorf("the run is below %x", run.ParentSpanId)
	}
	made.named(t, askersTrace, "process", 0)
	door := made.named(t, "", "process protocol.submit", 1)[0]
	if len(door.ParentSpanId) != 0 || len(door.Links) != 1 || hex.EncodeToString(door.Links[0].SpanId) != askersSpan {
		t.Errorf("what was redelivered is below %x and linked to %v", door.ParentSpanId, door.Links)
	}
}
