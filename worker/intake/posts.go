// Posts: what the query door has to store in a stream, tried until it is there.

package intake

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"protocolq/worker/pause"
	"protocolq/worker/publish"
)

// posts is a bounded queue in front of a stream. A message without room is lost and counted: there
// is no other copy of a message from the query door.
type posts struct {
	to    Stream
	what  string // for the log
	queue chan post
	sent  *atomic.Uint64 // counts stored messages; may be nil
	lost  atomic.Uint64
	log   *slog.Logger
	said  lostLog
}

// post makes its message, shorter each time it was refused for its size; nil if there is no shorter
// one.
type post func(cut int) *nats.Msg

const mostPosts = 1024

func newPosts(to Stream, what string, sent *atomic.Uint64, log *slog.Logger) *posts {
	return &posts{to: to, what: what, queue: make(chan post, mostPosts), sent: sent, log: log, said: lostLog{log: log}}
}

// add does not block.
func (p *posts) add(x post) {
	select {
	case p.queue <- x:
	default:
		p.lose("too many wait", x(0), nil)
	}
}

func (p *posts) lose(why string, m *nats.Msg, err error) {
	p.lost.Add(1)
	p.said.write(p.what, why, m, err)
}

// run publishes one after the other until ctx ends.
func (p *posts) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			p.lost.Add(uint64(len(p.queue)))
			return
		case x := <-p.queue:
			p.publish(ctx, x)
		}
	}
}

// The waits after a try of a post.
const (
	firstWait = 100 * time.Millisecond // doubles
	lastWait  = 5 * time.Second
)

// publish tries until the message is stored, is refused permanently in its shortest form, or ctx
// ends.
func (p *posts) publish(ctx context.Context, x post) {
	cut, wait := 0, firstWait
	var last *nats.Msg
	for {
		m := x(cut)
		if m == nil {
			p.lose("refused for good", last, nil)
			return
		}
		last = m
		switch err := store(ctx, p.to, m); {
		case err == nil:
			if p.sent != nil {
				p.sent.Add(1)
			}
			return
		case ctx.Err() != nil:
			p.lose("ended", m, err)
			return
		case publish.Permanent(err):
			cut++
			continue
		default:
			p.log.Warn("not stored: tried again", "what", p.what, "retry_in", wait.String(), "err", err)
		}
		if pause.For(ctx, wait) != nil {
			p.lose("ended", m, ctx.Err())
			return
		}
		wait = min(2*wait, lastWait)
	}
}

// store publishes into a stream and waits for the acknowledgement.
func store(ctx context.Context, to Stream, m *nats.Msg) error {
	acked := make(chan error, 1)
	if err := to.Go(m, ackWait, func(_ uint64, err error) { acked <- err }); err != nil {
		return err
	}
	select {
	case err := <-acked:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}
