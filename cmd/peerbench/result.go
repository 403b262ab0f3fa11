// Result: the figures of one cell, and the line that is printed.
package main

// result is one line. Latencies are those of right answers, as their askers saw them.
type result struct {
	Contestant string  `json:"contestant"`
	Dist       string  `json:"dist"`
	LatencyMs  float64 `json:"gw_latency_ms"`
	JitterMs   float64 `json:"gw_jitter_ms,omitempty"`
	ErrorRate  float64 `json:"error_rate"`
	C          int     `json:"c"`              // callers; 0 with a rate
	Rate       float64 `json:"rate,omitempty"` // queries a second
	MaxS       float64 `json:"max_s"`          // sending time
	Workers    int     `json:"workers"`
	KillAtS    float64 `json:"kill_at_s,omitempty"`
	Servers    int     `json:"servers"`
	Sync       string  `json:"sync,omitempty"`
	Remembered int     `json:"remembered,omitempty"`
	Ingest     string  `json:"ingest"`
	ReplyBy    string  `json:"reply_by,omitempty"`

	Issued   int     `json:"issued"`
	Answered int     `json:"answered"`
	Refused  int     `json:"refused"`   // of the answered: no conclusive outcome
	BadReply int     `json:"bad_reply"` // an answer that does not answer the request
	Timeouts int     `json:"timeouts"`  // no answer in time
	OtherErr int     `json:"other_errors"`
	Example  string  `json:"error_example,omitempty"`
	Seconds  float64 `json:"seconds"`   // first request to last answer
	Wall     float64 `json:"wall_s"`    // first request to the end of the last one
	Drained  float64 `json:"drained_s"` // first request to when nothing was owed any more
	Owed     uint64  `json:"owed"`      // messages still owed when the waiting ended
	OwedIn   string  `json:"owed_in,omitempty"`

	AnsweredRate float64 `json:"answered_per_second"` // over wall_s
	DrainedRate  float64 `json:"drained_per_second"`  // answers over drained_s: the figure of the bars

	P50  float64 `json:"p50_ms"`
	P99  float64 `json:"p99_ms"`
	P999 float64 `json:"p999_ms"`
	Max  float64 `json:"max_ms"`

	// AfterDeathP99 is for those who waited when a worker was killed, counted from then; nil if none
	// was.
	AfterDeathP99 *float64 `json:"after_death_p99_ms,omitempty"`

	AskedKeys   int     `json:"asked_keys"`
	Calls       int     `json:"gw_calls"`
	CallsPerKey float64 `json:"calls_per_key"` // without the injected failures
	Dup         int     `json:"dup_calls"`
	MaxPerKey   int     `json:"max_calls_one_key"`
	Overlap     int     `json:"overlapping_calls"`
	MaxOverlap  int     `json:"max_overlap"`
	Injected    int     `json:"injected_failures"`
	BadSign     int     `json:"bad_sign"`
	BadParams   int     `json:"bad_params"`
	BadExample  string  `json:"bad_call_example,omitempty"`

	WorkerCPU float64 `json:"worker_cpu_s"`
	WorkerUs  float64 `json:"worker_cpu_us_per_answer"`
	IdleRSS   float64 `json:"worker_idle_rss_mb"` // largest worker, before any load
	// of one core, busiest worker; nil if it was not measured
	IdleCPU    *float64 `json:"worker_idle_cpu_pct,omitempty"`
	FilledRSS  float64  `json:"worker_filled_rss_mb,omitempty"`
	WorkerRSS  float64  `json:"worker_peak_rss_mb"`
	BesideCPU  float64  `json:"recorder_cpu_s,omitempty"`
	NatsCPU    float64  `json:"nats_cpu_s"`
	GatewayCPU float64  `json:"gateway_cpu_s"`
	BenchCPU   float64  `json:"bench_cpu_s"`
	StartMs    float64  `json:"start_ms"`             // first worker: process start to first answer
	RestartMs  float64  `json:"restart_ms,omitempty"` // the same again, with remembered answers
	StopMs     float64  `json:"stop_ms"`              // SIGTERM to exit, slowest worker, nothing in flight
	Killed     int      `json:"killed,omitempty"`
}

// add adds the gateway's counts.
func (r *result) add(st *gatewayStats) {
	r.Calls, r.Dup, r.MaxPerKey, r.Overlap, r.MaxOverlap = st.Calls, st.Dup, st.MaxPerKey, st.Overlap, st.MaxOverlap
	r.Injected, r.BadSign, r.BadParams, r.BadExample = st.Injected, st.BadSign, st.BadParams, st.BadExample
	if st.Distinct > 0 {
		r.CallsPerKey = float64(st.Calls-st.Injected) / float64(st.Distinct)
	}
}

// account sets the CPU time, and the time from the first request until nothing was owed.
func (r *result) account(before, after accounts) {
	r.WorkerCPU, r.BesideCPU = after.workers-before.workers, after.beside-before.beside
	r.NatsCPU = after.nats - before.nats
	r.GatewayCPU, r.BenchCPU = after.gw-before.gw, after.itself-before.itself
	r.Drained = max(after.at.Sub(before.at).Seconds(), r.Wall)
	if r.Answered > 0 {
		r.WorkerUs, r.DrainedRate = 1e6*r.WorkerCPU/float64(r.Answered), float64(r.Answered)/r.Drained
	}
}
