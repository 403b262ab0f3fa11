// Series: the figures of a process as rules read them, out of what it would show to Prometheus.

package ops

import (
	"math"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"protocolq/worker"
)

// SeriesOf reads the figures of a process. Histograms are left out.
func SeriesOf(instance string, collectors ...prometheus.Collector) (Series, error) {
	r := prometheus.NewRegistry()
	for _, c := range collectors {
		if err := r.Register(c); err != nil {
			return nil, err
		}
	}
	families, err := r.Gather()
	all := Series{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			at := Figure{Metric: f.GetName(), Instance: instance}
			if l := m.GetLabel(); len(l) > 0 {
				at.Label, at.Value = l[0].GetName(), l[0].GetValue()
			}
			switch {
			case m.Gauge != nil:
				all[at] = m.GetGauge().GetValue()
			case m.Counter != nil:
				all[at] = m.GetCounter().GetValue()
			}
		}
	}
	return all, err
}

// SeriesOfWorker reads the figures that a worker's STATS show.
func SeriesOfWorker(s worker.Stats) (Series, error) {
	all, err := SeriesOf(s.Member, NewWorker(s.Halted, func() worker.Stats { return s }))
	count := uint64(0)
	for i, n := range s.Gateway.Buckets {
		count += n
		le := math.Inf(1)
		if i < len(s.Gateway.UpTo) {
			le = float64(s.Gateway.UpTo[i]) / 1000
		}
		all[Figure{callSeconds + "_bucket", s.Member, "le", strconv.FormatFloat(le, 'g', -1, 64)}] = float64(count)
	}
	return all, err
}
