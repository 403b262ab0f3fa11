// A worker's metrics.

package ops

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"protocolq/gateway"
	"protocolq/gateway/mapi"
	"protocolq/messages"
	"protocolq/worker"
)

// Worker is what shows a worker's figures.
type Worker struct {
	calls prometheus.Histogram
	table *table
}

const callSeconds = "protocolq_gateway_request_duration_seconds"

// NewWorker shows the figures that stats gives, each time that they are asked for. Partners are
// those that the worker asks for.
func NewWorker(partners []string, stats func() worker.Stats) *Worker {
	w := &Worker{calls: seconds(callSeconds, "How long a call of the gateway took, whatever came of it.")}
	w.table = newTable(workerRows, func(r *reading) {
		s := stats()
		readWorker(r, &s, partners)
	})
	return w
}

// Called takes in one call of the gateway, see worker.Options.Called. One whose trace is followed
// becomes an example of how long calls take.
func (w *Worker) Called(c worker.Call) {
	// The digits of a trace context, and the flag that it is followed.
	if len(c.Trace) == 55 && c.Trace[54]&1 == 1 {
		w.calls.(prometheus.ExemplarObserver).ObserveWithExemplar(c.Took.Seconds(),
			prometheus.Labels{"trace_id": c.Trace[3:35]})
		return
	}
	w.calls.Observe(c.Took.Seconds())
}

// Describe implements [prometheus.Collector].
func (w *Worker) Describe(out chan<- *prometheus.Desc) {
	w.calls.Describe(out)
	w.table.Describe(out)
}

// Collect implements [prometheus.Collector].
func (w *Worker) Collect(out chan<- prometheus.Metric) {
	w.calls.Collect(out)
	w.table.Collect(out)
}

var workerRows = []row{
	{"requests_total", "Replies, by outcome.", "outcome"},
	{"dedupe_total", "Replies, by the source of the answer; conflict: its key belongs to another question.", "result"},
	{"queries_total",
		"Queries that came in, by their door; redelivered: the submitted among them that had come before.", "door"},
	{"refusals_total", "Replies with a code of the worker's own.", "code"},
	{"reply_rejected_total",
		"Queries refused for where their reply was to go, and messages that a sink refused for good.", "reason"},
	{"gateway_requests_total", "Calls of the gateway, by the class of what came back; answered: without a code.",
		"code_class"},
	{"gateway_codes_total", "Calls of the gateway that ended with a code.", "code"},
	{"retries_total", "Calls made again, by the code of the call before.", "reason"},
	{"retry_budget_tokens", "Retries that may begin at once.", ""},
	{"inflight", "Runs under way in this worker.", ""},
	{"slots", "Calls that this worker may have in flight.", ""},
	{"parked", "Asks that wait in this worker without a call under way.", ""},
	{"pending", "Asks of this worker's doors that are not in the journal yet.", ""},
	{"remembered", "Answers that are remembered.", ""},
	{"members", "Workers in the fleet.", ""},
	{"keys", "Keys that this worker decides about.", ""},
	{"log_position", "Position up to which this worker has read the log; the lag is how far apart workers are.",
		""},
	{"partner_requests_total", "Calls of the gateway, by partner.", "partner"},
	{"lease_lost_total", "Times that this worker lost its lease and went on as another member.", ""},
	{"dead_letters_total", "Dead letters that this worker's doors wrote.", ""},
	{"outbox_waiting", "Messages that are owed and not published yet.", "sink"},
	{"outbox_away", "1: the sink accepts nothing at present.", "sink"},
	{"journal_fill_ratio", "Part of the journal's room in use: above 0.8 no call begins, above 0.9 no query is taken.",
		""},
	{"querylog_full", "1: the query log's stream accepts no lines: they wait.", ""},
	{"querylog_lost_total", "Lines that were lost for the query log.", ""},
	{"intake_paused", "1: operators have paused the doors.", ""},
	{"partner_halted", "1: calls for the partner are halted at present.", "partner"},
}

