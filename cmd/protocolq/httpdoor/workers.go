// The workers over NATS: one connection, and for each asker two clients of its name.

package httpdoor

import (
	"context"

	"github.com/nats-io/nats.go"

	"protocolq/messages"
	"protocolq/messages/ask"
)

// workers implements [fleet].
type workers struct {
	awaiting map[string]*ask.Client // waits for workers to come
	storing  map[string]*ask.Client // says at once that a stream is not there
}

// newWorkers makes the clients. It asks nothing yet.
func newWorkers(nc *nats.Conn, prefix string, askers []Asker) (*workers, error) {
	w := &workers{awaiting: map[string]*ask.Client{}, storing: map[string]*ask.Client{}}
	for _, a := range askers {
		awaiting, err := ask.New(nc, ask.Options{Prefix: prefix, Submitter: a.Name, Trace: traceOf})
		if err != nil {
			return nil, err
		}
		storing, err := ask.New(nc, ask.Options{Prefix: prefix, Submitter: a.Name, FailFast: true, Trace: traceOf})
		if err != nil {
			return nil, err
		}
		w.awaiting[a.Name], w.storing[a.Name] = awaiting, storing
	}
	return w, nil
}

// Ask implements [fleet].
func (w *workers) Ask(ctx context.Context, asker string, q messages.Query) (messages.Result, error) {
	return w.awaiting[asker].Ask(ctx, q)
}

// Submit implements [fleet].
func (w *workers) Submit(ctx context.Context, asker string, q messages.Query) error {
	ctx, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	_, err := w.storing[asker].Submit(ctx, q)
	return err
}
