// Metrics: what they show, that their names are in order, and that no outsider can add a label.

package ops_test

import (
	"fmt"
	"io"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"protocolq/worker"
	"protocolq/worker/ops"
	"protocolq/worker/outbox"
	"protocolq/worker/querylog"
)

func full() worker.Stats {
	s := worker.Stats{Queries: 7, Submitted: 3, Slots: 256, InFlight: 5, Members: 2, LeasesLost: 1, JournalFill: 0.25, Halted: []string{"2088000000000001"},
		Outcomes: map[string]uint64{"signed": 4, "refused": 1}, Sources: map[string]uint64{"asked": 2, "joined": 3},
		Own: map[string]uint64{"KEY_CONFLICT": 2, "REPLY_REFUSED": 1}, Codes: map[string]uint64{"ILLEGAL_SIGN": 1, "GATEWAY_TIMEOUT": 2, "NO_SIGN_CUSTOMER": 3},
		Retries: map[string]uint64{worker.Died: 1, "GATEWAY_TIMEOUT": 2}, Outbox: outbox.Stats{Sinks: []outbox.SinkStats{{Name: "event", Waiting: 2, Away: true, Refused: 1}}}}
	s.Gateway.Count = 10
	s.Keys, s.Position, s.Partners = 42, 77, map[string]worker.Partner{"2088000000000001": {Calls: 9}, "2088999999999999": {Calls: 1}}
	return s
}

func register(t *testing.T, s func() worker.Stats) (*prometheus.Registry, *ops.Worker) {
	t.Helper()
	r := ops.NewRegistry(ops.Build{Version: "v1.2.3", Commit: "abc", Go: "go1.26"})
	w := ops.NewWorker([]string{"2088000000000001", "2088000000000002"}, s)
	r.MustRegister(w)
	return r, w
}

