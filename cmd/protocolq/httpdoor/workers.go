// The workers over NATS: one connection, and two clients in the name of each asker.

package httpdoor

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/nats-io/nats.go"

	"protocolq/messages"
	"protocolq/messages/ask"
)

// workers implements [fleet].
type workers struct {
	nc      *nats.Conn
	prefix  string
	clients atomic.Pointer[map[string]clients] // of the present askers
}

// clients are those of one asker.
type clients struct {
	awaiting *ask.Client // waits for workers to come
	storing  *ask.Client // reports a missing stream at once
}

// errNoAsker ends a request whose asker is removed at that moment.
var errNoAsker = errors.New("the asker is no longer served")

// newWorkers makes the clients. It sends nothing yet.
func newWorkers(nc *nats.Conn, prefix string, askers []Asker) (*workers, error) {
	w := &workers{nc: nc, prefix: prefix}
	w.clients.Store(&map[string]clients{})
	return w, w.serve(askers)
}

// serve makes clients for these askers, and for no others.
func (w *workers) serve(askers []Asker) (err error) {
	before, all := *w.clients.Load(), map[string]clients{}
	for _, a := range askers {
		c, there := before[a.Name]
		if !there {
			o := ask.Options{Prefix: w.prefix, Asker: a.Name, Trace: traceOf}
			if c.awaiting, err = ask.New(w.nc, o); err != nil {
				return err
			}
			o.FailFast = true
			if c.storing, err = ask.New(w.nc, o); err != nil {
				return err
			}
		}
		all[a.Name] = c
	}
	w.clients.Store(&all)
	return nil
}

// Ask implements [fleet].
func (w *workers) Ask(ctx context.Context, asker string, q messages.Query) (messages.Result, error) {
	c, ok := (*w.clients.Load())[asker]
	if !ok {
		return messages.Result{}, errNoAsker
	}
	return c.awaiting.Ask(ctx, q)
}

// Submit implements [fleet].
func (w *workers) Submit(ctx context.Context, asker string, q messages.Query) error {
	c, ok := (*w.clients.Load())[asker]
	if !ok {
		return errNoAsker
	}
	ctx, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	_, err := c.storing.Submit(ctx, q)
	return err
}
