// Worker: the parts put together, and the order in which they begin and end.

package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"
	"golang.org/x/sync/errgroup"

	"protocolq/messages"
	"protocolq/worker/dedupe"
	"protocolq/worker/limit"
	"protocolq/worker/partner"
	"protocolq/worker/publish"
	"protocolq/worker/querylog"
)

// Worker is one member of the fleet.
type Worker struct {
	o       Options
	owner   string // this process: unique in the fleet and in time
	begun   time.Time
	log     *slog.Logger
	js      jetstream.JetStream // on the main connection: streams and consumers
	to      *publish.Publisher  // into streams, on the main connection
	group   *dedupe.Group[messages.Query]
	records *dedupe.Stream
	handle  Handler
	gate    *partner.Gate
	hold    *hold
	lines   *querylog.Publisher
	budget  *limit.Budget
	metrics *metrics
	clock   clock
	fill    atomic.Int64 // thousandths of the record stream's room in use
	front   *frontDoor
	taken   *taken
	replier *replier

	retoldMu   sync.Mutex      // guards retoldRuns
	retoldRuns map[string]bool // runs that this worker has told again
}

// New puts a worker together. It starts nothing.
func New(o Options) (*Worker, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	o.defaults()
	w := &Worker{o: o, owner: nuid.Next(), begun: time.Now(), log: o.Logger, metrics: newMetrics(), hold: newHold(), retoldRuns: map[string]bool{}}
	var err error
	if w.js, err = jetstream.New(o.NATS); err != nil {
		return nil, fmt.Errorf("worker: %w", err)
	}
	w.to = publish.New(o.NATS)
	w.records = dedupe.NewStream(KeyRecords(o.NATS, w.to, o.Names))
	w.lines = querylog.Discard
	if o.LogHasher != nil {
		w.lines = querylog.NewPublisher(querylog.PublisherOptions{To: w.to, Names: o.Names, Hasher: o.LogHasher, Logger: w.log})
	}
	w.budget = limit.NewBudget(o.RetryBudget)
	w.gate = partner.New(partner.Options{Partners: o.Partners, Limits: o.Limits, Records: PartnerRecords(o.NATS, w.to, o.Names),
		Owner: w.owner, Clock: w.clock.Now, Logger: w.log})
	w.handle = w.handler()
	w.group, err = dedupe.New(dedupe.Options{Store: w.records, Owner: w.owner, NewRun: nuid.Next, Clock: w.clock.Now,
		Lease: o.Lease, Slots: o.Slots, AfterCrash: o.AfterCrash, Logger: w.log},
		dedupe.Work[messages.Query]{Run: w.run, Inherit: w.inherit, GaveUp: w.gaveUp, Stored: w.stored, Admit: w.awaitTurn, Held: w.held})
	if err != nil {
		return nil, err
	}
	w.taken = newTaken(o.Parked, o.ParkedBytes, max(o.Slots/4, 1))
	w.replier = newReplier(w)
	w.front = newFrontDoor(w)
	return w, nil
}

const (
	publishTimeout = 5 * time.Second
	onceTimeout    = 2 * time.Second
	storeCheck     = 5 * time.Second
	storeFull      = 800 // thousandths: above it no new claim is made
)

// Run serves until ctx ends, then lets nothing new in, finishes what is under
// way within Options.Grace, gives the rest back to the fleet, and sends the
// last replies. On return every goroutine it began has ended.
func (w *Worker) Run(ctx context.Context) error {
	work, stop := context.WithCancel(context.WithoutCancel(ctx)) // outlives ctx by the grace
	defer stop()
	if err := w.awaitStreams(ctx); err != nil {
		return err
	}
	unwatchKeys, err := dedupe.Watch(w.records, w.group, w.log)
	if err != nil {
		return err
	}
	defer unwatchKeys()
	unwatchPartners, err := w.gate.Watch(ctx)
	if err != nil {
		return err
	}
	defer unwatchPartners()
	var tasks errgroup.Group
	for _, run := range []func(context.Context) error{w.gate.Run, w.lines.Run} {
		tasks.Go(func() error { return run(work) })
	}
	for _, task := range []func(context.Context){w.to.Run, w.replier.to.Run, w.watchStore, w.replier.run, w.replier.runDurable, w.replier.runChores, w.taken.keepAlive, w.front.run} {
		tasks.Go(func() error { task(work); return nil })
	}
	closeDoors, err := w.openDoors(ctx)
	if err == nil {
		w.log.Info("worker ready", "owner", w.owner, "partners", len(w.o.Partners), "slots", w.o.Slots)
		w.o.Ready()
		err = w.serve(ctx)
		w.log.Info("worker draining", "in_flight", w.group.InFlight(), "parked", w.group.Parked())
	}
	grace, cancel := context.WithTimeout(work, w.o.Grace)
	defer cancel()
	closeDoors(grace)
	err = errors.Join(err, w.group.Close(grace))
	w.replier.drain(grace)
	stop()
	err = errors.Join(err, tasks.Wait())
	w.log.Info("worker stopped")
	return err
}

