// Publisher: publishes lines into the stream LOG, several in one message.

package querylog

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"protocolq/messages"
)

// Sink stores a message in its stream and returns its sequence there, or gives up after within. Its
// error is a jetstream.APIError if the server refuses. It keeps no reference to m after it returns.
type Sink interface {
	PublishWithin(ctx context.Context, within time.Duration, m *nats.Msg) (sequence uint64, err error)
}

// PublisherOptions are what a [Publisher] needs. The zero value of a setting is its default.
type PublisherOptions struct {
	To     Sink           // needed
	Names  messages.Names // needed
	Hasher *Hasher        // needed: masks the persons of lines
	Logger *slog.Logger   // discarded when nil

	// Partners are the fleet's partners: a line names no others, as foreign partners would make sums
	// without bound. nil: any.
	Partners []string

	Remembered int // 100,000: lines of answers from memory that may wait; more are dropped and counted
}

// Publisher makes lines of runs and asks and publishes them while its Run runs. Lines of runs and
// of stored asks are published until the stream has them. A line that the stream will never take is
// given up and counted. Lines of answers from memory, which nobody waits for, are published in
// batches and may be lost. All methods are safe for concurrent use.
type Publisher struct {
	o        PublisherOptions
	log      *slog.Logger
	masker   masker
	discards bool // made by Discard

	full           atomic.Bool   // the stream takes no lines
	loud           atomic.Bool   // that is logged
	lost           atomic.Uint64 // lines that never reach the stream
	said           atomic.Int64  // when lost lines were last logged, unix ns
	drained        chan struct{} // closed by Drain: lines wait for no others any more
	drain          func()        // closes drained, once
	moreRuns       chan struct{} // signalled when runs has more
	moreAsks       chan struct{} // signalled when asks has more
	moreRemembered chan struct{} // signalled when remembered has more

	mu         sync.Mutex // guards the rest; held for lines, never during I/O
	runs       []Ran
	asks       []Answered
	remembered []Ask
	ended      bool // runs and asks are no longer published
}

// Ran is a run that has ended and needs its line.
type Ran struct {
	Query *messages.Query // its person is raw and stays in this process
	Run   Run             // all but Key, Partner, Email and Account
	// Done is like Answered.Done.
	Done func(written bool)
}

// Answered is a stored ask that has its reply and is not acknowledged yet.
type Answered struct {
	Query *messages.Query // its person and asker's id are raw and stay in this process
	Ask   Ask             // all but the masked fields, see Publisher
	// Done is called once: with true when the line is in the stream, or can never be there; with false
	// if Run ends before.
	Done func(written bool)
}

// NewPublisher makes a Publisher. It starts nothing.
func NewPublisher(o PublisherOptions) *Publisher {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Remembered <= 0 {
		o.Remembered = 100_000
	}
	drained := make(chan struct{})
	return &Publisher{o: o, log: o.Logger, masker: masker{hasher: o.Hasher, partners: o.Partners},
		drained: drained, drain: sync.OnceFunc(func() { close(drained) }),
		moreRuns: make(chan struct{}, 1), moreAsks: make(chan struct{}, 1), moreRemembered: make(chan struct{}, 1)}
}

// Discard is a Publisher that drops all lines at once, for a worker without a query log.
var Discard = &Publisher{discards: true, drain: func() {}}

// PublishRun publishes the line of a run, at once or with those that come while others are on their
// way, and then calls its Done. It does not block: the caller bounds the number of runs.
func (p *Publisher) PublishRun(r Ran) {
	if p.discards {
		r.Done(true)
		return
	}
	p.mu.Lock()
	ended := p.ended
	if !ended {
		p.runs = append(p.runs, r)
	}
	p.mu.Unlock()
	if ended {
		r.Done(false)
		return
	}
	signal(p.moreRuns)
}

// PublishAsk publishes the line of a stored ask with those of others, and then calls its Done. It
// does not block: while the stream takes no lines they wait here, and the caller, which
// acknowledges by Done, bounds their number. PublishAsk fills in what Query says: Request, Partner,
// Email, Account, and the Key that the asker gave.
func (p *Publisher) PublishAsk(a Answered) {
	if p.discards {
		a.Done(true)
		return
	}
	p.mu.Lock()
	ended := p.ended
	if !ended {
		p.asks = append(p.asks, a)
	}
	p.mu.Unlock()
	if ended {
		a.Done(false)
		return
	}
	signal(p.moreAsks)
}

// PublishRemembered publishes the line of an ask that was answered without being stored, with the
// next batch. If batches cannot be published the line is dropped and counted. It fills in the
// person like PublishAsk.
func (p *Publisher) PublishRemembered(q *messages.Query, a Ask) {
	if p.discards {
		return
	}
	p.keep(p.masker.ask(q, a))
}

func (p *Publisher) keep(asks ...Ask) {
	p.mu.Lock()
	n := min(len(asks), max(p.o.Remembered-len(p.remembered), 0))
	p.remembered = append(p.remembered, asks[:n]...)
	p.mu.Unlock()
	signal(p.moreRemembered)
	if n < len(asks) {
		p.lose(len(asks)-n, errNoRoom,
			"is the stream of the query log there, and does it take lines as fast as they come?")
	}
}

var errNoRoom = errors.New("too many lines of answers from memory wait")

// Full reports whether the stream takes no lines at present: they wait.
func (p *Publisher) Full() bool { return p.full.Load() }

// Lost counts the lines that never reach the stream: dropped lines of answers from memory, and all
// lines that it refuses for good.
func (p *Publisher) Lost() uint64 { return p.lost.Load() }

// Drain ends all waiting of lines of stored asks for others: the worker is ending.
func (p *Publisher) Drain() { p.drain() }

func signal(more chan struct{}) {
	select {
	case more <- struct{}{}:
	default:
	}
}

// Run publishes until ctx ends, and then publishes once more the lines of answers from memory.
func (p *Publisher) Run(ctx context.Context) error {
	if p.discards {
		<-ctx.Done()
		return nil
	}
	var owed, loops sync.WaitGroup
	loops.Go(func() { p.publishRemembered(ctx) })
	owed.Go(func() { p.publishRuns(ctx) })
	owed.Go(func() { p.publishAsks(ctx) })
	owed.Wait()
	p.giveBack()
	loops.Wait()
	return nil
}
