// Reading a durable consumer: each message is acknowledged or given back.

package httpdoor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// reader reads one consumer for as long as the door runs.
type reader struct {
	js       jetstream.JetStream
	stream   string
	consumer string
	asker    string
	purpose  string // distinguishes it from other readers
	atOnce   int    // messages taken and not yet dealt with
	take     func(context.Context, jetstream.Msg)
	log      *slog.Logger
}

// missingWait is the time before a missing consumer is looked for again.
const missingWait = 5 * time.Second

// run reads until ctx ends. What is not acknowledged by then comes again, here or at another door.
func (r *reader) run(ctx context.Context) {
	for ctx.Err() == nil {
		err := r.read(ctx)
		if ctx.Err() != nil {
			return
		}
		r.log.Warn("consumer is not read, trying on", "stream", r.stream, "consumer", r.consumer, "err", err,
			"hint", "'protocolq provision --http "+r.asker+"' makes what is needed; may this user read it? "+
				"(HTTP_DOOR in deploy/nats)")
		select {
		case <-ctx.Done():
		case <-time.After(missingWait):
		}
	}
}

// read reads until reading fails.
func (r *reader) read(ctx context.Context) error {
	within, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	consumer, err := r.js.Consumer(within, r.stream, r.consumer)
	if err != nil {
		return fmt.Errorf("find the consumer: %w", err)
	}
	taken, err := consumer.Messages(jetstream.PullMaxMessages(r.atOnce))
	if err != nil {
		return fmt.Errorf("read: %w", err)
	}
	var working sync.WaitGroup
	defer working.Wait()
	defer taken.Stop() // first: what comes while the last are dealt with is for other readers
	room := make(chan struct{}, r.atOnce)
	for {
		m, err := next(ctx, taken)
		if err != nil {
			return fmt.Errorf("read: %w", err)
		}
		select {
		case room <- struct{}{}:
		case <-ctx.Done():
		}
		if ctx.Err() != nil { // what is not begun is for other readers
			_ = m.Nak() // or it comes again by itself
			return fmt.Errorf("read: %w", ctx.Err())
		}
		working.Go(func() {
			defer func() { <-room }()
			r.take(context.WithoutCancel(ctx), m)
		})
	}
}

// next is the next message. nats.go leaves out a request if the one before is just being sent, so
// that nothing comes and no heartbeat either: another look sends it. Nothing that is being dealt
// with has to end for that, as it has where a second look misses the heartbeat, too.
func next(ctx context.Context, taken jetstream.MessagesContext) (jetstream.Msg, error) {
	m, err := taken.Next(jetstream.NextContext(ctx))
	if errors.Is(err, jetstream.ErrNoHeartbeat) {
		m, err = taken.Next(jetstream.NextContext(ctx))
	}
	return m, err
}
