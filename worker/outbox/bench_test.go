// What it costs a worker to publish what it owes, with sinks that cost nothing.

package outbox_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"protocolq/messages"
	"protocolq/worker/journal"
	"protocolq/worker/outbox"
	"protocolq/worker/querylog"
)

// free takes all at once.
type free struct{}

func (free) Go(_ *nats.Msg, _ time.Duration, done func(uint64, error)) error {
	done(1, nil)
	return nil
}

func (free) Send(_ context.Context, replies []*nats.Msg) []error { return make([]error, len(replies)) }

// BenchmarkDuties publishes what is owed because of a run and its asks, each with a reply to an
// inbox.
func BenchmarkDuties(b *testing.B) {
	for _, bb := range []struct {
		asks int
		read bool
	}{{1, false}, {10, false}, {10, true}} {
		b.Run(fmt.Sprintf("%d asks, read %t", bb.asks, bb.read), func(b *testing.B) {
			b.ReportAllocs()
			var box *outbox.Outbox
			room := make(chan struct{}, 1)
			done := func(refs []journal.Ref) {
				box.Told(refs...)
				select {
				case room <- struct{}{}:
				default:
				}
			}
			names := must(messages.NewNames(messages.DefaultPrefix))(b)
			box = must(outbox.New(outbox.Options{Names: names, Inboxes: free{}, Replies: free{}, Streams: free{}, Lines: querylog.Discard, Done: done}))(b)
			ctx, stop := context.WithCancel(b.Context())
			var run sync.WaitGroup
			run.Go(func() { _ = box.Run(ctx) })
			defer func() { stop(); run.Wait() }()
			duties := []outbox.Duty{runOf(b, 0)}
			for i := range bb.asks {
				d := askOf(b, i, fmt.Sprintf("_INBOX.a.%d", i), duties[0].Run.Answer)
				if bb.read {
					d.Ask.Read = &messages.Query{ID: "id", Partner: partner, UserEmail: "zhang.san@example.com"}
				}
				duties = append(duties, d)
			}
			n := 0
			for b.Loop() {
				for _, d := range duties {
					n++
					d.Entry = ref(n)
					for box.Waiting() > 1000 || !box.Add(d) {
						<-room
					}
				}
			}
			if err := box.Drain(ctx); err != nil {
				b.Fatal(err)
			}
		})
	}
}
