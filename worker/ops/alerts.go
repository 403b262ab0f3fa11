// Alerts: what an operator is woken for, and what to do then. The rules for Prometheus
// (deploy/prometheus/alerts.yaml) and the pages (deploy/docs/alerts) are made from this table.

package ops

import "time"

// Alert is one rule, which has to hold for a time, and its page.
type Alert struct {
	Name            string
	Rule            Rule
	For             time.Duration
	Severity        string // critical: somebody is to look now; warning: today
	Summary         string
	Means, Look, Do string // the page: what it means, what to look at, what to do
}

const (
	critical = "critical"
	warning  = "warning"
)

// Alerts are all of them, those about answers first.
var Alerts = []Alert{
	{"ProtocolqNoWorker", Rule{Term: Term{Metric: "protocolq_members"}, Op: absent}, 2 * time.Minute, critical,
		"No worker shows any figures",
		"No worker runs, or Prometheus reaches none of them. If none runs, nobody who waits is answered (NATS says " +
			"no responders), and what is submitted waits in its stream.",
		"`nats service ping protocol-query`: does any worker answer? Then it is Prometheus' way to `http-listen`. " +
			"The last lines of a worker's log.",
		"Start a worker. If none stays up, `protocolq doctor` with its settings says why. Nothing submitted is lost " +
			"meanwhile."},
	{"ProtocolqNotReady", Rule{Term: Term{Metric: "protocolq_ready"}, Op: "=="}, 2 * time.Minute, critical,
		"{{ $labels.instance }} is not ready",
		"This process has no connection to NATS, or is not in the fleet. Others answer in its place.",
		"`/readyz?verbose` of the process: which part is down. Its log says `not ready`, with the same.",
		"`protocolq doctor` with its settings, and the cure that it gives. If all of them are unready it is NATS: " +
			"look at the servers first."},
	{"ProtocolqPartnerHalted", Rule{Term: Term{Agg: "max", By: "partner", Metric: "protocolq_partner_halted"}, Op: "==",
		Limit: 1}, time.Minute, critical, "Partner {{ $labels.partner }} is halted",
		"The gateway finds fault with this partner's key, contract or permission, for several accounts, or an " +
			"operator has halted it. No call is made for it; askers that wait get PARTNER_HALTED, what is submitted " +
			"waits.",
		"`protocolq partner list`: by whom, with which code, and why. `protocolq explain CODE`.",
		"Correct the key file, or have Alipay correct account and contract. A call a minute finds out by itself; " +
			"`protocolq partner resume` at once. One that an operator halted is resumed by an operator alone."},
	{"ProtocolqPartnerFault", Rule{Term: Term{Agg: "sum", By: "instance", Metric: "protocolq_gateway_requests_total",
		Match: Match{Label: "code_class", Values: []string{"conf"}}, Fn: "increase", Over: 10 * time.Minute}, Op: ">"},
		0, warning, "The gateway finds fault with a partner's settings",
		"At least one call ended with a code about key, contract or permission. A few more, and the partner is halted.",
		"`protocolq log stats --since 1h`: which codes. The worker's log at level ERROR: which partner.",
		"`protocolq explain CODE`, then as for ProtocolqPartnerHalted. `protocolq verify` names the usual mistakes " +
			"of ILLEGAL_SIGN."},
	{"ProtocolqGatewayFailing", Rule{Term: Term{Agg: "sum", Metric: "protocolq_gateway_requests_total",
		Match: Match{Label: "code_class", Values: []string{"temp"}}, Fn: "rate", Over: 5 * time.Minute},
		Per: &Term{Agg: "sum", Metric: "protocolq_gateway_requests_total", Fn: "rate", Over: 5 * time.Minute}, Op: ">",
		Limit: 0.5}, 5 * time.Minute, critical, "More than half of the gateway's calls have no answer",
		"Calls time out, are cut, or end with SYSTEM_ERROR. Askers get `unknown` and are to ask again; nobody gets " +
			"not_signed.",
		"`protocolq_gateway_codes_total`: which codes. `protocolq doctor` from a worker's machine: DNS, way, " +
			"certificate. `protocolq call -v` for one call, phase by phase.",
		"GATEWAY_UNREACHABLE, GATEWAY_TLS: the network or proxy between. GATEWAY_HTTP_429: lower `rate`. " +
			"SYSTEM_ERROR: Alipay; wait, and let them know if it lasts. Retries stay within their budget by " +
			"themselves."},
	{"ProtocolqGatewaySlow", Rule{Term: Term{Agg: "sum", By: "le",
		Metric: "protocolq_gateway_request_duration_seconds_bucket", Fn: "rate", Over: 5 * time.Minute}, Quantile: 0.95,
		Op: ">", Limit: 5}, 10 * time.Minute, warning, "One call in twenty takes longer than 5 s",
		"The gateway, or the way to it, is slow. Slots are held longer; above 8 s (`call-timeout`) calls are given up.",
		"`protocolq log list --slow 5s`, `protocolq log show ID`: which phase is slow (DNS, connect, TLS, first byte).",
		"DNS or connect: the network. First byte: the gateway. If slots run out (ProtocolqSlotsUsed), more workers " +
			"help only where the partner's `rate` allows more."},
	{"ProtocolqUnknownCode", Rule{Term: Term{Agg: "sum", Metric: "protocolq_gateway_requests_total",
		Match: Match{Label: "code_class", Values: []string{"bug", "unlisted"}}, Fn: "increase", Over: time.Hour},
		Op: ">"}, 0, warning, "The gateway answers with a code that is a fault of the program, or in no table",
		"BUG: the request is wrong in a way that no setting corrects. UNLISTED: the gateway has a new code, or its " +
			"answer settles nothing. Such accounts are `unknown` or refused, never not signed.",
		"`protocolq_gateway_codes_total`, the worker's log, `protocolq log list --code CODE`.",
		"Look the code up with Alipay, settle the account by hand, and report it with `protocolq version` and the " +
			"time."},
	{"ProtocolqJournalFilling", Rule{Term: Term{Agg: "max", Metric: "protocolq_journal_fill_ratio"}, Op: ">",
		Limit: 0.7}, 5 * time.Minute, critical, "The workers' log is {{ $value | humanizePercentage }} full",
		"Above 80 % no call begins, above 90 % no query is taken (OVERLOADED).",
		"`protocolq_remembered`, `protocolq_parked`, `protocolq_outbox_waiting`: what fills it. Is a partner halted, " +
			"is a stream away? Is one worker far behind (its log)?",
		"Repair what holds it up; the workers then purge it by themselves. Else more room: `protocolq provision " +
			"--journal-bytes N --update`, or a shorter `window`."},
	{"ProtocolqStreamFilling", Rule{Term: Term{Agg: "max", By: "stream", Metric: "protocolq_stream_fill_ratio",
		Match: Match{Label: "stream", Values: []string{"JOURNAL"}, Not: true}}, Op: ">", Limit: 0.8}, 5 * time.Minute,
		critical, "Stream {{ $labels.stream }} is {{ $value | humanizePercentage }} full",
		"What is owed finds no room there: LOG, REPLIES and DEAD then hold up new calls, SUBMITTED refuses who " +
			"submits.",
		"LOG: is a recorder running (ProtocolqQueryLogBehind)? REPLIES: does its asker read? DEAD: `protocolq dead " +
			"list`. SUBMITTED: are workers ready, is the intake paused?",
		"Start what reads it. `protocolq dead redrive` or `discard`. More room is set by `nats stream edit`."},
	{"ProtocolqQueueStuck", Rule{Term: Term{Agg: "max", Metric: "protocolq_oldest_pending_seconds"}, Op: ">",
		Limit: 60}, 5 * time.Minute, critical,
		"A submitted query has waited {{ $value | humanizeDuration }} for a worker",
		"No worker takes what is submitted into the log.",
		"`protocolq_intake_paused`, `protocolq_ready`, ProtocolqJournalFilling. `nats consumer info " +
			"PROTOCOL_SUBMITTED submitted`.",
		"`protocolq intake resume`, start workers, or make room. `protocolq doctor` if workers are ready and take " +
			"nothing."},
	{"ProtocolqOutboxAway", Rule{Term: Term{Agg: "max", By: "sink", Metric: "protocolq_outbox_away"}, Op: "==",
		Limit: 1}, 2 * time.Minute, critical, "Nothing takes: {{ $labels.sink }}",
		"Replies, events, lines or dead letters wait: their stream, or NATS, takes none. Nothing is dropped; when " +
			"too much waits no call begins.",
		"The worker's log: `not published, tried again`. ProtocolqStreamFilling. `protocolq doctor`: streams and " +
			"rights.",
		"Repair the stream. What waits is published by itself."},
	{"ProtocolqDeadLetters", Rule{Term: Term{Agg: "max", Metric: "protocolq_stream_messages",
		Match: Match{Label: "stream", Values: []string{"DEAD"}}}, Op: ">"}, 15 * time.Minute, warning,
		"{{ $value }} queries could not be answered",
		"They came in and could not be answered: not to be read, no reply subject allowed, patience over, or three " +
			"workers died over them.",
		"`protocolq dead list`, `protocolq dead show N`: the reason, and who asked.",
		"Correct the asker, then `protocolq dead redrive`; `discard` what nobody wants. They are kept for 90 days."},
	{"ProtocolqOverloaded", Rule{Term: Term{Agg: "sum", Metric: "protocolq_refusals_total",
		Match: Match{Label: "code", Values: []string{"OVERLOADED"}}, Fn: "rate", Over: 5 * time.Minute}, Op: ">"},
		5 * time.Minute, critical, "Askers get OVERLOADED",
		"The doors take more than the log can: too many ask, or the log is full or away.",
		"ProtocolqJournalFilling, ProtocolqOutboxAway, ProtocolqSlotsUsed, `protocolq_pending`.",
		"Repair these first. If it is load alone: more workers, or slower askers; they get `retry_after_ms`."},
	{"ProtocolqSlotsUsed", Rule{Term: Term{Agg: "sum", Metric: "protocolq_inflight"},
		Per: &Term{Agg: "sum", Metric: "protocolq_slots"}, Op: ">", Limit: 0.9}, 10 * time.Minute, warning,
		"{{ $value | humanizePercentage }} of the fleet's slots are in use",
		"Calls wait for a slot. Their number is rate × time of a call: either is higher than it was planned.",
		"ProtocolqGatewaySlow; `protocolq_parked`; is `rate` or `concurrency` the limit in place of slots?",
		"More workers, or more `slots`, as far as the partner's limits at the gateway allow."},
	{"ProtocolqLeasesLost", Rule{Term: Term{Agg: "sum", Metric: "protocolq_lease_lost_total", Fn: "increase",
		Over: 15 * time.Minute}, Op: ">", Limit: 2}, 0, warning, "Workers lose their leases",
		"Workers were frozen, or cut off from NATS, for longer than 3 s, and were sealed by others. Each such time " +
			"may cost one call more.",
		"Logs: `no member any more, joining again`, `silent member sealed`. CPU limits and swapping of the machines; " +
			"NATS' elections; disks of the servers.",
		"Give workers CPU that is theirs and NATS its own disk; `sync_interval: always` needs a fast one."},
	{"ProtocolqWorkersDie", Rule{Term: Term{Agg: "sum", Metric: "protocolq_retries_total",
		Match: Match{Label: "reason", Values: []string{"WORKER_DIED"}}, Fn: "increase", Over: 15 * time.Minute},
		Op: ">"}, 0, warning, "Workers died over calls",
		"A worker was killed, or crashed, while it was calling. Its questions were asked again after the lease.",
		"Who ended it: the kernel (out of memory), the orchestrator (grace shorter than `grace`), a panic in its log.",
		"More memory, a longer grace period than `grace`. A panic: report it with the log."},
	{"ProtocolqQueryLogBehind", Rule{Term: Term{Agg: "max", Metric: "protocolq_querylog_lag_seconds"}, Op: ">",
		Limit: 300}, 5 * time.Minute, warning, "The query log is {{ $value | humanizeDuration }} behind",
		"Lines wait in their stream for a recorder. Nothing is lost until the stream is full; then no call begins.",
		"Is a recorder running? Its log; `protocolq_querylog_write_seconds`; `protocolq doctor --for recorder`.",
		"Start a recorder, repair its database. Several may run at once."},
	{"ProtocolqDatabaseDown", Rule{Term: Term{Agg: "min", By: "instance", Metric: "protocolq_querylog_database_up"},
		Op: "=="}, 2 * time.Minute, critical, "The query log's database takes no rows",
		"It is away, full, or refuses the recorder. Lines wait in their stream.",
		"The recorder's log says the database's own error. `protocolq doctor --for recorder`: rights, disk, clock.",
		"Repair the database. The recorder goes on by itself."},
	{"ProtocolqLinesLost", Rule{Term: Term{Agg: "sum", Metric: "protocolq_querylog_lost_total", Fn: "increase",
		Over: time.Hour}, Plus: &Term{Agg: "sum", Metric: "protocolq_querylog_rejected_total", Fn: "increase",
		Over: time.Hour}, Op: ">"}, 0, warning, "Lines never come into the query log",
		"Answers from memory whose lines were dropped as too many waited, or rows that the database never takes. " +
			"Runs of the gateway are never dropped.",
		"The worker's and the recorder's log: `line not logged`, `row not storable`. The table `rejected`.",
		"Run a recorder that keeps up. Rejected rows: report them with the database's error."},
	{"ProtocolqIntakePaused", Rule{Term: Term{Agg: "max", Metric: "protocolq_intake_paused"}, Op: "==", Limit: 1},
		30 * time.Minute, warning, "The intake has been paused for half an hour",
		"An operator has paused it. Askers that wait get PAUSED, what is submitted waits.",
		"`protocolq intake`: by whom and why.",
		"`protocolq intake resume` when the reason is over."},
}
