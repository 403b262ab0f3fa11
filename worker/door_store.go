// What the front door cannot answer from memory is stored: one message for all that came together.

package worker

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nuid"

	"protocolq/messages"
	"protocolq/worker/dedupe"
	"protocolq/worker/publish"
)

// storing is a request on its way into the stream.
type storing struct {
	messages.Envelope        // what the message does not say itself, and the message: see batched
	to                string // where the asker awaits; "" nowhere
	accepted          bool   // tell him that it is stored: the answer goes elsewhere
	alone             bool   // it may be long until it is answered: nobody else's acknowledgement waits for it
	q                 messages.Query
	ask               *dedupe.Ask[messages.Query]
	encoding          messages.Encoding
	by                string // the subject it came by
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

// storing is the ask as it is stored, should it not be answered from memory.
func (d *frontDoor) storing(in *inbound, q messages.Query, encoding messages.Encoding) *storing {
	w := d.w
	token := nuid.Next()
	s := &storing{to: in.natsReply, accepted: q.ReplyTo != "" && in.natsReply != "", q: q, ask: w.ask(token, q, w.clock.Now(), messages.DoorQuery), encoding: encoding, by: in.subject,
		Envelope: messages.Envelope{Token: token, ReplyTo: firstOf(q.ReplyTo, in.natsReply), Trace: in.trace(), Body: in.env.Body}}
	if in.subject != w.o.Names.Query() {
		s.Subject = in.subject
	}
	if !in.named {
		s.ID = q.ID
	}
	if !in.partnered {
		s.Partner = q.Partner
	}
	s.alone = !d.together || q.ReplyTo != "" || s.to == "" || w.replier.isDurable(s.to) || len(in.env.Body) > mostAmongOthers || s.ask.Until.Sub(s.ask.Stored) > w.o.AskPatience
	return s
}

// store queues the request; run publishes it and sees to its acknowledgement.
func (d *frontDoor) store(s *storing) {
	if len(d.coming) == cap(d.coming) || d.w.taken.full() {
		d.overloaded(s)
		return
	}
	d.coming <- s
}

// window is how many messages are on their way into the stream at once. The server stores all that
// it has got before it acknowledges or delivers any of it (one fsync each), so more would make
// everybody wait.
const window = 256

// mostLinger is how long an ask waits for others at most, should an acknowledgement not come.
const mostLinger = 20 * time.Millisecond

// run publishes requests and sees to their acknowledgements. What comes in while a message is on
// its way goes into the next one: the more is asked, the less each ask costs; and one that comes
// alone is sent at once.
func (d *frontDoor) run(ctx context.Context) {
	defer close(d.drained)
	defer d.retrying.Wait()
	var together []*storing
	size, out := 0, 0 // bytes of together; messages on their way
	late, linger := false, time.NewTimer(mostLinger)
	defer linger.Stop()
	for quit := d.quit; quit != nil || out > 0 || len(d.coming)+len(together) > 0; {
		next := d.coming
		if out >= window || len(together) == mostTogether || size > mostTogetherB {
			next = nil
		}
		select {
		case s := <-next:
			if s.alone {
				out += d.publish(ctx, s)
				break
			}
			if together = append(together, s); len(together) == 1 {
				late = false
				linger.Reset(mostLinger)
			}
			size += len(s.Body)
		case p := <-d.settled:
			out--
			d.ended(ctx, p)
		case <-linger.C:
			late = true
		case <-quit:
			quit = nil
		case <-ctx.Done():
			return
		}
		full := len(together) == mostTogether || size > mostTogetherB
		if len(together) > 0 && out < window && (full || late || out == 0 && len(d.coming) == 0) {
			out += d.publish(ctx, together...)
			together, size = nil, 0
		}
	}
}

// publish sends requests into the stream, those of a partner in one message, except those whose
// answer has become known while they waited for their turn. It gives the number of acknowledgements
// to come.
func (d *frontDoor) publish(ctx context.Context, asks ...*storing) (out int) {
	var partners []string // few, as a rule one: a slow one holds up no other's messages
	byPartner := map[string][]*storing{}
	for _, s := range asks {
		if d.remembered(s) {
			continue
		}
		p := s.q.Partner
		if byPartner[p] == nil {
			partners = append(partners, p)
		}
		byPartner[p] = append(byPartner[p], s)
	}
	for _, partner := range partners {
		p := d.posting(byPartner[partner])
		err := d.w.to.Go(p.msg, publishTimeout, func(_ uint64, err error) {
			p.err = err
			d.settled <- p
		})
		if err != nil {
			d.again(ctx, p, err)
			continue
		}
		out++
	}
	return out
}

// posting is the message for one ask or more of one partner.
func (d *frontDoor) posting(asks []*storing) *posting {
	names := &d.w.o.Names
	if len(asks) == 1 {
		s := asks[0]
		d.posted.add(s)
		stored := s.Envelope
		stored.MsgID = s.Token
		return &posting{asks: asks, msg: &nats.Msg{Subject: names.Request(s.q.KeyToken()), Data: s.Body, Header: stored.Header()}}
	}
	d.posted.add(asks...)
	// Under the first one's token: each ask has its own.
	return &posting{asks: asks, msg: &nats.Msg{Subject: names.Requests(), Data: encodeBatch(asks), Header: nats.Header{messages.HeaderMsgID: {asks[0].Token}}}}
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
	if publish.Full(cause) {
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
			if cause = err; publish.Full(err) {
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

// overloaded tells askers that their queries were not taken; nothing of them is kept.
func (d *frontDoor) overloaded(asks ...*storing) {
	for _, s := range asks {
		d.w.metrics.Overloaded.Add(1)
		d.w.tell(s.to, &s.q, s.encoding, messages.Result{Outcome: messages.Unknown, Code: messages.Overloaded,
			Retryable: true, RetryAfterMs: retryAfter.Milliseconds()})
	}
}

// posted are asks that this worker has stored and may be given itself: what it has read once it
// need not read again.
type posted struct {
	mu   sync.Mutex // guards asks
	asks map[string]readAsk
}

// readAsk is what was read of an ask.
type readAsk struct {
	q        messages.Query
	encoding messages.Encoding
}

const mostPosted = 1024 // of at most mostAmongOthers bytes

func (p *posted) add(asks ...*storing) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.asks == nil || len(p.asks)+len(asks) > mostPosted { // those that went to others
		p.asks = map[string]readAsk{}
	}
	for _, s := range asks {
		if len(s.Body) <= mostAmongOthers {
			p.asks[s.Token] = readAsk{s.q, s.encoding}
		}
	}
}

// take gives what was read of the ask with this token, once.
func (p *posted) take(token string) (readAsk, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	a, known := p.asks[token]
	delete(p.asks, token)
	return a, known
}
