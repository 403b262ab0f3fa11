// Replies: out on the connection that may do nothing else, and only then acknowledged.

package worker

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"

	"protocolq/messages"
)

// job is one reply on its way, with what happens after it.
type job struct {
	to       string // "" when nobody is told
	r        messages.Result
	encoding messages.Encoding
	trace    string
	token    string        // identity of a durable reply
	msg      jetstream.Msg // acknowledged afterwards; nil: nothing is
	a        *arrival      // leaves the house afterwards; may be nil
	event    bool          // tell the run's event again: who stored the answer may have died before he did
	letter   *letter       // a dead letter that goes with it
	wait     time.Duration // not answered: tried again after this
	sent     *nats.Msg     // as it was published
	ack      jetstream.PubAckFuture
}

// replier sends what the flights have answered. Its queue is bounded by the
// house: every job belongs to an ask that is taken in, or to a message that the
// consumer waits for.
type replier struct {
	w       *Worker
	js      jetstream.JetStream // on the reply connection
	wake    chan struct{}
	durable chan *job // published, their acknowledgements outstanding
	chores  chan *job // with something to be published before them
	left    sync.WaitGroup

	mu    sync.Mutex // guards queue
	queue []*job
}

func newReplier(w *Worker, js jetstream.JetStream) *replier {
	return &replier{w: w, js: js, wake: make(chan struct{}, 1), durable: make(chan *job, w.o.Storing), chores: make(chan *job, w.o.Storing)}
}

// add queues a job; it does not block.
func (p *replier) add(j *job) {
	p.left.Add(1)
	if !j.event && j.letter == nil {
		p.enqueue(j)
		return
	}
	select {
	case p.chores <- j:
	default: // dead letters cannot be written at present: later
		p.retryLater(j, errors.New("too many dead letters at once"))
	}
}

func (p *replier) enqueue(j *job) {
	p.mu.Lock()
	p.queue = append(p.queue, j)
	p.mu.Unlock()
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// run sends job after job, in batches: one round trip to the server tells for
// all of a batch that they are out, and only then they are acknowledged.
func (p *replier) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.wake:
		}
		p.mu.Lock()
		batch := p.queue
		p.queue = nil
		p.mu.Unlock()
		p.sendBatch(ctx, batch)
	}
}

func (p *replier) sendBatch(ctx context.Context, batch []*job) {
	sent := make([]*job, 0, len(batch))
	for _, j := range batch {
		if j.wait > 0 {
			p.postpone(j)
			continue
		}
		switch {
		case j.to == "":
			sent = append(sent, j)
		case p.isDurable(j.to):
			p.publishDurable(ctx, j)
		default:
			p.sendCore(j, &sent)
		}
	}
	for len(sent) > 0 && ctx.Err() == nil {
		if err := p.flush(ctx); err == nil {
			break
		}
		for _, j := range sent { // what was in the socket may be lost: a second reply harms nobody
			if j.sent != nil {
				_ = p.publish(j.sent)
			}
		}
	}
	for _, j := range sent {
		p.done(j, ctx.Err() == nil)
	}
}

// runChores does what must be done before a reply: the event of a run whose
// owner may have died, the dead letter. It has a goroutine of its own, so that a
// stream in trouble holds up nobody else's reply.
func (p *replier) runChores(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case j := <-p.chores:
			if j.event {
				p.w.event(ctx, &j.a.q, &j.r)
			}
			if j.letter != nil {
				p.w.bury(ctx, j.letter)
			}
			p.enqueue(j)
		}
	}
}

// message encodes the reply.
func (p *replier) message(j *job) (*nats.Msg, error) {
	body, err := j.r.Encode(j.encoding)
	if err != nil {
		return nil, err
	}
	return &nats.Msg{Subject: j.to, Data: body, Header: headersFor(&j.r, j.encoding, j.trace)}, nil
}

// sendCore publishes a reply. One that cannot be written never can, and is done
// with; when the connection is closed for good another worker must answer.
func (p *replier) sendCore(j *job, sent *[]*job) {
	m, err := p.message(j)
	if err != nil {
		p.w.log.Error("reply not encoded", "err", err)
		p.done(j, true)
		return
	}
	if err := p.publish(m); err != nil {
		p.retryLater(j, err)
		return
	}
	j.sent = m
	*sent = append(*sent, j)
}

// publish sends a core reply. That the connection is away for a while is told by flush.
func (p *replier) publish(m *nats.Msg) error {
	err := p.w.o.Reply.PublishMsg(m)
	if errors.Is(err, nats.ErrReconnectBufExceeded) || errors.Is(err, nats.ErrConnectionReconnecting) {
		return nil
	}
	return err
}

// flush waits until the server has all that was published; it pauses after an error.
func (p *replier) flush(ctx context.Context) error {
	within, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	err := p.w.o.Reply.FlushWithContext(within)
	if err != nil {
		select {
		case <-ctx.Done():
		case <-time.After(200 * time.Millisecond):
		}
	}
	return err
}