func TestWorkerMetrics(t *testing.T) {
	r, w := register(t, full)
	w.Called(worker.Call{Took: 30 * time.Millisecond})
	w.Called(worker.Call{Took: 3 * time.Second, Trace: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"})
	w.Called(worker.Call{Took: 7 * time.Second, Trace: "00-11111111111111111111111111111111-b7ad6b7169203331-00"})
	text := scrape(t, r)
	for _, want := range []string{
		`protocolq_build_info{commit="abc",go="go1.26",version="v1.2.3"} 1`,
		`protocolq_requests_total{outcome="signed"} 4`, `protocolq_requests_total{outcome="unknown"} 0`,
		`protocolq_dedupe_total{result="joined"} 3`, `protocolq_dedupe_total{result="conflict"} 2`,
		`protocolq_queries_total{door="query"} 7`,
		`protocolq_reply_rejected_total{reason="subject"} 1`, `protocolq_reply_rejected_total{reason="sink_event"} 1`,
		`protocolq_gateway_requests_total{code_class="answered"} 4`, `protocolq_gateway_requests_total{code_class="temp"} 2`,
		`protocolq_gateway_requests_total{code_class="conf"} 1`, `protocolq_gateway_requests_total{code_class="unlisted"} 0`,
		`protocolq_gateway_codes_total{code="ILLEGAL_SIGN"} 1`, `protocolq_retries_total{reason="WORKER_DIED"} 1`,
		`protocolq_inflight 5`, `protocolq_slots 256`, `protocolq_lease_lost_total 1`, `protocolq_journal_fill_ratio 0.25`,
		`protocolq_outbox_away{sink="event"} 1`, `protocolq_partner_halted{partner="2088000000000001"} 1`, `protocolq_partner_halted{partner="2088000000000002"} 0`,
		`protocolq_gateway_request_duration_seconds_bucket{le="0.05"} 1`,
		`protocolq_keys 42`, `protocolq_log_position 77`, `protocolq_partner_requests_total{partner="2088000000000001"} 9`, `go_goroutines `,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s", want)
		}
	}
	if problems, err := testutil.GatherAndLint(r); err != nil || len(problems) > 0 {
		t.Errorf("lint: %v, %v", problems, err)
	}
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var examples []string
	for _, f := range families { // a reader of protobuf gets exact buckets, whatever the bounds above are
		if f.GetName() == "protocolq_gateway_request_duration_seconds" && len(f.GetMetric()[0].GetHistogram().GetPositiveSpan()) == 0 {
			t.Errorf("no native histogram: %v", f)
		}
		if f.GetName() == "protocolq_gateway_request_duration_seconds" {
			for _, b := range f.GetMetric()[0].GetHistogram().GetBucket() {
				if e := b.GetExemplar(); e != nil {
					examples = append(examples, fmt.Sprint(e.GetLabel()[0].GetValue(), " ", e.GetValue()))
				}
			}
		}
	}
	if len(examples) != 1 || examples[0] != "0af7651916cd43dd8448eb211c80319c 3" {
		t.Errorf("exemplars %q, want the call of the trace that is followed", examples)
	}
}

// The gateway's side and the senders of queries can write any text: it never becomes a label.
func TestLabelsAreBounded(t *testing.T) {
	s := full()
	for i := range 5000 {
		s.Codes[fmt.Sprintf("agent-%d@example.com", i)] = 1
		s.Codes[fmt.Sprintf("GATEWAY_HTTP_%d", i%1000)] = 1
		s.Retries[fmt.Sprintf("2088%012d", i)] = 1
		s.Outcomes[fmt.Sprintf("o%d", i)], s.Sources[fmt.Sprintf("s%d", i)], s.Own[fmt.Sprintf("OWN_%d", i)] = 1, 1, 1
	}
	s.Halted = append(s.Halted, "2088999999999999")
	before, _ := register(t, full)
	after, _ := register(t, func() worker.Stats { return s })
	was, is := count(t, before), count(t, after)
	if is-was > 20 || is > 250 {
		t.Errorf("%d series became %d", was, is)
	}
	text := scrape(t, after)
	for _, never := range []string{"@", "2088999999999999", "2088000000000017", "OWN_", `"o1"`, `"s1"`, "GATEWAY_HTTP_418"} {
		if strings.Contains(text, never) {
			t.Errorf("a label has %s", never)
		}
	}
	if !strings.Contains(text, `protocolq_gateway_codes_total{code="other"} 5000`) || !strings.Contains(text, `protocolq_gateway_codes_total{code="GATEWAY_HTTP_other"}`) {
		t.Error("what is in no table is not counted as other")
	}
}

func TestRecorderMetrics(t *testing.T) {
	r := ops.NewRegistry(ops.Build{Version: "v1"})
	m := ops.NewRecorder(func() querylog.Stats { return querylog.Stats{Rows: 12, Failures: 1, FailedAt: 1500, Down: true} })
	r.MustRegister(m)
	m.Wrote(20*time.Millisecond, nil)
	text := scrape(t, r)
	for _, want := range []string{"protocolq_querylog_rows_total 12", "protocolq_querylog_database_up 0", "protocolq_querylog_last_failure_timestamp_seconds 1.5",
		`protocolq_querylog_write_seconds_bucket{le="0.025"} 1`} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s", want)
		}
	}
	if problems, err := testutil.GatherAndLint(r); err != nil || len(problems) > 0 {
		t.Errorf("lint: %v, %v", problems, err)
	}
}

// scrape reads /metrics as Prometheus does.
func scrape(t *testing.T, r *prometheus.Registry) string {
	t.Helper()
	s := httptest.NewServer(ops.New(ops.Options{Metrics: r, Health: func() ops.Health { return ops.Health{} }}).Handler())
	defer s.Close()
	answer, err := s.Client().Get(s.URL + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != 200 {
		t.Fatalf("%s: %v", answer.Status, err)
	}
	return string(text)
}

// count is how many series there are of our own.
func count(t *testing.T, r *prometheus.Registry) (n int) {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if strings.HasPrefix(f.GetName(), "protocolq_") {
			n += len(f.GetMetric())
		}
	}
	return n
}
