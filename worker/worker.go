// Worker: the parts put together, and the order in which they begin and end.

package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"
	"golang.org/x/sync/errgroup"

	"protocolq/messages"
	"protocolq/worker/fleet"
	"protocolq/worker/flight"
	"protocolq/worker/intake"
	"protocolq/worker/journal"
	"protocolq/worker/limit"
	"protocolq/worker/member"
	"protocolq/worker/outbox"
	"protocolq/worker/partner"
	"protocolq/worker/publish"
	"protocolq/worker/querylog"
)

// Worker is one process of the fleet.
type Worker struct {
	o        Options
	owner    string // this process: unique in the fleet and in time
	begun    time.Time
	log      *slog.Logger
	clock    clock
	streams  *publish.Publisher // into streams, on the main connection
	replies  *publish.Publisher // durable replies, on the connection for replies
	pause    *intake.Switch
	doors    *intake.Doors
	member   *member.Member
	outbox   *outbox.Outbox
	lines    *querylog.Publisher
	gate     *partner.Gate
	draining atomic.Bool // the doors are closed, or soon will be
	opened   atomic.Bool // all doors have been opened
	budget   *limit.Budget
	counters *counters
	underWay underWay
	foreign  foreignRecords
}

// How long things are known, in addition to the settings.
const (
	graceOfOthers = 2 * time.Second  // that other members wait beyond a lease
	keepKnown     = 12 * time.Minute // tokens, crashes and seals; longer than a message may be delivered again
	clockLag      = time.Minute      // by which an answer may live longer on another member's clock
	mostDeaths    = 3                // of owners, during one key's run
)

// New makes a worker. It starts nothing.
func New(o Options) (*Worker, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	o.defaults()
	w := &Worker{o: o, owner: nuid.Next(), begun: time.Now(), log: o.Logger, budget: limit.NewBudget(o.RetryBudget),
		counters: newCounters(),
		streams:  publish.New(o.NATS), replies: publish.New(o.Reply), lines: querylog.Discard}
	w.foreign = foreignRecords{log: w.log, said: map[string]time.Time{}}
	if o.LogHasher != nil {
		w.lines = querylog.NewPublisher(querylog.PublisherOptions{To: w.streams, Names: o.Names, Hasher: o.LogHasher,
			Logger: w.log, Partners: o.Partners})
	}
	w.gate = partner.New(partner.Options{Partners: o.Partners, Limits: o.Limits,
		Records: partnerRecords(o.NATS, w.streams, o.Names, w.foreign.met).At(o.API),
		Owner:   w.owner, Clock: w.clock.Now, Logger: w.log, Foreign: w.foreign.met,
		Resumed: func(p string) { w.member.Resume(p) }})
	w.pause = intake.NewSwitch(IntakeRecords(o.NATS, w.streams, o.Names).At(o.API), w.log)
	if err := errors.Join(w.newOutbox(), w.newMember(), w.newDoors()); err != nil {
		return nil, fmt.Errorf("worker: %w", err)
	}
	return w, nil
}

func (w *Worker) newOutbox() (err error) {
	lines := &runLog{log: w.log, said: map[string]*saidCode{}}
	w.outbox, err = outbox.New(outbox.Options{
		Names: w.o.Names, Inboxes: outbox.NewConnection(w.o.Reply), Replies: w.replies, Streams: w.streams,
		Lines: w.lines,
		Done:  func(refs []journal.Ref) { w.member.Done(refs) }, CloudEvents: w.o.CloudEvents, Deaths: mostDeaths,
		Logger: w.log,
		Run: func(r *outbox.Run, q *messages.Query, of *messages.Result) {
			w.counters.run(r)
			if w.o.Traces != nil {
				w.o.Traces.Ran(r, of)
			}
			lines.ended(context.Background(), r, q, of)
		}, Replied: w.replied,
	})
	return err
}