// done acknowledges the ask (or, when it was not told, gives it back) and lets it go.
func (p *replier) done(j *job, told bool) {
	if j.a != nil {
		p.w.taken.leave(j.a)
	}
	if j.msg != nil {
		var err error
		if told {
			err = j.msg.Ack()
		} else {
			err = j.msg.Nak()
		}
		if err != nil {
			p.w.log.Debug("acknowledge", "err", err) // delivered again, answered again
		}
	}
	p.left.Done()
}

// isDurable tells a reply that goes into the stream of replies.
func (p *replier) isDurable(subject string) bool {
	return strings.HasPrefix(subject, p.w.o.Names.Reply())
}

// publishDurable publishes a reply into the stream; runDurable sees to its acknowledgement.
func (p *replier) publishDurable(ctx context.Context, j *job) {
	m, err := p.message(j)
	if err == nil {
		m.Header[messages.HeaderMsgID] = []string{j.token}
		j.ack, err = p.js.PublishMsgAsync(m)
	}
	if err != nil {
		p.refused(ctx, j, err)
		return
	}
	p.durable <- j
}

// postpone lets an ask wait: one that waits already is handed back to the server
// until then, any other is written into the stream of waiting queries first.
func (p *replier) postpone(j *job) {
	if j.a.waiting {
		p.w.taken.leave(j.a)
		if err := j.msg.NakWithDelay(j.wait); err != nil {
			p.w.log.Debug("hand back", "err", err)
		}
		p.left.Done()
		return
	}
	var err error
	if j.ack, err = p.w.js.PublishMsgAsync(p.w.waitingMessage(j)); err != nil {
		p.retryLater(j, err)
		return
	}
	p.durable <- j
}

// runDurable acknowledges asks whose durable reply, or whose place among the
// waiting, is stored.
func (p *replier) runDurable(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case j := <-p.durable:
			select {
			case <-j.ack.Ok():
				p.done(j, true)
			case err := <-j.ack.Err():
				p.refused(ctx, j, err)
			case <-ctx.Done():
				p.done(j, false)
				return
			}
		}
	}
}

// refused deals with a message that was not stored: a reply without room becomes
// a dead letter; otherwise the ask comes again and is answered from memory.
func (p *replier) refused(ctx context.Context, j *job, err error) {
	if full(err) && j.wait == 0 {
		p.w.log.Error("stream of replies is full", "hint", "its readers are behind, or it needs more room")
		l := &letter{reason: messages.DeadReplyFull, why: "the stream of replies is full", token: j.token}
		if j.a != nil {
			l = p.w.letterOf(j.a, messages.DeadReplyFull, j.r)
			l.why = "the stream of replies is full"
		}
		if p.w.bury(ctx, l) {
			p.done(j, true)
			return
		}
	}
	p.retryLater(j, err)
}

// retryLater hands an ask back to the server for a moment.
func (p *replier) retryLater(j *job, err error) {
	p.w.log.Warn("not stored: tried again", "waiting", j.wait > 0, "err", err)
	if j.a != nil {
		p.w.taken.leave(j.a)
	}
	if j.msg != nil {
		_ = j.msg.NakWithDelay(jittered(time.Second))
	}
	p.left.Done()
}

// drain waits until every reply is out, and every acknowledgement with it.
func (p *replier) drain(ctx context.Context) {
	out := make(chan struct{})
	go func() { p.left.Wait(); close(out) }()
	select {
	case <-out:
	case <-ctx.Done():
		p.w.log.Warn("replies left unsent: their asks are delivered again", "err", ctx.Err())
	}
	flushing, cancel := context.WithTimeout(context.WithoutCancel(ctx), publishTimeout)
	defer cancel()
	if err := p.w.o.NATS.FlushWithContext(flushing); err != nil {
		p.w.log.Warn("acknowledgements not flushed", "err", err)
	}
}

// send replies to a message that is in no stream.
func (w *Worker) send(to string, r messages.Result, encoding messages.Encoding, trace string) {
	j := &job{to: to, r: r, encoding: encoding, trace: trace}
	if w.replier.isDurable(to) {
		j.token = nuid.Next() // never the asker's id: asked again, it must be told again
		w.replier.add(j)
		return
	}
	m, err := w.replier.message(j)
	if err == nil {
		err = w.o.Reply.PublishMsg(m)
	}
	if err != nil {
		w.log.Warn("reply not sent", "err", err) // the asker asks again
	}
}

// tell sends r as the answer to q, if there is anywhere to send it.
func (w *Worker) tell(to string, q *messages.Query, encoding messages.Encoding, r messages.Result) {
	if to == "" {
		return
	}
	r = addressed(r, q)
	w.metrics.reply(&r)
	w.send(to, r, encoding, "")
}
