// The front door: ask and await. What is remembered is answered here; anything else is stored.

package worker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/micro"

	"protocolq/messages"
	"protocolq/worker/dedupe"
)

// frontDoor serves protocol.query as a NATS service on the reply connection.
type frontDoor struct {
	w        *Worker
	coming   chan *storing // read by run
	settled  chan *posting // acknowledged or not, see posting.err; read by run
	late     atomic.Int64  // messages that are being tried again, each in a goroutine of retrying
	retrying sync.WaitGroup
	quit     chan struct{} // closed by finish: nothing more comes in
	drained  chan struct{} // closed by run when all that came in is settled
	posted   posted
	together bool // whether asks may share a message at all
}

const retryAfter = time.Second // what an overloaded worker asks for

func newFrontDoor(w *Worker) *frontDoor {
	// What is delivered again because a worker died must find the answers of those that had one:
	// else they would be asked for once more, for nobody.
	together := min(w.o.Freshness, w.o.Window) >= w.o.AskPatience
	return &frontDoor{w: w, together: together, coming: make(chan *storing, w.o.Storing), settled: make(chan *posting, window), quit: make(chan struct{}), drained: make(chan struct{})}
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
	in := w.arrived(w.o.Names.ParseEnvelope(req.Subject(), req.Headers(), req.Data()))
	in.natsReply = req.Reply()
	q, encoding, refusal := w.read(in)
	if refusal != nil {
		w.refuse(in, encoding, refusal)
		return
	}
	if s := d.storing(in, q, encoding); !d.remembered(s) {
		d.store(s)
	}
}

// remembered answers an awaiting asker from memory, if that is possible.
func (d *frontDoor) remembered(s *storing) bool {
	w, q := d.w, &s.q
	if q.ReplyTo != "" || s.to == "" {
		return false
	}
	v, ok := w.group.Remembered(q.KeyToken(), s.ask)
	if ok {
		r := w.result(q, &v)
		w.metrics.reply(&r)
		w.send(s.to, r, s.encoding, s.Trace)
		w.lines.PublishRemembered(q, w.rememberedLine(s, &r))
	}
	return ok
}

// ask is an asker's wish as the key's flight sees it.
func (w *Worker) ask(token string, q messages.Query, stored time.Time, door string) *dedupe.Ask[messages.Query] {
	question := q.Question()
	a := &dedupe.Ask[messages.Query]{ID: token, Query: q, Question: question[:], Stored: stored, MaxAge: -1}
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
