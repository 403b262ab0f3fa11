// The messages that the recorder has in hand: lines are gathered over many fetches, and then
// written.

package querylog

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Bounds of one fetch: messages, and how long the server holds an empty one. Messages that are
// fetched and not yet in hand are at most 200 times MaxLine.
const (
	fetchMessages = 200
	fetchWait     = 5 * time.Second
)

// mostHeld bounds the bytes of the messages in hand: a row may be as long as a line. Those of the
// batch that is being written may be as many.
const mostHeld = 16 << 20

// hand is what was fetched and is not written yet.
type hand struct {
	b     *gathered
	bytes int
	due   *time.Timer // when b must be written; stopped while it is empty
	first time.Time   // when its first message came
	begun time.Time   // when the batch before it began
}

func newHand() hand {
	due := time.NewTimer(time.Hour)
	due.Stop()
	return hand{b: &gathered{}, due: due}
}

// add adds a message.
func (h *hand) add(msg jetstream.Msg, o *Options) {
	now := time.Now()
	if len(h.b.msgs) == 0 {
		h.first = now
	}
	h.b.add(msg)
	h.bytes += len(msg.Data())
	h.due.Reset(o.due(h.begun, h.first, now).Sub(now))
}

// take empties the hand.
func (h *hand) take() *gathered {
	b := h.b
	h.due.Stop()
	*h = hand{b: &gathered{}, due: h.due, begun: h.begun}
	return b
}

// due is when lines are written of which the first and the last came at these times, after a batch
// that began at begun. They wait for others until Pace is over, because lines that come together
// cost half of single ones, and all lines are safe in the stream. After a quiet time and when a
// burst is over the wait is short, so that an operator soon finds a query.
func (o *Options) due(begun, first, last time.Time) time.Time {
	due := begun.Add(o.Pace)
	if over := last.Add(o.Quiet); over.Before(due) {
		due = over
	}
	if soon := first.Add(o.Linger); soon.After(due) {
		due = soon
	}
	return due
}

// fetch receives messages as they come and has due batches written until the fetch is over. The
// next messages arrive, and are decoded, while a batch is written, until they are a full one. A
// batch that is not due stays in hand.
func (r *Recorder) fetch(ctx context.Context, consumer jetstream.Consumer) error {
	within, cancel := context.WithTimeout(ctx, fetchWait)
	defer cancel()
	fetched, err := consumer.Fetch(fetchMessages, jetstream.FetchContext(within))
	if err != nil {
		return fmt.Errorf("fetch: %w", err)
	}
	for open := true; open; {
		due := r.hand.due.C
		if r.writing != nil {
			due = nil
		}
		select {
		case <-r.writing:
			r.writing = nil
		case msg, ok := <-fetched.Messages():
			if open = ok; !ok {
				break
			}
			if meta, err := msg.Metadata(); err == nil && leftToOthers(msg.Subject(), time.Since(meta.Timestamp)) {
				_ = msg.NakWithDelay(leftDelay)
				break
			}
			r.hand.add(msg, &r.o)
			if r.hand.b.batch.Rows() >= r.o.Rows || r.hand.bytes >= mostHeld {
				r.store(ctx)
			}
		case <-due:
			r.store(ctx)
		}
	}
	if err := fetched.Error(); err != nil && !errors.Is(err, context.DeadlineExceeded) &&
		!errors.Is(err, nats.ErrTimeout) {
		return fmt.Errorf("fetch: %w", err)
	}
	return nil
}

// store has what is in hand written and acknowledged, once the batch before it is. What cannot be
// written goes back to the stream.
func (r *Recorder) store(ctx context.Context) {
	r.written()
	b := r.hand.take()
	if len(b.msgs) == 0 {
		return
	}
	if r.stats.down.Load() { // noticed while this batch came in
		b.giveBack()
		return
	}
	r.hand.begun = time.Now()
	done := make(chan struct{})
	r.writing = done
	go func() {
		defer close(done)
		r.storeNow(ctx, b)
	}()
}

// written waits until no batch is being written.
func (r *Recorder) written() {
	if r.writing != nil {
		<-r.writing
		r.writing = nil
	}
}

func (r *Recorder) storeNow(ctx context.Context, b *gathered) {
	begun := time.Now()
	// A batch in hand at the end is still written.
	within, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.o.Write)
	defer cancel()
	rest, err := r.write(within, b)
	if r.o.Wrote != nil {
		r.o.Wrote(time.Since(begun), err)
	}
	if err != nil {
		r.stats.failures.Add(1)
		r.stats.failedAt.Store(time.Now().UnixMilli())
		r.stats.down.Store(true)
		r.database.begin(r.log, err)
		rest.giveBack()
	}
}