func readWorker(r *reading, s *worker.Stats, partners []string) {
	readAnswers(r, s)
	readCalls(r, s)
	for door, n := range map[string]uint64{"query": s.Queries, "submitted": s.Submitted, "redelivered": s.Redelivered} {
		r.counter("queries_total", n, door)
	}
	for name, value := range map[string]float64{"retry_budget_tokens": s.RetryBudget, "inflight": float64(s.InFlight),
		"slots":  float64(s.Slots),
		"parked": float64(s.Parked), "pending": float64(s.Pending), "remembered": float64(s.Remembered),
		"members": float64(s.Members),
		"keys":    float64(s.Keys), "log_position": float64(s.Position),
		"journal_fill_ratio": s.JournalFill, "querylog_full": one(s.LogFull), "intake_paused": one(s.Paused)} {
		r.gauge(name, value)
	}
	r.counter("lease_lost_total", s.LeasesLost)
	r.counter("dead_letters_total", s.Dead)
	r.counter("querylog_lost_total", s.LogLost)
	for _, sink := range s.Outbox.Sinks {
		r.gauge("outbox_waiting", float64(sink.Waiting), sink.Name)
		r.gauge("outbox_away", one(sink.Away), sink.Name)
		r.counter("reply_rejected_total", sink.Refused, "sink_"+strings.ReplaceAll(sink.Name, " ", "_"))
	}
	halted := map[string]bool{}
	for _, p := range s.Halted {
		halted[p] = true
	}
	for _, p := range partners {
		r.gauge("partner_halted", one(halted[p]), p)
		r.counter("partner_requests_total", s.Partners[p].Calls, p)
	}
}

func readAnswers(r *reading, s *worker.Stats) {
	for _, o := range messages.Outcomes() {
		r.counter("requests_total", s.Outcomes[string(o)], string(o))
	}
	for _, source := range []messages.Source{messages.Asked, messages.Joined, messages.Remembered} {
		r.counter("dedupe_total", s.Sources[string(source)], string(source))
	}
	r.counter("dedupe_total", s.Own[messages.KeyConflict], "conflict")
	for _, code := range messages.Codes() {
		r.counter("refusals_total", s.Own[code], code)
	}
	r.counter("reply_rejected_total", s.Own[messages.ReplyRefused], "subject")
}

func readCalls(r *reading, s *worker.Stats) {
	classes, answered := map[string]uint64{}, s.Gateway.Count
	for c := mapi.Biz; c <= mapi.Unlisted; c++ {
		classes[strings.ToLower(c.String())] = 0
	}
	for code, n := range s.Codes {
		w, _ := worker.Lookup(code)
		classes[strings.ToLower(w.Class.String())] += n
		answered -= min(answered, n)
	}
	r.counter("gateway_requests_total", answered, "answered")
	for class, n := range classes {
		r.counter("gateway_requests_total", n, class)
	}
	for code, n := range folded(s.Codes) {
		r.counter("gateway_codes_total", n, code)
	}
	for code, n := range folded(s.Retries) {
		r.counter("retries_total", n, code)
	}
}

// other stands for codes that are in no table.
const other = "other"

// folded counts by codes of our tables alone: what the gateway's side may write is no label. Of the
// HTTP statuses those have a label of their own that have words of their own.
func folded(codes map[string]uint64) map[string]uint64 {
	list := map[string]uint64{}
	for code, n := range codes {
		_, known := worker.Lookup(code)
		switch {
		case code == worker.Died:
		case !known:
			code = other
		case strings.HasPrefix(code, gateway.CodeHTTP) && !statuses[code]:
			code = gateway.CodeHTTP + other
		}
		list[code] += n
	}
	return list
}

// statuses are the HTTP statuses that are labels.
var statuses = func() map[string]bool {
	list := map[string]bool{}
	for _, code := range gateway.Codes() {
		list[code] = true
	}
	return list
}()
