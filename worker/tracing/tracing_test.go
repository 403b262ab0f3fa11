// Which asks are followed, and what OpenTelemetry's variables say.

package tracing

import (
	"crypto/tls"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"protocolq/messages"
	"protocolq/worker/intake"
	"protocolq/worker/journal"
	"protocolq/worker/outbox"
	"protocolq/worker/querylog"
)

func TestEnter(t *testing.T) {
	names, err := messages.NewNames("protocol")
	if err != nil {
		t.Fatal(err)
	}
	const of = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0"
	own := spanContext{traceID("t"), spanID(ofDoor, "t"), true}.String()
	below := "00-0af7651916cd43dd8448eb211c80319c-" + own[36:52] + "-01"
	for _, c := range []struct {
		name       string
		sampler    Sampler
		asker      string
		redelivery bool
		trace      string
		followed   bool
	}{
		{"a trace begins", Sampler{Ratio: 1}, "", false, own, true},
		{"none begins", Sampler{}, "", false, "", false},
		{"of a followed asker", Sampler{}, of + "1", false, below, true},
		{"of one that is not", Sampler{Ratio: 1}, of + "0", false, of + "0", false},
		{"whatever the asker says", Sampler{Ratio: 1, Alone: true}, of + "0", false, below, true},
		{"nothing, whatever it says", Sampler{Alone: true}, of + "1", false, of + "1", false},
		{"redelivered", Sampler{Ratio: 1}, of + "1", true, of + "1", true},
		{"redelivered, begins", Sampler{Ratio: 1}, "", true, own, true},
		{"nothing but zeros", Sampler{Ratio: 1}, "00-" + strings.Repeat("0", 32) + "-" + strings.Repeat("0", 16) + "-01", false, own, true},
		{"a version that cannot be", Sampler{Ratio: 1}, "ff" + of[2:] + "1", false, own, true},
	} {
		trace, followed := New(Options{Names: names, Sampler: c.sampler}).Enter(c.asker, "t", c.redelivery)
		if trace != c.trace || followed != c.followed {
			t.Errorf("%s: %q, %v, want %q, %v", c.name, trace, followed, c.trace, c.followed)
		}
	}
}

func TestRatio(t *testing.T) {
	taken := 0
	for i := range 10_000 {
		if (Sampler{Ratio: 0.1}).takes(spanContext{}, false, traceID(fmt.Sprint(i))) {
			taken++
		}
	}
	if taken < 850 || taken > 1150 {
		t.Errorf("%d of 10,000 for a tenth", taken)
	}
}

