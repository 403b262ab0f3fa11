// The recorder: reads lines from the stream, writes them in batches, and acknowledges them when
// they are on disk.

package querylog

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"protocolq/messages"
	"protocolq/worker/pause"
)

// Consumer is the name of the recorders' durable consumer of the stream LOG.
// Several recorders share it.
const Consumer = messages.ConsumerRecorder

// Options say what a Recorder works with. The zero value of a setting is its
// default; parts without one are needed.
type Options struct {
	NATS     *nats.Conn     // needed
	API      string         // prefix of the JetStream API; "$JS.API"
	Names    messages.Names // needed
	Database Writer         // needed
	Logger   *slog.Logger   // discarded when nil
	Ready    func()         // called once when the stream can be read; may be nil
	// Wrote is called with the time of each batch that the database was asked to write; may be nil.
	Wrote func(took time.Duration, err error)

	Rows   int           // 10,000: a batch is written when it has this many
	Linger time.Duration // 50 ms: or when its first line has waited this long,
	Pace   time.Duration // 450 ms: and the batch before it began this long ago
	Quiet  time.Duration // 120 ms: or no line has come for this long; workers send theirs every 100 ms
	Write  time.Duration // 30 s: how long one batch may take
}

func (o *Options) defaults() error {
	if o.NATS == nil || o.Database == nil || o.Names.Prefix() == "" {
		return errors.New("recorder: NATS, Names and Database are needed")
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Rows <= 0 {
		o.Rows = 10_000
	}
	if o.Linger <= 0 {
		o.Linger = 50 * time.Millisecond
	}
	if o.Pace <= 0 {
		o.Pace = 450 * time.Millisecond
	}
	if o.Quiet <= 0 {
		o.Quiet = 120 * time.Millisecond
	}
	if o.Write <= 0 {
		o.Write = 30 * time.Second
	}
	return nil
}

// Recorder reads the stream LOG. Several may run, here and elsewhere.
type Recorder struct {
	o     Options
	js    jetstream.JetStream
	log   *slog.Logger
	stats stats
	// Only Run's goroutine uses these: the messages in hand, what was logged about an unavailable
	// stream, and the batch that is being written; nil: none.
	hand    hand
	intake  trouble
	writing <-chan struct{}
	// Only the goroutine that writes a batch uses these, and Run's while there is none: what was
	// logged about an unavailable database and rejected messages, and how long to leave the database
	// alone the next time.
	database   trouble
	rejections rejections
	delay      time.Duration
}

// stats are written by Run and read by anybody.
type stats struct {
	rows, known, rejected, failures, failedAt atomic.Int64
	down, started, reading                    atomic.Bool
}

// Stats is what a Recorder has done since it began.
type Stats struct {
	Rows     int64 `json:"rows"`         // written, new
	Known    int64 `json:"known"`        // delivered again, left unchanged
	Rejected int64 `json:"rejected"`     // messages that are not lines, or that the database will never take
	Failures int64 `json:"failures"`     // batches that could not be written, each tried again
	Down     bool  `json:"down"`         // the database is unavailable: the stream holds the lines
	Started  bool  `json:"started"`      // the consumer of the stream was found
	Reading  bool  `json:"reading"`      // the stream delivers its lines
	FailedAt int64 `json:"failed_at_ms"` // unix ms of the last batch that could not be written; 0: none
}

// New makes a Recorder; Run starts it.
func New(o Options) (*Recorder, error) {
	if err := o.defaults(); err != nil {
		return nil, err
	}
	js, err := jetstream.NewWithAPIPrefix(o.NATS, cmp.Or(o.API, "$JS.API"))
	if err != nil {
		return nil, fmt.Errorf("recorder: %w", err)
	}
	return &Recorder{o: o, js: js, log: o.Logger, hand: newHand(), database: trouble{what: "database"},
		intake: trouble{what: "stream"}}, nil
}

// Stats may be called at any time.
func (r *Recorder) Stats() Stats {
	return Stats{Rows: r.stats.rows.Load(), Known: r.stats.known.Load(), Rejected: r.stats.rejected.Load(),
		Failures: r.stats.failures.Load(), Down: r.stats.down.Load(),
		Started: r.stats.started.Load(), Reading: r.stats.reading.Load(), FailedAt: r.stats.failedAt.Load()}
}

// Run records until ctx ends. Then it writes once what it holds, if that is quick, or else gives it
// back to the stream.
func (r *Recorder) Run(ctx context.Context) error {
	consumer, err := r.bind(ctx)
	if err != nil {
		return ignoreEnd(ctx, err)
	}
	r.stats.started.Store(true)
	r.stats.reading.Store(true)
	if r.o.Ready != nil {
		r.o.Ready()
	}
	r.log.Info("recorder ready", "stream", r.stream())
	for ctx.Err() == nil {
		// While the database is unavailable nothing is fetched: the lines stay in the stream, where
		// another recorder finds them.
		if r.stats.down.Load() {
			r.store(ctx) // no messages are held during a wait
			if !r.wait(ctx) {
				break
			}
		}
		err := r.fetch(ctx, consumer)
		if err != nil {
			r.store(ctx)
		}
		switch {
		case err == nil:
			r.stats.reading.Store(true)
			r.intake.end(r.log)
		case ctx.Err() == nil:
			r.stats.reading.Store(false)
			r.intake.begin(r.log, err)
			_ = pause.For(ctx, time.Second)
		}
	}
	r.store(ctx)
	r.written()
	_ = r.o.NATS.FlushTimeout(time.Second) // the last acknowledgements; if one is lost its line is delivered again
	s := r.Stats()
	r.log.Info("recorder ended", "rows", s.Rows, "known", s.Known, "rejected", s.Rejected)
	return nil
}

func (r *Recorder) stream() string { return r.o.Names.Stream(messages.Log) }

// bind waits for the consumer: while leaders move, the server does not know it for seconds.
func (r *Recorder) bind(ctx context.Context) (jetstream.Consumer, error) {
	for tries := 0; ; tries++ {
		within, cancel := context.WithTimeout(ctx, 5*time.Second)
		c, err := r.js.Consumer(within, r.stream(), Consumer)
		cancel()
		if err == nil {
			return c, nil
		}
		if r.o.NATS.IsClosed() {
			return nil, fmt.Errorf("find the consumer %s of %s: %w", Consumer, r.stream(), err)
		}
		if tries%20 == 1 {
			r.log.Warn("consumer not found, trying on", "stream", r.stream(), "consumer", Consumer, "err", err,
				"hint", "'protocolq provision' makes it; may this user read it? (RECORDER in deploy/nats/users.conf)")
		}
		if pause.For(ctx, 500*time.Millisecond) != nil {
			return nil, ctx.Err()
		}
	}
}

// write writes b. If the database will never take one of its rows, write halves b until only that
// row is rejected. It acknowledges what is written and returns the rest.
func (r *Recorder) write(ctx context.Context, b *gathered) (rest *gathered, err error) {
	var w Written
	for tries := 0; ; tries++ {
		w, err = r.o.Database.Write(ctx, b.batch)
		if !errors.Is(err, ErrTryAgain) || tries == 20 ||
			pause.For(ctx, time.Duration(tries)*10*time.Millisecond) != nil {
			break
		}
	}
	if err == nil {
		r.stats.rows.Add(int64(w.Rows()))
		r.stats.known.Add(int64(b.batch.Rows() - w.Rows()))
		r.stats.rejected.Add(int64(w.Rejected))
		r.database.end(r.log)
		r.delay = 0
		b.acknowledge(r.log, &r.rejections)
		return nil, nil
	}
	if !errors.Is(err, ErrUnstorable) || b.hopeless() {
		return b, err
	}
	if len(b.msgs) == 1 && b.batch.Rows() > 1 {
		return r.rowByRow(ctx, b)
	}
	if len(b.msgs) == 1 {
		r.log.Error("line not storable, rejected", "subject", b.msgs[0].Subject(), "err", err)
		return r.write(ctx, b.rejected(err))
	}
	one, other := b.halves()
	if rest, err = r.write(ctx, one); err != nil {
		return rest.with(other), err
	}
	return r.write(ctx, other)
}

// rowByRow writes a message with many rows of which the database will never take some, and rejects
// only those. If it is interrupted, the message is written again, and existing rows stay unchanged.
func (r *Recorder) rowByRow(ctx context.Context, b *gathered) (rest *gathered, err error) {
	for _, row := range b.batch.rows() {
		w, err := r.o.Database.Write(ctx, row)
		if errors.Is(err, ErrUnstorable) {
			r.log.Error("row not storable, rejected", "subject", b.msgs[0].Subject(), "err", err)
			w, err = r.o.Database.Write(ctx, Batch{Rejected: []Rejected{rejection(b.msgs[0], err)}})
		}
		if err != nil {
			return b, err
		}
		r.stats.rows.Add(int64(w.Rows()))
		r.stats.rejected.Add(int64(w.Rejected))
	}
	r.database.end(r.log)
	r.delay = 0
	b.acknowledge(r.log, &r.rejections)
	return nil, nil
}

// Waits before a failed database is tried again.
const (
	firstDelay = 250 * time.Millisecond
	lastDelay  = 5 * time.Second
)

// wait pauses until the database responds again. The pauses grow until a batch is written, because
// a database that responds may still be full. It returns false if ctx ended first.
func (r *Recorder) wait(ctx context.Context) bool {
	for {
		r.delay = min(max(2*r.delay, firstDelay), lastDelay)
		if pause.For(ctx, r.delay) != nil {
			return false
		}
		within, cancel := context.WithTimeout(ctx, 5*time.Second)
		err := r.o.Database.Ping(within)
		cancel()
		if err == nil {
			r.stats.down.Store(false)
			return true
		}
		r.database.again(r.log, err)
	}
}

func ignoreEnd(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}
