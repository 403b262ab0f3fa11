// Reading a durable consumer: one message for each call of the caller's function, acknowledged when
// the function has finished it.

package ask

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"protocolq/messages"
)

// ErrNoConsumer is wrapped in the error of Replies and Events if the consumer does not exist.
var ErrNoConsumer = errors.New("there is no such consumer")

// ReadOptions say how replies and events are read. The zero value of a field is its default.
type ReadOptions struct {
	Name   string       // Options.Asker: the asker or listener whose consumer has its name
	AtOnce int          // 1: how many messages the function gets at once, and how many are fetched at most
	Logger *slog.Logger // logs what must be tried again; discarded when nil

	// Rejected gets messages that cannot be decoded, at once, and messages for which the function has
	// returned an error Tries times. Once Rejected has returned nil the message is terminated, and
	// nobody else has it. After an error it gets the message again. If Rejected is nil such messages
	// stay as long as their stream keeps them, a week, and come again every minute. If there are as
	// many of them as the consumer may have unacknowledged (1,000), no other messages come, which is
	// logged.
	Rejected func(context.Context, Rejected) error
	// Tries is how many errors of the function one message may cause in this process; 25 if 0, which
	// takes some twenty minutes. [After] does not count as an error.
	Tries int
}

// After is returned by the caller's function to get the message again after d at the earliest, for
// example because its database is unavailable: that is not a fault of the message, and does not
// count towards ReadOptions.Tries. It does not help with an unknown: that stays unknown, and the
// query must be submitted again.
func After(d time.Duration) error { return after(d) }

type after time.Duration

// Error implements error.
func (a after) Error() string { return "again after " + time.Duration(a).String() }

// reading is one consumer, and the function that gets its messages.
type reading[T any] struct {
	c     *Client
	kind  messages.Kind
	flag  string // of provision, to make the consumer
	known *known
	read  func(jetstream.Msg, *jetstream.MsgMetadata) (T, identity, error)
	each  func(context.Context, T) error

	rejected func(context.Context, Rejected) error
	tries    int

	js           jetstream.JetStream
	stream, name string
	log          *slog.Logger
	room         room
}

// forbidden is the server's last error, if it forbids something that reading needs: the server
// reports that on the connection, and sends no response.
func (r *reading[T]) forbidden() error {
	inboxes := r.c.nc.NewInbox()
	return r.c.forbidden("."+r.stream+"."+r.name+`"`, `"`+inboxes[:strings.LastIndexByte(inboxes, '.')+1])
}

// run reads until ctx ends, or until it cannot go on.
func (r *reading[T]) run(ctx context.Context, o ReadOptions) error {
	r.name, r.log, r.stream = cmp.Or(o.Name, r.c.o.Asker), o.Logger, r.c.names.Stream(r.kind)
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	if r.rejected, r.tries = o.Rejected, o.Tries; r.tries <= 0 {
		r.tries = usualTries
	}
	if err := r.check(); err != nil {
		return fmt.Errorf("read %s: %w", r.stream, err)
	}
	reading, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var running sync.WaitGroup
	for range max(o.AtOnce, 1) {
		running.Go(func() { stop(r.loop(reading)) })
	}
	running.Wait()
	if err := context.Cause(reading); ctx.Err() == nil && err != nil {
		return fmt.Errorf("read consumer %s of %s: %w", r.name, r.stream, err)
	}
	return nil
}

func (r *reading[T]) check() (err error) {
	if !messages.IsToken(r.name) {
		return fmt.Errorf("name %q: give that of the asker or listener, of letters, digits, - and _", r.name)
	}
	if own := r.c.o.Inbox; own != "" && !strings.HasPrefix(r.c.nc.NewInbox(), own+".") {
		return fmt.Errorf("JetStream uses the connection's inboxes: connect with nats.CustomInboxPrefix(%q)", own)
	}
	r.js, err = jetstream.NewWithAPIPrefix(r.c.nc, r.c.o.API)
	return err
}

// loop reads one message after another until ctx ends.
func (r *reading[T]) loop(ctx context.Context) error {
	missing := 0
	for failed := 0; ; failed++ {
		began := time.Now()
		err := r.consume(ctx)
		if time.Since(began) > healthy {
			failed, missing = 0, 0
		}
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, nats.ErrConnectionClosed), errors.Is(err, nats.ErrPermissionViolation):
			return err
		case errors.Is(err, jetstream.ErrConsumerNotFound), errors.Is(err, jetstream.ErrStreamNotFound):
			if missing++; missing == absences {
				return fmt.Errorf("%w; have it made: protocolq provision %s %s", ErrNoConsumer, r.flag, r.name)
			}
		default:
			missing = 0
		}
		level := slog.LevelDebug
		if failed >= absences {
			level = slog.LevelWarn
		}
		r.log.Log(ctx, level, "reading is tried again", "stream", r.stream, "consumer", r.name, "err", err)
		sleep(ctx, jittered(grown(r.c.o.Pause, r.c.o.MaxPause, failed)))
	}
}

const (
	healthy   = 30 * time.Second // reading for this long counts as success
	lookFor   = 5 * time.Second  // how long the server may take to describe a consumer
	pullFor   = 20 * time.Second // lifetime of one request for a message
	heartbeat = 2 * time.Second  // shows that a request is still alive
	ackWithin = 5 * time.Second  // how long an acknowledgement may take to be stored, or AckWait if shorter
)

