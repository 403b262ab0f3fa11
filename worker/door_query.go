// The front door: ask and await. What is remembered is answered here; anything else is stored.

package worker

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nats.go/micro"
	"github.com/nats-io/nuid"

	"protocolq/messages"
	"protocolq/worker/dedupe"
)

// frontDoor serves protocol.query as a NATS service on the reply connection.
type frontDoor struct {
	w        *Worker
	storing  chan *storing // read by run
	settled  chan *storing // acknowledged or not, see storing.err; read by run
	late     atomic.Int64  // stores that are being tried again, each in a goroutine of retrying
	retrying sync.WaitGroup
	quit     chan struct{} // closed by finish: nothing more comes in
	drained  chan struct{} // closed by run when all that came in is settled
}

// storing is a request on its way into the stream.
type storing struct {
	msg      *nats.Msg
	err      error  // why it was not acknowledged
	to       string // where the asker awaits; "" nowhere
	accepted bool   // tell him that it is stored: the answer goes elsewhere
	q        messages.Query
	encoding messages.Encoding
	subject  string // it came by
	trace    string
}

const (
	storePatience = 15 * time.Second // how long a request is tried to be stored
	mostLate      = 1024             // requests tried again at once
	retryAfter    = time.Second      // what an overloaded worker asks for
)

func newFrontDoor(w *Worker) *frontDoor {
	return &frontDoor{w: w, storing: make(chan *storing, w.o.Storing), settled: make(chan *storing, window), quit: make(chan struct{}), drained: make(chan struct{})}
}

// open adds the service; the returned func ends it, after which nothing more
// comes in. What did come in is settled by finish.
func (d *frontDoor) open() (func(context.Context), error) {
	o := &d.w.o
	svc, err := micro.AddService(o.Reply, micro.Config{Name: messages.ServiceName, Version: o.Version,
		Description: "has this account signed the agreement for automatic debit and refund?",
		QueueGroup:  messages.QueueGroup, Metadata: map[string]string{"owner": d.w.owner},
		StatsHandler: func(*micro.Endpoint) any { return d.w.Stats() }})
	if err != nil {
		return func(context.Context) {}, fmt.Errorf("open the front door: %w", err)
	}
	handle := micro.HandlerFunc(d.serve)
	// The house bounds itself: limits of the subscription would drop asks silently.
	unbounded := micro.WithEndpointPendingLimits(-1, -1)
	err = errors.Join(
		svc.AddEndpoint("query", handle, micro.WithEndpointSubject(o.Names.Query()), unbounded),
		svc.AddEndpoint("query-partner", handle, micro.WithEndpointSubject(o.Names.QueryAll()), unbounded))
	stop := func(ctx context.Context) {
		_ = svc.Stop()
		_ = o.Reply.FlushWithContext(ctx)
		served := make(chan struct{})
		if o.Reply.Barrier(func() { close(served) }) == nil {
			select { // all that had come in has gone through serve
			case <-served:
			case <-ctx.Done():
			}
		}
	}
	return stop, err
}

// finish waits until every request that came in is stored, or its asker told
// that it is not. Called once, whether the door was opened or not.
func (d *frontDoor) finish(ctx context.Context) {
	close(d.quit)
	select {
	case <-d.drained:
	case <-ctx.Done():
	}
}

// serve handles one message; it does not block.
func (d *frontDoor) serve(req micro.Request) {
	w := d.w
	w.metrics.Queries.Add(1)
	head := nats.Header(req.Headers())
	in := inbound{data: req.Data(), head: head, subject: req.Subject(), natsReply: req.Reply(), door: messages.DoorQuery}
	q, encoding, refusal := w.read(&in)
	if refusal != nil {
		w.refuse(&in, encoding, refusal)
		return
	}
	if !d.remembered(&q, in.natsReply, in.subject, encoding, in.trace()) {
		d.store(&in, q, encoding)
	}
}

// remembered answers an awaiting asker from memory, if that is possible.
func (d *frontDoor) remembered(q *messages.Query, to, subject string, encoding messages.Encoding, trace string) bool {
	w := d.w
	if q.ReplyTo != "" || to == "" {
		return false
	}
	v, ok := w.group.Remembered(q.KeyToken(), w.ask(*q, w.clock.Now(), messages.DoorQuery))
	if ok {
		r := w.result(q, &v)
		w.metrics.reply(&r)
		w.send(to, r, encoding, trace)
		if w.book != nil {
			line := w.book.askLine(q, &r)
			line.Token, line.At, line.Door, line.Subject, line.Reply, line.Trace = nuid.Next(), w.clock.Now(), messages.DoorQuery, subject, to, trace
			w.book.answered(line)
		}
	}
	return ok
}

