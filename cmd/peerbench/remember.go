// Remember: a log full of answers, to see the cost of many keys without asking for each.
package main

import (
	"context"
	"errors"
	"strings"
	"syscall"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const window = 4096 // publishes on their way into the stream

// remember fills protocolq's memory and returns the resident size of the largest worker two seconds
// later.
func (w *world) remember(ctx context.Context) (mb float64, err error) {
	if w.o.remembered == 0 {
		return 0, nil
	}
	if !strings.HasPrefix(w.o.contestant, mine) {
		return 0, errors.New("-remembered is for protocolq: of the others nobody knows what they remember")
	}
	stream, err := jetstream.New(w.nc, jetstream.WithPublishAsyncMaxPending(window))
	if err != nil {
		return 0, err
	}
	if err := fillJournal(ctx, stream, w.o.remembered); err != nil {
		return 0, err
	}
	time.Sleep(2 * time.Second) // the workers read what was stored
	syscall.Sync()              // everything written is on disk before the measurement
	return w.largest((*proc).rss), nil
}
