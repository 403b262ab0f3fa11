// What the front door cannot answer from memory is stored: one message for all that came together.

package worker

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"

	"protocolq/messages"
	"protocolq/worker/dedupe"
)

// storing is a request on its way into the stream.
type storing struct {
	request
	to       string // where the asker awaits; "" nowhere
	accepted bool   // tell him that it is stored: the answer goes elsewhere
	alone    bool   // it may be long until it is answered: nobody else's acknowledgement waits for it
	q        messages.Query
	ask      *dedupe.Ask[messages.Query]
	encoding messages.Encoding
	by       string // the subject it came by
}

// posting is a message with one request or more on its way.
type posting struct {
	msg  *nats.Msg
	asks []*storing
	err  error // why it was not acknowledged
}

const (
	storePatience = 15 * time.Second // how long a request is tried to be stored
	mostLate      = 1024             // messages tried again at once
)

// store queues the request; run publishes it and sees to its acknowledgement.
func (d *frontDoor) store(in *inbound, q messages.Query, ask *dedupe.Ask[messages.Query], encoding messages.Encoding) {
	w := d.w
	s := &storing{to: in.natsReply, accepted: q.ReplyTo != "" && in.natsReply != "", q: q, ask: ask, encoding: encoding, by: in.subject,
		request: request{token: nuid.Next(), replyTo: firstOf(q.ReplyTo, in.natsReply), trace: in.trace(), data: in.data}}
	if in.subject != w.o.Names.Query() {
		s.subject = in.subject
	}
	if !in.named {
		s.id = q.ID
	}
	if !in.partnered {
		s.partner = q.Partner
	}
	s.alone = q.ReplyTo != "" || s.to == "" || len(in.data) > mostAmongOthers || ask.Until.Sub(ask.Stored) > w.o.AskPatience
	if len(d.storing) == cap(d.storing) || w.taken.full() {
		d.overloaded(s)
		return
	}
	d.storing <- s
}

// window is how many messages are on their way into the stream at once. The server stores all that it
// has got before it acknowledges or delivers any of it (one fsync each), so more would make everybody wait.
const window = 256

// linger is how long an ask waits for others at most, should an acknowledgement not come.
const linger = 20 * time.Millisecond

// run publishes requests and sees to their acknowledgements. What comes in while a message is on its way goes
// into the next one: the more is asked, the less each ask costs; and one that comes alone is sent at once.
func (d *frontDoor) run(ctx context.Context) {
	defer close(d.drained)
	defer d.retrying.Wait()
	var together []*storing
	size, out := 0, 0 // bytes of together; messages on their way
	post := func(asks ...*storing) {
		if d.publish(ctx, asks) {
			out++
		}
	}
	waited := time.NewTimer(linger)
	defer waited.Stop()
	for quit := d.quit; quit != nil || out > 0 || len(d.storing)+len(together) > 0; {
		next := d.storing
		if out >= window || len(together) == mostTogether || size > mostTogetherB {
			next = nil
		}
		over := false
		select {
		case s := <-next:
			if s.alone {
				post(s)
				break
			}
			if together = append(together, s); len(together) == 1 {
				waited.Reset(linger)
			}
			size += len(s.data)
		case p := <-d.settled:
			out--
			d.ended(ctx, p)
		case <-waited.C:
			over = true
		case <-quit:
			quit = nil
		case <-ctx.Done():
			return
		}
		full := len(together) == mostTogether || size > mostTogetherB
		if len(together) > 0 && out < window && (full || over || out == 0 && len(d.storing) == 0) {
			post(together...)
			together, size = nil, 0
		}
	}
}

// publish sends requests into the stream, except those whose answer has become known while they waited for their
// turn. It reports whether an acknowledgement is to come.
func (d *frontDoor) publish(ctx context.Context, asks []*storing) bool {
	p := &posting{asks: make([]*storing, 0, len(asks))}
	for _, s := range asks {
		if !d.remembered(&s.q, s.ask, s.to, s.by, s.encoding, s.trace) {
			p.asks = append(p.asks, s)
		}
	}
	switch names := &d.w.o.Names; len(p.asks) {
	case 0:
		return false
	case 1:
		s := p.asks[0]
		p.msg = &nats.Msg{Subject: names.Request(s.q.KeyToken()), Data: s.data, Header: s.headers()}
	default: // under the first one's token: each ask has its own
		p.msg = &nats.Msg{Subject: names.Requests(), Data: encodeBatch(p.asks), Header: nats.Header{messages.HeaderMsgID: {p.asks[0].token}}}
	}
	d.posted.add(p.asks)
	err := d.w.to.Go(p.msg, publishTimeout, func(_ uint64, err error) {
		p.err = err
		d.settled <- p
	})
	if err != nil {
		d.again(ctx, p, err)
	}
	return err == nil
}

// ended sees to a message that is acknowledged or is not.
func (d *frontDoor) ended(ctx context.Context, p *posting) {
	if p.err != nil {
		d.again(ctx, p, p.err)
		return
	}
	d.stored(p)
}

func (d *frontDoor) stored(p *posting) {
	for _, s := range p.asks {
		if s.accepted {
			d.w.tell(s.to, &s.q, s.encoding, messages.Result{Outcome: messages.Accepted})
		}
	}
}

// again stores a message whose acknowledgement failed or did not come, with the
// same Msg-Id, so that it is stored once.
func (d *frontDoor) again(ctx context.Context, p *posting, cause error) {
	if full(cause) {
		d.overloaded(p.asks...)
		return
	}
	if d.late.Add(1) > mostLate {
		d.late.Add(-1)
		d.overloaded(p.asks...)
		return
	}
	d.retrying.Go(func() {
		defer d.late.Add(-1)
		ctx, cancel := context.WithTimeout(ctx, storePatience)
		defer cancel()
		for ctx.Err() == nil {
			err := d.w.publishOnce(ctx, p.msg)
			if err == nil {
				d.stored(p)
				return
			}
			if cause = err; full(err) {
				break
			}
			select {
			case <-ctx.Done():
			case <-time.After(time.Duration(100+rand.IntN(200)) * time.Millisecond):
			}
		}
		d.w.log.Warn("queries not stored", "asks", len(p.asks), "err", cause)
		d.overloaded(p.asks...)
	})
}

func full(err error) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) && api.ErrorCode == 10077
}

// overloaded tells askers that their queries were not taken; nothing of them is kept.
func (d *frontDoor) overloaded(asks ...*storing) {
	for _, s := range asks {
		d.w.metrics.Overloaded.Add(1)
		d.w.tell(s.to, &s.q, s.encoding, messages.Result{Outcome: messages.Unknown, Code: messages.Overloaded,
			Retryable: true, RetryAfterMs: retryAfter.Milliseconds()})
	}
}

// posted are asks that this worker has stored and may be given itself: what it has read once it need not read again.
type posted struct {
	mu   sync.Mutex // guards asks
	asks map[string]*storing
}

const mostPosted = 2048

func (p *posted) add(asks []*storing) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.asks == nil || len(p.asks)+len(asks) > mostPosted { // those that went to others
		p.asks = make(map[string]*storing, mostPosted/4)
	}
	for _, s := range asks {
		p.asks[s.token] = s
	}
}

// take gives the ask with this token, once; nil when it is not known here.
func (p *posted) take(token string) *storing {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.asks[token]
	delete(p.asks, token)
	return s
}
