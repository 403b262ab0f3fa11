// Publisher: brings lines into the stream LOG, those that come together in one message.

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

// Sink stores a message in its stream and gives its sequence there, or gives up after within. What
// the server answers instead is a jetstream.APIError. Once it has returned it keeps nothing of m.
type Sink interface {
	PublishWithin(ctx context.Context, within time.Duration, m *nats.Msg) (sequence uint64, err error)
}

// PublisherOptions are what a [Publisher] needs. The zero value of a setting is its default.
type PublisherOptions struct {
	To     Sink           // needed
	Names  messages.Names // needed
	Hasher *Hasher        // needed: masks whom a line is about
	Logger *slog.Logger   // discarded when nil

	// Partners are those of the fleet: a line names no other, as strangers would make sums without
	// end. nil: any.
	Partners []string

	Remembered int // 100,000: lines of answers from memory that wait at once; what comes beyond is dropped and counted
}

// Publisher makes lines of runs and asks and publishes them while its Run runs. Lines of runs and
// of stored asks are tried until the stream has them; one that it will never take is given up and
// counted. Those of answers from memory, which nobody waits for, are published in batches and may
// be lost. All methods are safe for concurrent use.
type Publisher struct {
	o        PublisherOptions
	log      *slog.Logger
	masker   masker
	discards bool // has nothing but this

	full     atomic.Bool   // the stream takes no lines
	loud     atomic.Bool   // and that is said
	lost     atomic.Uint64 // lines that never come into the stream
	said     atomic.Int64  // when it was said last that lines are lost, unix ns
	draining atomic.Bool   // no line waits for others any more
	moreRuns chan struct{} // signalled when runs has more
	moreAsks chan struct{} // signalled when asks has more

	mu         sync.Mutex // guards what follows; held for lines, never over I/O
	runs       []Ran
	asks       []Answered
	remembered []Ask
	ended      bool // nobody publishes runs and asks any more
}

// Ran is a run that has ended and whose line is owed.
type Ran struct {
	Query *messages.Query // whom it is about: raw, it stays in this process
	Run   Run             // all but Key, Partner, Email and Account
	// Done is as that of Answered.
	Done func(written bool)
}

// Answered is a stored ask that has its reply and is not acknowledged yet.
type Answered struct {
	Query *messages.Query // whom it is about, and its asker's id: raw, they stay in this process
	Ask   Ask             // all but what is masked, see Publisher
	// Done is called once: with true when the line is in the stream, or can never be there; with
	// false when Run ends before.
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
	return &Publisher{o: o, log: o.Logger, masker: masker{hasher: o.Hasher, partners: o.Partners},
		moreRuns: make(chan struct{}, 1), moreAsks: make(chan struct{}, 1)}
}

// Discard is a Publisher that drops all lines at once: of a worker without a query log.
var Discard = &Publisher{discards: true}

// PublishRun publishes the line of a run, at once or with those that come while others are on their
// way, and then calls its Done. It does not block: who gives runs bounds them.
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
// does not block: while the stream takes no lines they wait here, and who acknowledges by Done
// bounds them. What its Query says is filled in: Request, Partner, Email, Account, and the Key that
// the asker gave.
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
// next batch. When batches do not get away the line is dropped and counted. Whom it is about is
// filled in as by PublishAsk.
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
	if n < len(asks) {
		p.lose(len(asks)-n, errNoRoom,
			"is the stream of the query log there, and does it take lines as fast as they come?")
	}
}

var errNoRoom = errors.New("too many lines of answers from memory wait")

// Full reports whether the stream takes no lines at present: then no new call should be made.
func (p *Publisher) Full() bool { return p.full.Load() }

// Lost counts the lines that never come into the stream: those of answers from memory that were
// dropped, and all that it refuses for good.
func (p *Publisher) Lost() uint64 { return p.lost.Load() }

// Drain lets no line wait for others any more: the worker is ending.
func (p *Publisher) Drain() { p.draining.Store(true) }

func signal(more chan struct{}) {
	select {
	case more <- struct{}{}:
	default:
	}
}

// Run publishes until ctx ends, and then once more what was answered from memory.
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
