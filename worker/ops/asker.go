// The metrics of what asks the workers: the HTTP door, and the page in the browser.

package ops

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Door counts the requests of an HTTP door. Its labels are those of the door's own table, never a
// caller's word.
type Door struct {
	requests *prometheus.CounterVec
	took     *prometheus.HistogramVec
	webhooks *prometheus.CounterVec
}

// NewDoor counts from 0.
func NewDoor() *Door {
	return &Door{
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

// Delivered takes in one delivery to a webhook, by what came of it.
func (d *Door) Delivered(result string) { d.webhooks.WithLabelValues(result).Inc() }

// Seen takes in one request.
func (d *Door) Seen(route string, status int, took time.Duration) {
	d.requests.WithLabelValues(route, strconv.Itoa(status)).Inc()
	d.took.WithLabelValues(route).Observe(took.Seconds())
}

// Describe implements [prometheus.Collector].
func (d *Door) Describe(out chan<- *prometheus.Desc) {
	d.requests.Describe(out)
	d.took.Describe(out)
	d.webhooks.Describe(out)
}

// Collect implements [prometheus.Collector].
func (d *Door) Collect(out chan<- prometheus.Metric) {
	d.requests.Collect(out)
	d.took.Collect(out)
	d.webhooks.Collect(out)
}

// Console counts the requests of a page in the browser, and what it tells a webhook.
type Console struct{ requests, webhooks *prometheus.CounterVec }

// NewConsole counts from 0.
func NewConsole() *Console {
	return &Console{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "protocolq_console_requests_total",
			Help: "Requests of the page in the browser, by status; a stream counts as it begins."}, []string{"status"}),
		webhooks: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "protocolq_console_webhook_deliveries_total",
			Help: "Ended watches told to the webhook: delivered, failed and tried again, or undelivered for good."},
			[]string{"result"}),
	}
}

// Seen takes in one response, as its status is known.
func (c *Console) Seen(status int) { c.requests.WithLabelValues(strconv.Itoa(status)).Inc() }

// Told takes in one delivery to the webhook, by what came of it.
func (c *Console) Told(result string) { c.webhooks.WithLabelValues(result).Inc() }

// Describe implements [prometheus.Collector].
func (c *Console) Describe(out chan<- *prometheus.Desc) {
	c.requests.Describe(out)
	c.webhooks.Describe(out)
}

// Collect implements [prometheus.Collector].
func (c *Console) Collect(out chan<- prometheus.Metric) {
	c.requests.Collect(out)
	c.webhooks.Collect(out)
}
