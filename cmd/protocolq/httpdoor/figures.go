// The door's metrics.

package httpdoor

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// figures counts requests. Its labels are those of the door's own table, never a caller's word.
type figures struct {
	requests *prometheus.CounterVec
	took     *prometheus.HistogramVec
	webhooks *prometheus.CounterVec
}

func newFigures() *figures {
	return &figures{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "protocolq_http_requests_total",
			Help: "Requests of the HTTP door, by route and status."}, []string{"route", "status"}),
		took: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "protocolq_http_request_seconds",
			Help:    "How long a request took, with the wait for its answer.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}}, []string{"route"}),
		webhooks: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "protocolq_http_webhook_deliveries_total",
			Help: "Deliveries to webhooks: delivered, failed and tried again, or undelivered for good."},
			[]string{"result"}),
	}
}

// delivered takes in one delivery, see deliverer.
func (f *figures) delivered(result string) { f.webhooks.WithLabelValues(result).Inc() }

// seen takes in one request.
func (f *figures) seen(route string, status int, took time.Duration) {
	f.requests.WithLabelValues(route, strconv.Itoa(status)).Inc()
	f.took.WithLabelValues(route).Observe(took.Seconds())
}

// Describe implements [prometheus.Collector].
func (f *figures) Describe(out chan<- *prometheus.Desc) {
	f.requests.Describe(out)
	f.took.Describe(out)
	f.webhooks.Describe(out)
}

// Collect implements [prometheus.Collector].
func (f *figures) Collect(out chan<- prometheus.Metric) {
	f.requests.Collect(out)
	f.took.Collect(out)
	f.webhooks.Collect(out)
}
