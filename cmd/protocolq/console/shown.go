// What the page's process shows in addition to the page: probes, metrics, and signs of life for
// systemd.

package console

import (
	"context"
	"net/http"

	"github.com/nats-io/nats.go"

	"protocolq/cmd/protocolq/probes"
	"protocolq/messages"
	"protocolq/worker/ops"
)

// shown is what Serve shows until ctx, and then the page, has ended.
func shown(ctx context.Context, nc *nats.Conn, names messages.Names, figures *ops.Console) probes.Shown {
	return probes.Shown{NATS: nc, Names: names, Figures: figures,
		Health: func() ops.Health { return ops.OfAsker(nc.IsConnected(), ctx.Err() != nil) }}
}

// counted passes the status of each response to seen, once.
func counted(page http.Handler, seen func(status int)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := &counter{ResponseWriter: w, seen: seen}
		defer c.count(http.StatusOK) // if nothing was written
		page.ServeHTTP(c, r)
	})
}

type counter struct {
	http.ResponseWriter
	seen    func(status int)
	counted bool
}

func (c *counter) count(status int) {
	if !c.counted && status >= http.StatusOK {
		c.counted = true
		c.seen(status)
	}
}

// WriteHeader implements [http.ResponseWriter].
func (c *counter) WriteHeader(status int) { c.count(status); c.ResponseWriter.WriteHeader(status) }

// Write implements [http.ResponseWriter].
func (c *counter) Write(b []byte) (int, error) {
	c.count(http.StatusOK)
	return c.ResponseWriter.Write(b)
}

// Unwrap is for [http.ResponseController], which flushes streams.
func (c *counter) Unwrap() http.ResponseWriter { return c.ResponseWriter }
