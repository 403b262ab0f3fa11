// Doors: the two doors as one part of a worker.

package intake

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"protocolq/messages"
	"protocolq/worker/pause"
)

// parts are what both doors use.
type parts struct {
	names   *names
	reader  *reader
	journal Journal
	memory  Memory
	pending *pending
	ends    *ends
	replies *replies
	paused  func() (after time.Duration, paused bool)
	room    *room
	counted *counters
	log     *slog.Logger
	alarms  *alarms
}

// trouble logs that something does not get through.
func (p *parts) trouble(what string, err error) {
	if n, due := p.alarms.again(what, time.Now()); due {
		p.log.Warn("in trouble", "what", what, "times", n, "err", err)
	}
}

// dead logs that a message becomes a dead letter, once for many with the same reason and level. So
// a message from the query door does not hide one from the stream. Nothing that its sender wrote is
// logged.
func (p *parts) dead(level slog.Level, l *deadLetter, f *refusal) {
	if n, due := p.alarms.again("dead letter, "+l.reason+", "+level.String(), time.Now()); due {
		p.log.Log(context.Background(), level, "dead letter", "reason", l.reason, "times", n, "token", l.token(), "why",
			f.err.Brief())
	}
}

// Doors are the two doors. Run, Open and Close are called once each, Open and Close while Run runs.
type Doors struct {
	*parts
	o         *Options
	service   *service
	submitted *submitted
	consumer  *consumer
	closing   chan struct{} // closed by Close
	stops     []func(context.Context)
}

// New makes the doors. It starts nothing.
func New(o Options) (*Doors, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	o.defaults()
	n := names{o.Names}
	p := &parts{names: &n, journal: o.Journal, memory: o.Memory, pending: newPending(o.Most, o.MostBytes),
		ends:    newEnds(),
		counted: newCounters(), paused: o.Paused, log: o.Logger, alarms: &alarms{}}
	p.room = newRoom(o.Consumers, &n, o.Logger, p.alarms)
	p.reader = &reader{names: &n, partners: o.Partners, byDefault: o.DefaultPartner, allow: o.ReplyAllow,
		own:    o.OwnInboxes,
		person: o.Person, patience: o.Patience, minAge: o.MinAge}
	p.replies = &replies{nc: o.Reply, names: p.names, lines: o.Lines, traces: o.Traces, counted: p.counted,
		log: o.Logger, alarms: p.alarms,
		durable: newPosts(o.Replies, "durable reply", nil, o.Logger),
		letters: newPosts(o.Letters, "dead letter", &p.counted.letters, o.Logger)}
	d := &Doors{parts: p, o: &o, closing: make(chan struct{})}
	d.service = &service{parts: p, answers: newAnswers(mostAnswers), turns: newTurns(), patience: o.AskPatience}
	d.submitted = &submitted{parts: p, letters: o.Letters, durable: o.Replies, closed: d.closing}
	d.consumer = &consumer{parts: p, from: o.Consumers, take: d.submitted.take}
	d.consumer.every.Store(int64(tick)) // until the consumer's own is known
	return d, nil
}

// Open opens the doors: the query door at once, and the stream's door when its consumer is there;
// it waits for that. With an error, including that of ctx, neither is open.
func (d *Doors) Open(ctx context.Context) error {
	stats := d.o.Stats
	if stats == nil {
		stats = func() any { return d.Stats() }
	}
	d.room.look(ctx)
	stop, err := d.service.open(ctx, d.o, stats)
	if err != nil {
		return err
	}
	stopTaking, err := d.consumer.open(ctx)
	if err != nil {
		stop(context.WithoutCancel(ctx))
		return err
	}
	d.stops = append(d.stops, stop, stopTaking)
	return nil
}

// Close takes nothing more, and waits until everything that came in is journalled, or ctx ends.
// What is left then is given back to its stream, or its asker gets a reply to ask again. Replies
// and dead letters that wait to be stored have lastWords after that.
func (d *Doors) Close(ctx context.Context) {
	close(d.closing)
	d.pending.close()
	var stopping sync.WaitGroup
	for _, stop := range d.stops {
		stopping.Go(func() { stop(ctx) })
	}
	stopping.Wait()
	for _, h := range d.pending.drain(ctx) {
		switch {
		case h.msg != nil:
			d.submitted.end(h, ctx.Err())
		case !d.pending.leave(h):
			d.replies.failed(h.ask, messages.Overloaded, "the worker ended before its log took the query")
		}
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWords)
	defer cancel()
	d.replies.durable.drain(last)
	d.replies.letters.drain(last)
}

// lastWords is how long it may take to store what the query door replies last, which has no other
// copy.
const lastWords = time.Second

// Run runs the background work of the doors until ctx ends. It is the last part of the doors to
// end.
func (d *Doors) Run(ctx context.Context) error {
	var running sync.WaitGroup
	for _, part := range []func(context.Context){
		d.ends.run, d.deadlines, d.room.run, d.consumer.keepAlive, d.replies.durable.run, d.replies.letters.run,
	} {
		running.Go(func() { part(ctx) })
	}
	running.Wait()
	return nil
}

// tick is how late the reply to a passed deadline may leave.
const tick = 100 * time.Millisecond

// deadlines replies to asks whose time ends before they are journalled, because the journal is
// unavailable. While nothing is pending it sleeps: timers are what a worker at rest costs.
func (d *Doors) deadlines(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-d.pending.begun:
		}
		for n := 1; n > 0; n, _ = d.pending.size() {
			if pause.For(ctx, tick) != nil {
				return
			}
			for _, h := range d.pending.overdue(time.Now()) {
				why := ""
				if h.code == messages.Overloaded {
					why = "the workers' log did not take the query in time"
				}
				d.replies.failed(h.ask, h.code, why)
			}
		}
	}
}

// Replied takes in a reply of another part to an asker that awaits it, and how long that took.
func (d *Doors) Replied(r *messages.Result, took time.Duration) { d.counted.answered(r, took) }

// Stats gives the figures as they are now.
func (d *Doors) Stats() Stats {
	s := d.counted.stats()
	s.Pending, s.Bytes = d.pending.size()
	s.Lost = d.replies.durable.lost.Load() + d.replies.letters.lost.Load()
	return s
}