func TestFromEnvironment(t *testing.T) {
	named := map[string]string{"service.name": "protocolq"}
	for _, c := range []struct {
		name     string
		endpoint string
		vars     string
		want     ExportOptions
		on       bool
		fault    string
	}{
		{name: "nothing"},
		{name: "the setting", endpoint: "http://c:4318", want: ExportOptions{URL: "http://c:4318/v1/traces", Resource: named}, on: true},
		{name: "the setting goes first", endpoint: "http://c:4318/otlp/", vars: "OTEL_EXPORTER_OTLP_ENDPOINT=http://d", want: ExportOptions{URL: "http://c:4318/otlp/v1/traces", Resource: named}, on: true},
		{name: "for all signals", vars: "OTEL_EXPORTER_OTLP_ENDPOINT=https://d/x", want: ExportOptions{URL: "https://d/x/v1/traces", Resource: named}, on: true},
		{name: "for traces", vars: "OTEL_EXPORTER_OTLP_ENDPOINT=http://d;OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://e/own", want: ExportOptions{URL: "http://e/own", Resource: named}, on: true},
		{name: "switched off", endpoint: "http://c", vars: "OTEL_SDK_DISABLED=true"},
		{name: "no traces", endpoint: "http://c", vars: "OTEL_TRACES_EXPORTER=none"},
		{name: "all of it", endpoint: "http://c", vars: "OTEL_EXPORTER_OTLP_HEADERS=authorization=Basic%20eA%3D%3D, x=y;OTEL_EXPORTER_OTLP_TIMEOUT=2500;OTEL_EXPORTER_OTLP_TRACES_COMPRESSION=gzip;" +
			"OTEL_RESOURCE_ATTRIBUTES=deployment.environment=prod;OTEL_SERVICE_NAME=refunds;OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf;OTEL_TRACES_SAMPLER=parentbased_traceidratio;OTEL_TRACES_SAMPLER_ARG=0.5",
			want: ExportOptions{URL: "http://c/v1/traces", Headers: map[string]string{"authorization": "Basic eA==", "x": "y"}, Timeout: 2500 * time.Millisecond, Gzip: true,
				Resource: map[string]string{"deployment.environment": "prod", "service.name": "refunds"}}, on: true},
		{name: "no URL", endpoint: "c:4318", fault: "must be a URL"},
		{name: "a password", vars: "OTEL_EXPORTER_OTLP_ENDPOINT=http://u:s3cret@c", fault: "OTEL_EXPORTER_OTLP_ENDPOINT must hold no user"},
		{name: "gRPC", endpoint: "http://c", vars: "OTEL_EXPORTER_OTLP_PROTOCOL=grpc", fault: "http/protobuf alone"},
		{name: "headers", endpoint: "http://c", vars: "OTEL_EXPORTER_OTLP_HEADERS=s3cret", fault: "OTEL_EXPORTER_OTLP_HEADERS must be name=value"},
		{name: "time", endpoint: "http://c", vars: "OTEL_EXPORTER_OTLP_TIMEOUT=10s", fault: "milliseconds"},
		{name: "compression", endpoint: "http://c", vars: "OTEL_EXPORTER_OTLP_COMPRESSION=zstd", fault: "gzip or none"},
		{name: "sampler", endpoint: "http://c", vars: "OTEL_TRACES_SAMPLER=jaeger_remote", fault: "is not known"},
		{name: "ratio", endpoint: "http://c", vars: "OTEL_TRACES_SAMPLER=traceidratio;OTEL_TRACES_SAMPLER_ARG=2", fault: "between 0 and 1"},
		{name: "certificate", endpoint: "http://c", vars: "OTEL_EXPORTER_OTLP_CERTIFICATE=/nowhere", fault: "no file"},
	} {
		vars := map[string]string{}
		for v := range strings.SplitSeq(c.vars, ";") {
			name, value, _ := strings.Cut(v, "=")
			vars[name] = value
		}
		o, _, on, err := FromEnvironment(c.endpoint, Environment{Var: func(name string) string { return vars[name] },
			File: func(string) ([]byte, error) { return nil, errors.New("no file") }})
		switch {
		case c.fault != "":
			if err == nil || !strings.Contains(err.Error(), c.fault) || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("%s: %v, want %q", c.name, err, c.fault)
			}
		case err != nil || on != c.on:
			t.Errorf("%s: %v, %v", c.name, on, err)
		case on:
			if d := cmp.Diff(c.want, o, cmpopts.EquateEmpty(), cmpopts.IgnoreTypes(&tls.Config{})); d != "" {
				t.Errorf("%s: %s", c.name, d)
			}
		}
	}
}

func TestSampler(t *testing.T) {
	for name, want := range map[string]Sampler{"": {Ratio: 1}, "always_on": {1, true}, "always_off": {0, true}, "parentbased_always_on": {Ratio: 1},
		"parentbased_always_off": {}, "traceidratio": {0.25, true}, "parentbased_traceidratio": {Ratio: 0.25}} {
		if got, err := sampler(name, "0.25"); err != nil || got != want {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

// BenchmarkQuery is the cost of one followed query with a call: at its door, its run with one call,
// its reply, and a request to the collector for each 512 spans.
func BenchmarkQuery(b *testing.B) {
	names, err := messages.NewNames("protocol")
	if err != nil {
		b.Fatal(err)
	}
	e := NewExporter(ExportOptions{URL: "http://c"})
	var batch []*tracepb.Span
	t := New(Options{Names: names, Gateway: "g", Sampler: Sampler{Ratio: 1}, To: func(s *tracepb.Span) {
		if batch = append(batch, s); len(batch) == mostInBatch {
			_, _ = e.encode(batch)
			batch = batch[:0]
		}
	}})
	now := time.Now()
	result := messages.Result{Outcome: messages.Signed, Attempts: 1}
	call := querylog.Attempt{At: now, Connect: time.Millisecond, FirstByte: time.Millisecond, Total: time.Millisecond, HTTPStatus: 200}
	for b.Loop() {
		trace, _ := t.Enter("", "token", false)
		t.Passed(&intake.Passage{Door: messages.DoorQuery, Trace: trace, Token: "token", Came: now})
		answer := &journal.Answer{Run: "run", Attempts: []journal.Outcome{{Detail: call.Encode()}}}
		t.Ran(&outbox.Run{Trace: trace, Answer: answer, Stored: now, Begins: []outbox.Begun{{Begin: &journal.Begin{Attempt: 1}, Stored: now}}}, &result)
		t.Replied(&result, &outbox.Ask{Ask: &journal.Ask{Token: "token", Trace: trace}, Answer: answer, Source: messages.Asked, Stored: now}, now)
	}
}
