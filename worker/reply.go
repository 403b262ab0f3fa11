// Replies: out on the connection that may do nothing else, and only then acknowledged.

package worker

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nuid"

	"protocolq/messages"
	"protocolq/worker/dedupe"
	"protocolq/worker/failpoint"
	"protocolq/worker/publish"
)

// job is one reply on its way, with what happens after it.
type job struct {
	to       string // "" when nobody is told
	r        messages.Result
	encoding messages.Encoding
	trace    string
	token    string   // identity of a durable reply
	msg      delivery // acknowledged afterwards; nil: nothing is
	a        *arrival // leaves the house afterwards; may be nil
	event    bool     // tell the run's event again: who stored the answer may have died before he did
	record   *dedupe.Record
	letter   *letter       // a dead letter that goes with it
	wait     time.Duration // not answered: tried again after this
	sent     *nats.Msg     // as it was published
	missed   int           // how often nobody listened where it was sent
	refusal  error         // why it is not in its stream
}

// replier sends what the flights have answered. Its queue is bounded by the
// house: every job belongs to an ask that is taken in, or to a message that the
// consumer waits for.
type replier struct {
	w       *Worker
	to      *publish.Publisher // into streams, on the reply connection
	wake    chan struct{}
	settle  chan struct{} // signalled when settled has more
	chores  chan *job     // with something to be published before them
	left    sync.WaitGroup
	unheard chan *nats.Msg // what the server says of replies that nobody listened to
	inbox   string         // where it says so: inbox.<place in the batch>
	closing atomic.Bool    // nothing is sent again any more

	mu      sync.Mutex // guards what follows
	queue   []*job
	settled []*job // what was published into a stream is there, or not: see job.refusal
}

// mostBatch bounds what is sent in one round trip, and with it unheard.
const mostBatch = 4096

func newReplier(w *Worker) *replier {
	return &replier{w: w, to: publish.New(w.o.Reply), wake: make(chan struct{}, 1), settle: make(chan struct{}, 1), chores: make(chan *job, w.o.Storing),
		unheard: make(chan *nats.Msg, mostBatch), inbox: w.o.Reply.NewInbox()}
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
	sub, err := p.w.o.Reply.ChanSubscribe(p.inbox+".*", p.unheard)
	if err != nil {
		p.w.log.Error("replies that nobody hears will not be noticed", "err", err)
	} else {
		defer func() { _ = sub.Unsubscribe() }()
	}
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
		for b := range slices.Chunk(batch, mostBatch) {
			p.sendBatch(ctx, b)
		}
	}
}

func (p *replier) sendBatch(ctx context.Context, batch []*job) {
	sent := make([]*job, 0, len(batch))
	before := p.w.o.Reply.Stats().Reconnects
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
		err := p.flush(ctx)
		now := p.w.o.Reply.Stats().Reconnects
		if err == nil && now == before {
			break
		}
		// What was published before the connection came back is lost, though the flush went
		// through: a second reply harms nobody.
		before = now
		for _, j := range sent {
			if j.sent != nil {
				_ = p.publish(j.sent)
			}
		}
	}
	unheard := p.notHeard()
	told := sent[:0:0]
	for i, j := range sent {
		if unheard[strconv.Itoa(i)] && j.msg != nil && j.missed < mostMissed {
			p.sendAgain(j)
			continue
		}
		told = append(told, j)
	}
	failpoint.Hit("after-reply")
	p.log(ctx, told)
}

// notHeard collects which replies of the batch reached nobody, by their place in
// it. The server says so before it answers the flush.
func (p *replier) notHeard() map[string]bool {
	var places map[string]bool
	for {
		select {
		case m := <-p.unheard:
			if place, ok := strings.CutPrefix(m.Subject, p.inbox+"."); ok && len(m.Data) == 0 {
				if places == nil {
					places = map[string]bool{}
				}
				places[place] = true
			}
		default:
			return places
		}
	}
}

// sendAgain sends a stored ask's reply again after a while: after a server's
// restart the worker may be back before the asker listens again. An asker who is
// not there after some seconds has left.
func (p *replier) sendAgain(j *job) {
	if p.closing.Load() {
		p.done(j, false) // another worker does
		return
	}
	j.missed++
	time.AfterFunc(missedWait<<j.missed, func() { p.enqueue(j) })
}

// A reply that nobody hears is sent again after 200 ms, 400 ms, … 3.2 s.
const (
	missedWait = 100 * time.Millisecond
	mostMissed = 5
)

// message encodes a reply.
func (p *replier) message(to string, r *messages.Result, encoding messages.Encoding, trace string) (*nats.Msg, error) {
	body, err := r.Encode(encoding)
	if err != nil {
		return nil, err
	}
	return &nats.Msg{Subject: to, Data: body, Header: headersFor(r, encoding, trace, p.isDurable(to))}, nil
}

// sendCore publishes a reply. One that cannot be written never can, and is done
// with; when the connection is closed for good another worker must answer.
func (p *replier) sendCore(j *job, sent *[]*job) {
	m, err := p.message(j.to, &j.r, j.encoding, j.trace)
	if err != nil {
		p.w.log.Error("reply not encoded", "err", err)
		p.done(j, true)
		return
	}
	m.Reply = p.inbox + "." + strconv.Itoa(len(*sent))
	if err := p.publish(m); err != nil {
		p.retryLater(j, err)
		return
	}
	j.sent = m
	*sent = append(*sent, j)
}

// publish sends a core reply. That the connection is or was away is told by flush, or by the number
// of reconnects.
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
		failpoint.Hit("before-ack")
		if told {
			err = j.msg.Ack()
		} else {
			err = j.msg.NakWithDelay(0)
		}
		if err != nil {
			p.w.log.Debug("acknowledge", "err", err) // delivered again, answered again
		}
	}
	p.left.Done()
}

// lastSends is what is left for them when the grace is over.
const lastSends = time.Second

// drain waits until every reply is out, and every acknowledgement with it.
func (p *replier) drain(ctx context.Context) {
	p.closing.Store(true)
	p.w.lines.Drain()
	out := make(chan struct{})
	go func() { p.left.Wait(); close(out) }()
	select {
	case <-out:
	case <-ctx.Done(): // runs took all of the grace: what they gave back is on its way only now
		select {
		case <-out:
		case <-time.After(lastSends):
			p.w.log.Warn("replies left unsent: their asks are delivered again", "err", ctx.Err())
		}
	}
	if !p.w.o.NATS.IsConnected() {
		return // what is not acknowledged is delivered again
	}
	flushing, cancel := context.WithTimeout(context.WithoutCancel(ctx), publishTimeout)
	defer cancel()
	if err := p.w.o.NATS.FlushWithContext(flushing); err != nil {
		p.w.log.Warn("acknowledgements not flushed", "err", err)
	}
}

// send replies to a message that is in no stream.
func (w *Worker) send(to string, r messages.Result, encoding messages.Encoding, trace string) {
	if w.replier.isDurable(to) { // under a token that is never the asker's id: asked again, it must be told again
		w.replier.add(&job{to: to, r: r, encoding: encoding, trace: trace, token: nuid.Next()})
		return
	}
	m, err := w.replier.message(to, &r, encoding, trace)
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
