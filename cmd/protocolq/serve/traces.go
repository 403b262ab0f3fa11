// Traces of a worker, if the settings name a collector.

package serve

import (
	"context"
	"log/slog"
	"net/url"
	"os"

	"protocolq/cmd/protocolq/cli"
	"protocolq/cmd/protocolq/settings"
	"protocolq/messages"
	"protocolq/worker"
	"protocolq/worker/tracing"
)

// newTraces gives the tracer that a worker reports to, nil without tracing, and the exporter that
// sends the traces.
func newTraces(c *settings.Config, names messages.Names, log *slog.Logger) (traces worker.Traces,
	exporter *tracing.Exporter, err error) {
	to, sampler, on, err := c.OTLP()
	if err != nil || !on {
		return nil, nil, err
	}
	u, err := url.Parse(to.URL)
	cli.Must(err) // it has been checked
	host, _ := os.Hostname()
	for name, value := range map[string]string{"service.version": cli.Version(), "host.name": host,
		"service.namespace": names.Prefix()} {
		if _, given := to.Resource[name]; !given && value != "" {
			to.Resource[name] = value
		}
	}
	to.Logger = log
	exporter = tracing.NewExporter(to)
	log.Info("traces on", "collector", u.Host, "ratio", sampler.Ratio)
	return tracing.New(tracing.Options{Names: names, Gateway: gatewayHost(c), Sampler: sampler, To: exporter.Add}),
		exporter, nil
}

// sendTraces sends traces until ctx ends; without an exporter there is nothing to do.
func sendTraces(ctx context.Context, e *tracing.Exporter) {
	if e != nil {
		e.Run(ctx)
	}
}