func (w *Worker) newMember() (err error) {
	o, most := &w.o, w.o.Retry.Most()
	w.member, err = member.New(member.Options{
		Log: journal.NewJetStream(journal.JetStreamOptions{Conn: o.NATS, API: o.API, Publisher: appender{w.streams},
			Stream: o.Names.Stream(messages.Journal), Journal: o.Names.Journal(), Followed: o.Names.Followed()}),
		Signs: member.NATS{Conn: o.NATS, Names: o.Names}, Duties: w.outbox,
		NewID: func() journal.Member { return journal.Member(nuid.Next()) },
		Fleet: fleet.Options{Lease: o.Lease, Grace: graceOfOthers, Keep: keepKnown, Lag: clockLag, Attempts: most,
			Deaths: mostDeaths,
			Fail:   o.AfterCrash == Fail},
		CallTime: o.CallTime,
		Flights: flight.Options{Words: words(), NewRun: nuid.Next, Waits: o.Retry.Waits, Result: resultOf,
			Budget: w.budget, Logger: w.log,
			Attempts: most, Slots: o.Slots, Cooldown: o.Cooldown, MinAge: o.MinAge, AskPatience: o.AskPatience,
			Patience: o.Patience},
		Turns: newTurns(turnOptions{Gate: w.gate, Full: w.crowded, Logger: w.log}),
		Call: newCall(callOptions{Gateway: o.Gateway, Notes: w.gate, Window: o.Window, Freshness: o.Freshness,
			Cooldown: o.Cooldown,
			Read:     func(a *journal.Ask) *messages.Query { return w.member.Query(a) }, Called: w.called,
			Begin: w.underWay.begin, Logger: w.log}),
		RetryAfter: w.retryAfter, Note: w.note, Remembered: o.Remembered, Time: w.clock.set, Logger: w.log,
	})
	return err
}

func (w *Worker) newDoors() error {
	js, err := jetstream.NewWithAPIPrefix(w.o.NATS, w.o.API)
	if err != nil {
		return err
	}
	o := &w.o
	in := intake.Options{
		Reply: o.Reply, Consumers: js, Journal: w.member, Memory: remembered{w.member}, Letters: w.streams,
		Replies: w.replies,
		Lines:   w.lines, Names: o.Names, Partners: o.Partners, DefaultPartner: o.DefaultPartner,
		ReplyAllow: o.ReplyAllow,
		OwnInboxes: o.OwnInboxes, Person: w.person(), Patience: o.Patience, AskPatience: o.AskPatience,
		MinAge: o.MinAge, Most: o.Parked, MostBytes: o.ParkedBytes,
		Paused: w.pause.Paused, Version: o.Version, Owner: w.owner, Stats: func() any { return w.Stats() },
		Logger: w.log,
	}
	if o.Traces != nil {
		in.Traces = o.Traces
	}
	w.doors, err = intake.New(in)
	return err
}

// Repaired says that a partner's key was replaced in this process. If a worker has halted the
// partner, a probe goes at once, and all asks that wait for it are tried again. It may be called
// before Run, and by many goroutines.
func (w *Worker) Repaired(ctx context.Context, partner string) { w.gate.Repaired(ctx, partner) }

// called counts a call.
func (w *Worker) called(c Call) {
	w.counters.call(c.Partner, c.Code, c.Took)
	if w.o.Called != nil {
		w.o.Called(c)
	}
}

// replied counts a reply to an ask that was journalled.
func (w *Worker) replied(r *messages.Result, of *outbox.Ask, made time.Time) {
	source := of.Source
	if of.Answer == nil {
		source = ""
	}
	w.counters.reply(r, source)
	if w.o.Traces != nil {
		w.o.Traces.Replied(r, of, made)
	}
	if of.Ask.Door == journal.Await {
		w.doors.Replied(r, made.Sub(of.Stored))
	}
}

// crowded reports whether there might be no room for the result of a call: then no call begins.
func (w *Worker) crowded() bool {
	return w.member.Crowded() || w.outbox.Full()
}

// retryAfter is the time until a partner may be asked again, if one of our codes says that it may
// not be asked now.
func (w *Worker) retryAfter(partner, code string) time.Duration {
	switch code {
	case messages.PartnerHalted:
		return w.gate.After(partner)
	case messages.Overloaded:
		return lookAgain
	}
	return 0
}

// note says who halted a partner, since when and why, for askers that get PARTNER_HALTED.
func (w *Worker) note(partner, code string) string {
	if code != messages.PartnerHalted {
		return ""
	}
	return w.gate.Halted()[partner].Words()
}

// person hashes people as the query log does. That key also serves to forget them; nil: without it
// nobody can be forgotten.
func (w *Worker) person() func(string) journal.Hash {
	if w.o.LogHasher == nil {
		return nil
	}
	return func(who string) journal.Hash {
		if isAccountNo(who) {
			return journal.Hash(w.o.LogHasher.Account(who).LookUp())
		}
		return journal.Hash(w.o.LogHasher.Email(who).LookUp())
	}
}