// consume finds the consumer and reads its messages until that fails.
func (r *reading[T]) consume(ctx context.Context) error {
	looking, cancel := context.WithTimeout(ctx, lookFor)
	defer cancel()
	consumer, err := r.js.Consumer(looking, r.stream, r.name)
	if err != nil {
		return cmp.Or(r.forbidden(), err)
	}
	ackWait := consumer.CachedInfo().Config.AckWait
	connected, end := r.c.whileConnected(ctx)
	defer end()
	for ctx.Err() == nil {
		msg, err := next(connected, consumer)
		switch {
		case err == nil:
			if !r.take(ctx, msg, ackWait) {
				r.room.look(ctx, consumer, r.log)
			}
		case connected.Err() != nil:
			return nats.ErrDisconnected
		case errors.Is(err, nats.ErrTimeout), errors.Is(err, context.DeadlineExceeded),
			errors.Is(err, jetstream.ErrNoMessages):
			if err := r.forbidden(); err != nil {
				return err
			}
		default:
			return err
		}
	}
	return nil
}

// whileConnected ends with ctx, or when the client has reconnected: responses to requests on the
// old connection never come.
func (c *Client) whileConnected(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	states := c.nc.StatusChanged(nats.CONNECTED, nats.CLOSED)
	var watching sync.WaitGroup
	watching.Go(func() {
		defer c.nc.RemoveStatusListener(states)
		defer cancel()
		select {
		case <-states:
		case <-ctx.Done():
		}
	})
	return ctx, func() { cancel(); watching.Wait() }
}

// next waits for one message: no more are fetched than the function gets.
func next(ctx context.Context, consumer jetstream.Consumer) (jetstream.Msg, error) {
	waiting, cancel := context.WithTimeout(ctx, pullFor)
	defer cancel()
	end, _ := waiting.Deadline()
	return consumer.Next(jetstream.FetchContext(waiting),
		jetstream.FetchHeartbeat(max(min(heartbeat, time.Until(end)/3), time.Millisecond)))
}

// take handles one message, and reports whether the message is finished. A finished message is
// acknowledged even if ctx has ended.
func (r *reading[T]) take(ctx context.Context, msg jetstream.Msg, ackWait time.Duration) (over bool) {
	meta, err := msg.Metadata()
	if err != nil {
		r.log.Error("message without metadata", "stream", r.stream, "err", err) // it did not come from the stream
		return true
	}
	wait := jittered(grown(r.c.o.Pause, longestAgain, int(min(meta.NumDelivered, 64))-1))
	value, id, err := r.read(msg, meta)
	malformed := err != nil
	if malformed {
		id = identityOf("sequence", strconv.FormatUint(meta.Sequence.Stream, 10))
	}
	id = identityOf(r.name, string(id[:])) // other readers of this Client have not had it
	switch r.known.begin(id) {
	case done:
		r.acknowledge(ctx, msg, ackWait)
		return true
	case busy:
		r.again(msg, wait)
		return false
	}
	if malformed {
		err = fmt.Errorf("%w: %w", ErrMalformed, err)
	} else {
		err = r.call(ctx, msg, ackWait/3, func(ctx context.Context) error { return r.each(ctx, value) })
	}
	if err == nil {
		r.known.end(id)
		r.acknowledge(ctx, msg, ackWait)
		return true
	}
	if wanted, ok := errors.AsType[after](err); ok {
		r.known.again(id, 0)
		r.again(msg, max(time.Duration(wanted), 0))
		return false
	}
	log := r.log.With("stream", r.stream, "sequence", meta.Sequence.Stream, "err", err)
	// The end of ctx is not a fault of the message.
	if malformed || ctx.Err() == nil && r.known.failures(id)+1 >= r.tries {
		if r.reject(ctx, msg, meta, err, ackWait, log) {
			r.known.end(id)
			return true
		}
	} else {
		log.Warn("message not done with", "wait", wait)
	}
	r.known.again(id, 1)
	r.again(msg, wait)
	return false
}

// longestAgain is the longest wait before a message comes again.
const longestAgain = time.Minute

// call runs the caller's function, and tells the server meanwhile that the message is in progress.
func (r *reading[T]) call(ctx context.Context, msg jetstream.Msg, every time.Duration,
	function func(context.Context) error) error {
	over, ended := context.WithCancel(context.WithoutCancel(ctx))
	var telling sync.WaitGroup
	telling.Go(func() {
		for sleep(over, every) {
			_ = msg.InProgress() // if the message comes again meanwhile, it is known
		}
	})
	defer telling.Wait()
	defer ended()
	return function(ctx)
}

// acknowledge waits until the acknowledgement is stored. If it is lost, the message comes again,
// and is known.
func (r *reading[T]) acknowledge(ctx context.Context, msg jetstream.Msg, ackWait time.Duration) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), min(ackWithin, ackWait))
	defer cancel()
	if err := msg.DoubleAck(ctx); err != nil {
		r.log.Warn("acknowledgement not confirmed: the message comes again, and is known", "stream", r.stream, "err",
			err)
	}
}

func (r *reading[T]) again(msg jetstream.Msg, wait time.Duration) {
	if err := msg.NakWithDelay(wait); err != nil {
		r.log.Debug("give back", "stream", r.stream, "err", err) // it comes again anyway
	}
}

// sleep reports whether the time has passed before ctx ended.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
