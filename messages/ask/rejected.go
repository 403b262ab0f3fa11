// Rejected messages: reading ends for them although the function has not finished them. They go to
// the caller, and nobody else keeps them.

package ask

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Rejected is a message that cannot be decoded, or that the function never finished.
type Rejected struct {
	Subject    string
	Header     nats.Header
	Data       []byte
	Sequence   uint64    // in its stream
	Stored     time.Time // since when it waits to be read
	Deliveries int
	// Err wraps [ErrMalformed] if the message cannot be decoded; a later version of this package may
	// be able to. Otherwise it is the function's last error.
	Err error
}

// usualTries is the default of ReadOptions.Tries: after nine tries the wait is a minute.
const usualTries = 25

// reject passes a message to the caller's Rejected and terminates it. false: the message stays.
func (r *reading[T]) reject(ctx context.Context, msg jetstream.Msg, meta *jetstream.MsgMetadata, cause error,
	ackWait time.Duration, log *slog.Logger) bool {
	if r.rejected == nil {
		log.Error("message not understood or never done with: it stays, as there is no ReadOptions.Rejected")
		return false
	}
	err := r.call(ctx, msg, ackWait/3, func(ctx context.Context) error {
		return r.rejected(ctx, Rejected{Subject: msg.Subject(), Header: msg.Headers(), Data: msg.Data(),
			Sequence: meta.Sequence.Stream, Stored: meta.Timestamp, Deliveries: int(meta.NumDelivered), Err: cause})
	})
	if err != nil {
		log.Error("message not rejected: it stays", "rejected", err)
		return false
	}
	log.Error("message rejected")
	if err := msg.TermWithReason("rejected by its reader"); err != nil {
		log.Debug("terminate", "terminated", err) // it comes again, and is known
	}
	return true
}

// room logs when a consumer delivers nothing new, because it has too many unacknowledged messages.
type room struct {
	mu     sync.Mutex // guards looked
	looked time.Time
}

const lookEvery = time.Minute

func (r *room) look(ctx context.Context, consumer jetstream.Consumer, log *slog.Logger) {
	r.mu.Lock()
	due := time.Since(r.looked) >= lookEvery
	if due {
		r.looked = time.Now()
	}
	r.mu.Unlock()
	if !due {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, lookFor)
	defer cancel()
	i, err := consumer.Info(ctx)
	if most := consumer.CachedInfo().Config.MaxAckPending; err == nil && most > 0 && i.NumAckPending >= most {
		log.Error("consumer is full: nothing new comes until some of what it gave out is done with or rejected",
			"stream", i.Stream, "consumer", i.Name, "given_out", i.NumAckPending, "waiting", i.NumPending)
	}
}