// isAccountNo reports whether a text looks like an account number; a login by phone is shorter.
func isAccountNo(s string) bool {
	return 16 <= len(s) && len(s) <= 20 && strings.Trim(s, "0123456789") == ""
}

// appender publishes batches of the journal.
type appender struct{ to *publish.Publisher }

// appendWithin is longer than the writer waits.
const appendWithin = 5 * time.Second

// Publish implements [journal.Publisher].
func (a appender) Publish(ctx context.Context, m *nats.Msg) (uint64, error) {
	return a.to.PublishWithin(ctx, appendWithin, m)
}

// Run serves until ctx ends. Then it accepts nothing new, finishes what is in progress within
// Options.Grace, publishes what is owed, and leaves the rest to the fleet. When it returns, every
// goroutine that it began has ended.
func (w *Worker) Run(ctx context.Context) error {
	if err := w.awaitConnection(ctx); err != nil {
		return err // nothing was begun
	}
	work, stop := context.WithCancel(context.WithoutCancel(ctx)) // outlives ctx by the grace
	defer stop()
	unwatch, err := w.gate.Watch(ctx)
	if err != nil {
		return err
	}
	defer unwatch()
	w.pause.Look(ctx)
	parts, work := errgroup.WithContext(work)
	for _, c := range w.components() {
		parts.Go(func() error {
			if err := c.run(work); err != nil && work.Err() == nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
			return nil
		})
	}
	opened := w.open(ctx, work)
	if opened == nil {
		select {
		case <-ctx.Done():
		case <-work.Done(): // a part has failed
		}
		w.log.Info("worker draining")
	}
	w.draining.Store(true)
	grace, cancel := context.WithTimeout(work, w.o.Grace)
	defer cancel()
	w.close(grace)
	stop()
	err = errors.Join(opened, parts.Wait())
	w.log.Info("worker stopped")
	return err
}

// awaitConnection waits for the main connection; the connection itself logs failures.
func (w *Worker) awaitConnection(ctx context.Context) error {
	for !w.o.NATS.IsConnected() {
		if w.o.NATS.IsClosed() {
			return closed(errMainClosed, w.o.NATS)
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// open waits until the worker is a member of the fleet, and opens its doors.
func (w *Worker) open(ctx, work context.Context) error {
	select {
	case <-w.member.Ready():
	case <-ctx.Done():
		return ctx.Err()
	case <-work.Done():
		return nil // the part says why
	}
	if err := w.doors.Open(ctx); err != nil {
		return fmt.Errorf("open the doors: %w", err)
	}
	w.log.Info("worker ready", "member", string(w.member.ID()), "partners", len(w.o.Partners), "slots", w.o.Slots)
	w.opened.Store(true)
	w.o.Ready()
	return nil
}

// close stops accepting, finishes what is in progress, gives back the shares of calls, publishes
// what is owed, and leaves the fleet.
func (w *Worker) close(grace context.Context) {
	w.doors.Close(grace)
	w.member.Drain(grace)
	w.gate.Leave(grace)
	w.lines.Drain()           // what is owed waits for no more lines
	_ = w.outbox.Drain(grace) // the next owner publishes what is left
	w.member.Leave(grace)
}

var (
	errMainClosed  = errors.New("the main connection to NATS is closed")
	errReplyClosed = errors.New("the reply connection to NATS is closed")
)

// awaitClosed ends the worker when a connection is closed for good.
func (w *Worker) awaitClosed(ctx context.Context) error {
	mainClosed, replyClosed := w.o.NATS.StatusChanged(nats.CLOSED), w.o.Reply.StatusChanged(nats.CLOSED)
	switch { // before: that changes no more
	case w.o.NATS.IsClosed():
		return closed(errMainClosed, w.o.NATS)
	case w.o.Reply.IsClosed():
		return closed(errReplyClosed, w.o.Reply)
	}
	select {
	case <-ctx.Done():
		return nil
	case <-mainClosed:
		return closed(errMainClosed, w.o.NATS)
	case <-replyClosed:
		return closed(errReplyClosed, w.o.Reply)
	}
}

// closed says why a connection is closed, if the server has said why.
func closed(err error, nc *nats.Conn) error {
	if word := nc.LastError(); word != nil {
		return fmt.Errorf("%w: %w", err, word)
	}
	return err
}