// store queues the request; run publishes it and sees to its acknowledgement. Its headers say
// what the message itself does not: each costs the server and two workers their time.
func (d *frontDoor) store(in *inbound, q messages.Query, encoding messages.Encoding) {
	s := &storing{to: in.natsReply, accepted: q.ReplyTo != "" && in.natsReply != "", q: q, encoding: encoding, subject: in.subject, trace: in.trace()}
	token := nuid.Next()
	head := nats.Header{messages.HeaderMsgID: {token}}
	for _, h := range [...]struct {
		name, value string
		needed      bool
	}{
		{messages.HeaderReplyTo, firstOf(q.ReplyTo, in.natsReply), true},
		{messages.HeaderSubject, in.subject, in.subject != d.w.o.Names.Query()},
		{messages.HeaderID, q.ID, !in.named},
		{messages.HeaderPartner, q.Partner, !in.partnered},
		{messages.Traceparent, s.trace, true},
	} {
		if h.needed && h.value != "" {
			head[h.name] = []string{h.value}
		}
	}
	s.msg = &nats.Msg{Subject: d.w.o.Names.Request(q.KeyToken()), Data: in.data, Header: head}
	if len(d.storing) == cap(d.storing) || d.w.taken.full() {
		d.overloaded(s)
		return
	}
	d.storing <- s
}

// publish sends a request into the stream, unless its answer has become known while it waited for its turn. It
// reports whether an acknowledgement is to come.
func (d *frontDoor) publish(ctx context.Context, s *storing) bool {
	if d.remembered(&s.q, s.to, s.subject, s.encoding, s.trace) {
		return false
	}
	err := d.w.to.Go(s.msg, publishTimeout, func(_ uint64, err error) {
		s.err = err
		d.settled <- s
	})
	if err != nil {
		d.again(ctx, s, err)
	}
	return err == nil
}

// window is how many requests are on their way into the stream at once. The server stores all that it
// has got before it acknowledges or delivers any of it (one fsync each), so more would make everybody wait.
const window = 256

// run publishes requests in the order in which they came and sees to their acknowledgements.
func (d *frontDoor) run(ctx context.Context) {
	defer close(d.drained)
	defer d.retrying.Wait()
	out := 0 // on their way
	for open := true; open || out > 0 || len(d.storing) > 0; {
		var next <-chan *storing
		quit := d.quit
		if out < window {
			next = d.storing
		}
		if !open {
			quit = nil
		}
		select {
		case s := <-next:
			if d.publish(ctx, s) {
				out++
			}
		case s := <-d.settled:
			out--
			if s.err != nil {
				d.again(ctx, s, s.err)
				break
			}
			d.stored(s)
		case <-quit:
			open = false
		case <-ctx.Done():
			return
		}
	}
}

func (d *frontDoor) stored(s *storing) {
	if s.accepted {
		d.w.tell(s.to, &s.q, s.encoding, messages.Result{Outcome: messages.Accepted})
	}
}

// again stores a request whose acknowledgement failed or did not come, with the
// same Msg-Id, so that it is stored once.
func (d *frontDoor) again(ctx context.Context, s *storing, cause error) {
	if full(cause) {
		d.overloaded(s)
		return
	}
	if d.late.Add(1) > mostLate {
		d.late.Add(-1)
		d.overloaded(s)
		return
	}
	d.retrying.Go(func() {
		defer d.late.Add(-1)
		ctx, cancel := context.WithTimeout(ctx, storePatience)
		defer cancel()
		for ctx.Err() == nil {
			err := d.w.publishOnce(ctx, s.msg)
			if err == nil {
				d.stored(s)
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
		d.w.log.Warn("query not stored", "err", cause)
		d.overloaded(s)
	})
}

func full(err error) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) && api.ErrorCode == 10077
}

// overloaded tells the asker that his query was not taken; nothing of it is kept.
func (d *frontDoor) overloaded(s *storing) {
	d.w.metrics.Overloaded.Add(1)
	d.w.tell(s.to, &s.q, s.encoding, messages.Result{Outcome: messages.Unknown, Code: messages.Overloaded,
		Retryable: true, RetryAfterMs: retryAfter.Milliseconds()})
}

// ask is an asker's wish as the key's flight sees it.
func (w *Worker) ask(q messages.Query, stored time.Time, door string) *dedupe.Ask[messages.Query] {
	question := q.Question()
	a := &dedupe.Ask[messages.Query]{Query: q, Question: question[:], Stored: stored, MaxAge: -1}
	if q.MaxAgeMs != nil {
		a.MaxAge = max(time.Duration(*q.MaxAgeMs)*time.Millisecond, w.o.MinAge)
	}
	switch {
	case q.DeadlineMs > 0: // a slip of a digit must not keep a query for a century
		a.Until = time.UnixMilli(min(q.DeadlineMs, stored.Add(w.o.Patience).UnixMilli()))
	case door == messages.DoorQuery && q.ReplyTo == "":
		a.Until = stored.Add(w.o.AskPatience)
	default:
		a.Until = stored.Add(w.o.Patience)
	}
	return a
}

func firstOf(s ...string) string {
	for _, v := range s {
		if v != "" {
			return v
		}
	}
	return ""
}