// serve waits until ctx ends, or until a connection is closed for good: then
// nothing can be told any more.
func (w *Worker) serve(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-w.o.NATS.StatusChanged(nats.CLOSED):
		return errors.New("the main connection to NATS is closed")
	case <-w.o.Reply.StatusChanged(nats.CLOSED):
		return errors.New("the reply connection to NATS is closed")
	}
}

// openDoors opens all ways in; closeDoors closes those that were opened, after
// which no ask is taken in any more. It is done when its context ends.
func (w *Worker) openDoors(ctx context.Context) (closeDoors func(context.Context), err error) {
	var consumers []func(context.Context)
	front := func(context.Context) {}
	closeDoors = func(ctx context.Context) {
		w.taken.close() // what the consumers still hold is given back at once
		front(ctx)      // first: what it has stored may still be taken by others
		var closing sync.WaitGroup
		for _, c := range consumers {
			closing.Go(func() { c(ctx) })
		}
		closing.Wait()
		w.front.finish(ctx)
	}
	for _, d := range []struct {
		kind     messages.Kind
		consumer string
		take     jetstream.MessageHandler
	}{
		{messages.Requests, messages.ConsumerAsked, w.take},
		{messages.Requests, messages.ConsumerSubmitted, w.take},
		{messages.Waiting, messages.ConsumerWaiting, w.takeWaiting},
	} {
		c, err := w.consume(ctx, d.kind, d.consumer, d.take)
		if err != nil {
			return closeDoors, err
		}
		consumers = append(consumers, c)
	}
	if front, err = w.front.open(); err != nil {
		return closeDoors, err
	}
	if err := w.o.Reply.FlushTimeout(publishTimeout); err != nil {
		return closeDoors, fmt.Errorf("open the front door: %w", err)
	}
	return closeDoors, nil
}

// awaitStreams waits until the streams are there and the server's time is known.
func (w *Worker) awaitStreams(ctx context.Context) error {
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		w.awaitConnection(ctx)
		err := w.checkStore(ctx)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("wait for the streams: %w", errors.Join(ctx.Err(), err))
		}
		hint := "is the NATS server up, and does this user have its rights?"
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			hint = "run protocolq provision"
		}
		w.log.Warn("streams are not there yet", "err", err, "retry_in", wait.String(), "hint", hint)
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}

// awaitConnection waits until the main connection stands; the connection itself
// tells that it does not.
func (w *Worker) awaitConnection(ctx context.Context) {
	for !w.o.NATS.IsConnected() && ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// watchStore looks at the record stream every few seconds: how full it is, and
// what time its server has.
func (w *Worker) watchStore(ctx context.Context) {
	tick := time.NewTicker(storeCheck)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := w.checkStore(ctx); err != nil && ctx.Err() == nil {
			w.log.Warn("record stream not readable", "err", err)
		}
	}
}

func (w *Worker) checkStore(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	sent := time.Now()
	s, err := w.js.Stream(ctx, w.o.Names.Stream(messages.State))
	if err != nil {
		return err
	}
	info := s.CachedInfo()
	w.clock.set(info.TimeStamp, sent.Add(time.Since(sent)/2))
	w.group.Sighted(info.State.LastSeq, info.TimeStamp)
	if most := info.Config.MaxBytes; most > 0 {
		fill := int64(info.State.Bytes * 1000 / uint64(most))
		w.group.Refuse(fill >= storeFull) // before the fill is shown: who sees it may count on it
		if before := w.fill.Swap(fill); fill >= storeFull && before < storeFull {
			w.log.Error("record stream nearly full: no new gateway calls", "fill_permille", fill,
				"hint", "give the stream more room (provision --state-bytes) or shorten the window")
		}
	}
	return nil
}
