// A recorder's metrics.

package ops

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"protocolq/worker/querylog"
)

// Recorder is what shows a recorder's figures.
type Recorder struct {
	writes prometheus.Histogram
	table  *table
}

// NewRecorder shows the figures that stats gives, each time that they are asked for.
func NewRecorder(stats func() querylog.Stats) *Recorder {
	return &Recorder{
		writes: seconds("protocolq_querylog_write_seconds",
			"How long the database took for a batch, whatever came of it."),
		table: newTable([]row{
			{"querylog_rows_total", "Rows that this recorder wrote.", ""},
			{"querylog_known_total", "Rows that were there already, because their lines were delivered again.", ""},
			{"querylog_rejected_total", "Lines that could not be read, or that the database would never accept.", ""},
			{"querylog_write_failures_total", "Batches that could not be written, each tried again.", ""},
			{"querylog_last_failure_timestamp_seconds", "When a batch last failed to be written; 0: never.",
				""},
			{"querylog_database_up", "0: the database is unavailable or full, and lines wait in the stream.", ""},
			{"querylog_reading", "1: the stream gives its lines.", ""},
		}, func(r *reading) {
			s := stats()
			r.counter("querylog_rows_total", uint64(s.Rows))
			r.counter("querylog_known_total", uint64(s.Known))
			r.counter("querylog_rejected_total", uint64(s.Rejected))
			r.counter("querylog_write_failures_total", uint64(s.Failures))
			r.gauge("querylog_last_failure_timestamp_seconds", float64(s.FailedAt)/1000)
			r.gauge("querylog_database_up", one(!s.Down))
			r.gauge("querylog_reading", one(s.Reading))
		}),
	}
}

// Wrote takes in one batch, see querylog.Options.Wrote.
func (r *Recorder) Wrote(took time.Duration, _ error) { r.writes.Observe(took.Seconds()) }

// Describe implements [prometheus.Collector].
func (r *Recorder) Describe(out chan<- *prometheus.Desc) {
	r.writes.Describe(out)
	r.table.Describe(out)
}

// Collect implements [prometheus.Collector].
func (r *Recorder) Collect(out chan<- prometheus.Metric) {
	r.writes.Collect(out)
	r.table.Collect(out)
}
