// Metrics: what every process shows, and how figures that a part keeps become metrics.

package ops

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// Build is which program runs.
type Build struct{ Version, Commit, Go string }

// NewRegistry has what every process shows: its build, and the figures of Go and of the process.
func NewRegistry(b Build) *prometheus.Registry {
	r := prometheus.NewRegistry()
	info := prometheus.NewGauge(prometheus.GaugeOpts{Name: "protocolq_build_info",
		Help:        "Always 1; which program this is.",
		ConstLabels: prometheus.Labels{"version": b.Version, "commit": b.Commit, "go": b.Go}})
	info.Set(1)
	r.MustRegister(info, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

// seconds is a histogram of how long something took: of exact buckets where the reader takes them,
// else of these.
func seconds(name, help string) prometheus.Histogram {
	return prometheus.NewHistogram(prometheus.HistogramOpts{Name: name, Help: help,
		Buckets:                     []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		NativeHistogramBucketFactor: 1.1, NativeHistogramMaxBucketNumber: 160,
		NativeHistogramMinResetDuration: time.Hour})
}

// table is a set of metrics that are read together when they are asked for.
type table struct {
	descs map[string]*prometheus.Desc
	read  func(*reading)
}

// reading is one reading of a table.
type reading struct {
	table *table
	out   chan<- prometheus.Metric
}

// row declares a metric of a table.
type row struct{ name, help, label string }

func newTable(rows []row, read func(*reading)) *table {
	t := &table{descs: map[string]*prometheus.Desc{}, read: read}
	for _, r := range rows {
		var labels []string
		if r.label != "" {
			labels = []string{r.label}
		}
		t.descs[r.name] = prometheus.NewDesc("protocolq_"+r.name, r.help, labels, nil)
	}
	return t
}

// Describe implements [prometheus.Collector].
func (t *table) Describe(out chan<- *prometheus.Desc) {
	for _, d := range t.descs {
		out <- d
	}
}

// Collect implements [prometheus.Collector].
func (t *table) Collect(out chan<- prometheus.Metric) { t.read(&reading{t, out}) }

func (r *reading) gauge(name string, value float64, label ...string) {
	r.out <- prometheus.MustNewConstMetric(r.table.descs[name], prometheus.GaugeValue, value, label...)
}

func (r *reading) counter(name string, value uint64, label ...string) {
	r.out <- prometheus.MustNewConstMetric(r.table.descs[name], prometheus.CounterValue, float64(value), label...)
}

func one(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// NewReady shows whether the process is ready, as /readyz says it.
func NewReady(health func() Health) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "protocolq_ready",
		Help: "1: this process may be given work, as /readyz says."},
		func() float64 { return one(health().Ready()) })
}
