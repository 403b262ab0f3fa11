// Alerts: what an operator has to know at once, and what to do then. The rules for Prometheus
// (deploy/prometheus/alerts.yaml) and the pages (deploy/docs/alerts) are made from this table.

package ops

import "time"

// Alert is one rule, which has to be true for a time, and its page.
type Alert struct {
	Name            string
	Rule            Rule
	For             time.Duration
	Severity        string // critical: somebody has to look now; warning: today
	Summary         string
	Means, Look, Do string // the page: what it means, what to look at, what to do
}

const (
	critical = "critical"
	warning  = "warning"
)

// Alerts are all alerts, those about answers first.
var Alerts = []Alert{
	{"ProtocolqNoWorker", Rule{Term: Term{Metric: "protocolq_members"}, Op: absent}, 2 * time.Minute, critical,
		"No worker shows any figures",
		"No worker runs, or Prometheus reaches none of them. If none runs, askers that wait get no answer (NATS says " +
			"no responders), and submitted queries wait in their stream.",
		"`nats service ping protocol-query`: does any worker answer? Then Prometheus cannot reach `http-listen`. " +
			"The last lines of a worker's log.",
		"Start a worker. If none stays up, `protocolq doctor` with its settings says why. Nothing submitted is lost " +
			"meanwhile."},
	{"ProtocolqNotReady", Rule{Term: Term{Metric: "protocolq_ready"}, Op: "=="}, 2 * time.Minute, critical,
		"{{ $labels.instance }} is not ready",
		"This process has no connection to NATS, or is not in the fleet. Other processes do its work.",
		"`/readyz?verbose` of the process: which part is down. Its log says the same: `not ready`.",
		"Run `protocolq doctor` with its settings and do what it says. If all processes are unready, the cause is " +
			"NATS: look at the servers first."},
	{"ProtocolqPartnerHalted", Rule{Term: Term{Agg: "max", By: "partner", Metric: "protocolq_partner_halted"}, Op: "==",
		Limit: 1}, time.Minute, critical, "Partner {{ $labels.partner }} is halted",
		"The gateway rejects this partner's key, contract or permission, for several accounts, or an operator has " +
			"halted it. No call is made for it; askers that wait get PARTNER_HALTED, submitted queries wait. If the " +
			"gateway rejects one worker alone, that worker halts it for itself, and the others go on.",
		"`protocolq partner list`: who halted it, with which code, and why. `protocolq explain CODE`. If it says " +
			"`serving`, one worker has halted it for itself: `protocolq top` says how many of how many, the metric's " +
			"`instance` which, and that worker's log and `/readyz?verbose` why. Compare its key file with the others'.",
		"Correct the key file, or have Alipay correct account and contract. One call a minute then ends the halt; " +
			"`protocolq partner resume` ends it at once. Only an operator can end a halt by an operator."},
	{"ProtocolqPartnerFault", Rule{Term: Term{Agg: "sum", By: "instance", Metric: "protocolq_gateway_requests_total",
		Match: Match{Label: "code_class", Values: []string{"conf"}}, Fn: "increase", Over: 10 * time.Minute}, Op: ">"},
		0, warning, "The gateway rejects a partner's settings",
		"At least one call ended with a code about key, contract or permission. A few more halt the partner.",
		"`protocolq log stats --since 1h`: which codes. The worker's log at level ERROR: which partner.",
		"`protocolq explain CODE`, then as for ProtocolqPartnerHalted. `protocolq verify` names the usual mistakes " +
			"of ILLEGAL_SIGN."},
	{"ProtocolqGatewayFailing", Rule{Term: Term{Agg: "sum", Metric: "protocolq_gateway_requests_total",
		Match: Match{Label: "code_class", Values: []string{"temp"}}, Fn: "rate", Over: 5 * time.Minute},
		Per: &Term{Agg: "sum", Metric: "protocolq_gateway_requests_total", Fn: "rate", Over: 5 * time.Minute}, Op: ">",
		Limit: 0.5}, 5 * time.Minute, critical, "More than half of the gateway's calls have no answer",
		"Calls time out, are cut, or end with SYSTEM_ERROR. Askers get `unknown` and have to ask again; nobody gets " +
			"not_signed.",
		"`protocolq_gateway_codes_total`: which codes. `protocolq doctor` from a worker's machine: DNS, route, " +
			"certificate. `protocolq call -v` for one call, phase by phase.",
		"GATEWAY_UNREACHABLE, GATEWAY_TLS: the network or a proxy. GATEWAY_HTTP_429: lower `rate`. " +
			"SYSTEM_ERROR: Alipay; wait, and report it if it lasts. Retries stay within their budget."},
	{"ProtocolqGatewaySlow", Rule{Term: Term{Agg: "sum", By: "le",
		Metric: "protocolq_gateway_request_duration_seconds_bucket", Fn: "rate", Over: 5 * time.Minute}, Quantile: 0.95,
		Op: ">", Limit: 5}, 10 * time.Minute, warning, "One call in twenty takes longer than 5 s",
		"The gateway, or the network to it, is slow. Calls hold their slots longer; after 8 s (`call-timeout`) they " +
			"are given up.",
		"`protocolq log list --slow 5s`, `protocolq log show ID`: which phase is slow (DNS, connect, TLS, first byte).",
		"DNS or connect: the network. First byte: the gateway. If slots run out (ProtocolqSlotsUsed), more workers " +
			"help only if the partner's `rate` allows more."},
	{"ProtocolqUnknownCode", Rule{Term: Term{Agg: "sum", Metric: "protocolq_gateway_requests_total",
		Match: Match{Label: "code_class", Values: []string{"bug", "unlisted"}}, Fn: "increase", Over: time.Hour},
		Op: ">"}, 0, warning, "The gateway answers with a code that is a fault of the program, or in no table",
		"BUG: the request is wrong in a way that no setting corrects. UNLISTED: the gateway has a new code, or its " +
			"answer is not conclusive. Such accounts are `unknown` or refused, never not signed.",
		"`protocolq_gateway_codes_total`, the worker's log, `protocolq log list --code CODE`.",
		"Ask Alipay about the code, decide about the account by hand, and report it with `protocolq version` and " +
			"the time."},
	{"ProtocolqJournalFilling", Rule{Term: Term{Agg: "max", Metric: "protocolq_journal_fill_ratio"}, Op: ">",
		Limit: 0.7}, 5 * time.Minute, critical, "The workers' log is {{ $value | humanizePercentage }} full",
		"Above 80 % no call begins, above 90 % no query is taken (OVERLOADED).",
		"`protocolq_remembered`, `protocolq_parked`, `protocolq_outbox_waiting`: what fills it. Is a partner halted, " +
			"or a stream unavailable? Is one worker far behind (its log)?",
		"Repair what holds it up; the workers then purge it automatically. Otherwise give it more room: " +
			"`protocolq provision --journal-bytes N --update`, or a shorter `window`."},
	{"ProtocolqStreamFilling", Rule{Term: Term{Agg: "max", By: "stream", Metric: "protocolq_stream_fill_ratio",
		Match: Match{Label: "stream", Values: []string{"JOURNAL"}, Not: true}}, Op: ">", Limit: 0.8}, 5 * time.Minute,
		critical, "Stream {{ $labels.stream }} is {{ $value | humanizePercentage }} full",
		"Messages find no room there: LOG, REPLIES and DEAD then hold up new calls, SUBMITTED refuses new " +
			"queries.",
		"LOG: is a recorder running (ProtocolqQueryLogBehind)? REPLIES: does its asker read? DEAD: `protocolq dead " +
			"list`. SUBMITTED: are workers ready, is the intake paused?",
		"Start its reader. For DEAD, `protocolq dead redrive` or `discard`. `nats stream edit` gives more room."},
	{"ProtocolqQueueStuck", Rule{Term: Term{Agg: "max", Metric: "protocolq_oldest_pending_seconds"}, Op: ">",
		Limit: 60}, 5 * time.Minute, critical,
		"A submitted query has waited {{ $value | humanizeDuration }} for a worker",
		"No worker takes submitted queries into the log.",
		"`protocolq_intake_paused`, `protocolq_ready`, ProtocolqJournalFilling. `nats consumer info " +
			"PROTOCOL_SUBMITTED submitted`.",
		"`protocolq intake resume`, start workers, or make room. `protocolq doctor` if workers are ready but take " +
			"nothing."},
	{"ProtocolqOutboxAway", Rule{Term: Term{Agg: "max", By: "sink", Metric: "protocolq_outbox_away"}, Op: "==",
		Limit: 1}, 2 * time.Minute, critical, "{{ $labels.sink }}: nothing can be published",
		"Replies, events, lines or dead letters wait, because their stream, or NATS, accepts none. Nothing is " +
			"dropped; when too much waits, no call begins.",
		"The worker's log: `not published, tried again`. ProtocolqStreamFilling. `protocolq doctor`: streams and " +
			"rights.",
		"Repair the stream. What waits is then published automatically."},
	{"ProtocolqDeadLetters", Rule{Term: Term{Agg: "max", Metric: "protocolq_stream_messages",
		Match: Match{Label: "stream", Values: []string{"DEAD"}}}, Op: ">"}, 15 * time.Minute, warning,
		"{{ $value }} queries could not be answered",
		"They could not be answered: unreadable, without an allowed reply subject, too late, or three workers " +
			"died while they handled them.",
		"`protocolq dead list`, `protocolq dead show N`: the reason, and who asked.",
		"Correct the asker, then `protocolq dead redrive`; `discard` the rest. They are kept for 90 days."},
	{"ProtocolqOverloaded", Rule{Term: Term{Agg: "sum", Metric: "protocolq_refusals_total",
		Match: Match{Label: "code", Values: []string{"OVERLOADED"}}, Fn: "rate", Over: 5 * time.Minute}, Op: ">"},
		5 * time.Minute, critical, "Askers get OVERLOADED",
		"The log cannot take all queries: there are too many, or it is full or unavailable.",
		"ProtocolqJournalFilling, ProtocolqOutboxAway, ProtocolqSlotsUsed, `protocolq_pending`.",
		"Repair these first. If it is only load: more workers, or slower askers; they get `retry_after_ms`."},
	{"ProtocolqSlotsUsed", Rule{Term: Term{Agg: "sum", Metric: "protocolq_inflight"},
		Per: &Term{Agg: "sum", Metric: "protocolq_slots"}, Op: ">", Limit: 0.9}, 10 * time.Minute, warning,
		"{{ $value | humanizePercentage }} of the fleet's slots are in use",
		"Calls wait for a slot. Their number is rate × time of a call: one of the two is higher than planned.",
		"ProtocolqGatewaySlow; `protocolq_parked`; is `rate` or `concurrency` the limit, not slots?",
		"More workers, or more `slots`, as far as the partner's limits at the gateway allow."},
	{"ProtocolqLeasesLost", Rule{Term: Term{Agg: "sum", Metric: "protocolq_lease_lost_total", Fn: "increase",
		Over: 15 * time.Minute}, Op: ">", Limit: 2}, 0, warning, "Workers lose their leases",
		"Workers were frozen, or cut off from NATS, for longer than 3 s, and were sealed by others. Each time " +
			"may cost one more call.",
		"Logs: `no member any more, joining again`, `silent member sealed`. CPU limits and swapping of the machines; " +
			"elections of NATS; disks of the servers.",
		"Give workers their own CPU and NATS its own disk; `sync_interval: always` needs a fast one."},
	{"ProtocolqWorkersDie", Rule{Term: Term{Agg: "sum", Metric: "protocolq_retries_total",
		Match: Match{Label: "reason", Values: []string{"WORKER_DIED"}}, Fn: "increase", Over: 15 * time.Minute},
		Op: ">"}, 0, warning, "Workers died during calls",
		"A worker was killed, or crashed, while it was calling. Its questions were asked again after the lease.",
		"Who ended it: the kernel (out of memory), the orchestrator (grace shorter than `grace`), a panic in its log.",
		"More memory, a longer grace period than `grace`. A panic: report it with the log."},
	{"ProtocolqQueryLogBehind", Rule{Term: Term{Agg: "max", Metric: "protocolq_querylog_lag_seconds"}, Op: ">",
		Limit: 300}, 5 * time.Minute, warning, "The query log is {{ $value | humanizeDuration }} behind",
		"Lines wait in their stream for a recorder. Nothing is lost: when the stream is full, they wait at the " +
			"workers, and no call begins at a worker where 50,000 replies and runs wait.",
		"Is a recorder running? Its log; `protocolq_querylog_write_seconds`; `protocolq doctor --for recorder`.",
		"Start a recorder, or repair its database. Several may run at once."},
	{"ProtocolqDatabaseDown", Rule{Term: Term{Agg: "min", By: "instance", Metric: "protocolq_querylog_database_up"},
		Op: "=="}, 2 * time.Minute, critical, "The query log's database accepts no rows",
		"It is unavailable, full, or refuses the recorder. Lines wait in their stream.",
		"The recorder's log has the database's own error. `protocolq doctor --for recorder`: rights, disk, clock.",
		"Repair the database. The recorder then goes on automatically."},
	{"ProtocolqLinesLost", Rule{Term: Term{Agg: "sum", Metric: "protocolq_querylog_lost_total", Fn: "increase",
		Over: time.Hour}, Plus: &Term{Agg: "sum", Metric: "protocolq_querylog_rejected_total", Fn: "increase",
		Over: time.Hour}, Op: ">"}, 0, warning, "Lines are lost for the query log",
		"Lines of answers from memory were dropped because too many waited, or the database refused rows for good. " +
			"Runs of the gateway are never dropped.",
		"The worker's and the recorder's log: `line not logged`, `row not storable`. The table `rejected`.",
		"Run a recorder that keeps up. Rejected rows: report them with the database's error."},
	{"ProtocolqIntakePaused", Rule{Term: Term{Agg: "max", Metric: "protocolq_intake_paused"}, Op: "==", Limit: 1},
		30 * time.Minute, warning, "The intake has been paused for half an hour",
		"An operator has paused it. Askers that wait get PAUSED, submitted queries wait.",
		"`protocolq intake`: who paused it, and why.",
		"`protocolq intake resume` when the reason is over."},
}
