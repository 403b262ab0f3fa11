// Pulling from the durable consumer, which may be missing for a while or be replaced.

package intake

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"protocolq/messages"
	"protocolq/worker/pause"
)

// pullSize is how many messages are asked for at once. More would wait in this process while
// another is idle.
const pullSize = 256

// consumer pulls from the durable consumer of submitted messages.
type consumer struct {
	*parts
	from  Consumers
	every atomic.Int64 // ns between two signs of life of what is pending: a third of its AckWait
	take  jetstream.MessageHandler
}

// open waits until the consumer is there or ctx ends, and then begins to take messages. It begins
// again when the consumer was deleted and made again, and after a pause. The returned func stops it
// and waits until all messages taken have gone through take.
func (c *consumer) open(ctx context.Context) (func(context.Context), error) {
	taking, err := c.begin(ctx)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		c.follow(ctx, taking)
	}()
	return func(ctx context.Context) {
		stop()
		select {
		case <-ended:
		case <-ctx.Done():
		}
	}, nil
}

// lookAtPause is how late a pause is noticed, in addition to the second between two reads of it.
const lookAtPause = 500 * time.Millisecond

// follow takes nothing in a pause. It begins again after the pause and whenever the consumer is
// gone, until ctx ends. taking is nil in a pause.
func (c *consumer) follow(ctx context.Context, taking jetstream.ConsumeContext) {
	look := time.NewTicker(lookAtPause)
	defer look.Stop()
	for {
		var gone <-chan struct{}
		if taking != nil {
			gone = taking.Closed()
		}
		select {
		case <-ctx.Done():
			drain(taking)
			return
		case <-look.C:
			_, paused := c.paused()
			if paused == (taking == nil) {
				continue
			}
			if paused {
				drain(taking)
				taking = nil
				continue
			}
		case <-gone:
			c.log.Warn("consumer is gone, looked for again", "consumer", messages.ConsumerSubmitted)
		}
		next, err := c.begin(ctx)
		if err != nil {
			return // closing
		}
		taking = next
	}
}

// drain stops taking, and returns once all messages taken have gone through take.
func drain(taking jetstream.ConsumeContext) {
	if taking != nil {
		taking.Drain() // Stop would leave buffered messages until their AckWait
		<-taking.Closed()
	}
}

// begin waits until the consumer is there and begins to take from it; in a pause it takes nothing
// and returns nil.
func (c *consumer) begin(ctx context.Context) (jetstream.ConsumeContext, error) {
	for wait := firstWait; ; wait = min(2*wait, 2*time.Second) {
		found, err := c.from.Consumer(ctx, c.names.Stream(messages.Submitted), messages.ConsumerSubmitted)
		if err == nil {
			c.every.Store(int64(max(found.CachedInfo().Config.AckWait/3, 10*time.Millisecond)))
			if _, paused := c.paused(); paused {
				return nil, nil
			}
			var taking jetstream.ConsumeContext
			if taking, err = c.pull(found); err == nil {
				return taking, nil
			}
		}
		c.log.Warn("consumer is not there yet", "consumer", messages.ConsumerSubmitted, "retry_in", wait.String(),
			"err", err,
			"hint", "run protocolq provision")
		if pause.For(ctx, wait) != nil {
			return nil, fmt.Errorf("wait for consumer %s: %w", messages.ConsumerSubmitted, ctx.Err())
		}
	}
}

// The heartbeats of a pull, and how many in a row may be missing before the consumer is looked for
// again: it may have been made again without notice.
const (
	heartbeat   = 2 * time.Second
	mostSilence = 5
)

// silence counts missing heartbeats in a row. The client says that one is missing when nothing came
// for two of them, and then every two; it does not say that one came. If one did, the next missing
// one is at least three after the last.
type silence struct {
	missing atomic.Int32
	last    time.Time // when one was missing; only for again, which one goroutine calls
}

// again notes one more, and returns how many there are in a row.
func (s *silence) again(now time.Time) int {
	if now.Sub(s.last) > heartbeat*5/2 {
		s.missing.Store(0)
	}
	s.last = now
	return int(s.missing.Add(1))
}

// over notes that something came.
func (s *silence) over() { s.missing.Store(0) }

func (c *consumer) pull(from jetstream.Consumer) (jetstream.ConsumeContext, error) {
	silent := &silence{}
	heard := func(m jetstream.Msg) {
		silent.over()
		c.take(m)
	}
	taking, err := from.Consume(heard, jetstream.PullMaxMessages(pullSize), jetstream.PullExpiry(5*heartbeat),
		jetstream.PullHeartbeat(heartbeat),
		jetstream.ConsumeErrHandler(func(taking jetstream.ConsumeContext, err error) {
			c.trouble("consumer of what is submitted", err)
			if errors.Is(err, jetstream.ErrNoHeartbeat) && silent.again(time.Now()) >= mostSilence &&
				c.from.Conn().IsConnected() {
				taking.Stop()
			}
		}))
	if err != nil {
		return nil, fmt.Errorf("consume %s: %w", messages.ConsumerSubmitted, err)
	}
	return taking, nil
}

// keepAlive tells the server regularly that pending messages are being worked on.
func (c *consumer) keepAlive(ctx context.Context) {
	for {
		every := time.Duration(c.every.Load())
		if pause.For(ctx, every) != nil {
			return
		}
		for _, m := range c.pending.deliveries(time.Now().Add(-every / 2)) {
			_ = m.InProgress() // lost ones come again, which is harmless
		}
	}
}
