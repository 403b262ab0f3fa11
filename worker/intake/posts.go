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
	to      Stream
	what    string // for the log
	queue   chan post
	held    []heldPost     // in the order of their next tries; only for run
	waiting atomic.Int64   // in the queue, held, or being published
	without atomic.Int64   // of these, held
	dealt   chan struct{}  // has room for one; signalled when one was stored, lost or held
	sent    *atomic.Uint64 // counts stored messages; may be nil
	lost    atomic.Uint64
	log     *slog.Logger
	said    lostLog
	trouble alarms
}

// heldPost is a post for which the stream had no room, and its next try. The room of a subject may
// be bounded, so the posts behind it go on meanwhile: one asker that does not read its durable
// replies must not hold up those of the others.
type heldPost struct {
	post post
	next time.Time
}

// post makes its message, shorter each time it was refused for its size; nil if there is no shorter
// one.
type post func(cut int) *nats.Msg

// The bounds of what waits. Held posts leave room for others.
const (
	mostPosts = 1024
	mostHeld  = mostPosts * 7 / 8
)

func newPosts(to Stream, what string, sent *atomic.Uint64, log *slog.Logger) *posts {
	return &posts{to: to, what: what, queue: make(chan post, mostPosts), dealt: make(chan struct{}, 1), sent: sent,
		log: log, said: lostLog{log: log}}
}

// add does not block.
func (p *posts) add(x post) {
	if p.waiting.Add(1) > mostPosts {
		p.waiting.Add(-1)
		p.lose("too many wait", x(0), nil)
		return
	}
	p.queue <- x // has room for all that may wait
}

func (p *posts) lose(why string, m *nats.Msg, err error) {
	p.lost.Add(1)
	p.said.write(p.what, why, m, err)
}

// run publishes one after the other until ctx ends. If new posts come as fast as they are
// published, every other one is a held one.
func (p *posts) run(ctx context.Context) {
	for {
		var due <-chan time.Time
		if len(p.held) > 0 {
			due = time.After(time.Until(p.held[0].next))
		}
		var x post
		select {
		case <-ctx.Done():
			p.leave(ctx.Err())
			return
		case x = <-p.queue:
		case <-due:
			x, p.held = p.held[0].post, p.held[1:]
			p.without.Add(-1)
		}
		if p.publish(ctx, x) {
			p.waiting.Add(-1)
		} else {
			p.without.Add(1)
		}
		signal(p.dealt)
	}
}

// leave loses all that waits.
func (p *posts) leave(err error) {
	for _, h := range p.held {
		p.lose("ended", h.post(0), err)
	}
	for {
		select {
		case x := <-p.queue:
			p.lose("ended", x(0), err)
		default:
			return
		}
	}
}

// drain waits until nothing waits but what the stream has no room for, or ctx ends.
func (p *posts) drain(ctx context.Context) {
	for p.waiting.Load() > p.without.Load() {
		select {
		case <-p.dealt:
		case <-ctx.Done():
			return
		}
	}
}

// The waits after a try of a post.
const (
	firstWait = 100 * time.Millisecond // doubles
	lastWait  = 5 * time.Second
	heldFor   = 5 * time.Second // after the stream had no room
)

// publish tries until the message is stored, is refused permanently in its shortest form, or ctx
// ends. false: the stream has no room for it, and it is held.
func (p *posts) publish(ctx context.Context, x post) (done bool) {
	cut, wait := 0, firstWait
	var last *nats.Msg
	for {
		m := x(cut)
		if m == nil {
			p.lose("refused for good", last, nil)
			return true
		}
		last = m
		switch err := store(ctx, p.to, m); {
		case err == nil:
			if p.sent != nil {
				p.sent.Add(1)
			}
			return true
		case ctx.Err() != nil:
			p.lose("ended", m, err)
			return true
		case publish.Permanent(err):
			cut++
			continue
		case publish.Full(err) && len(p.held) >= mostHeld:
			p.lose("no room in the stream", m, err)
			return true
		case publish.Full(err):
			p.again(heldFor, err)
			p.held = append(p.held, heldPost{x, time.Now().Add(heldFor)})
			return false
		default:
			p.again(wait, err)
		}
		if pause.For(ctx, wait) != nil {
			p.lose("ended", m, ctx.Err())
			return true
		}
		wait = min(2*wait, lastWait)
	}
}

// again logs now and then that posts are not stored.
func (p *posts) again(wait time.Duration, err error) {
	if n, due := p.trouble.again("", time.Now()); due {
		p.log.Warn("not stored: tried again", "what", p.what, "times", n, "retry_in", wait.String(), "err", err)
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
