// The asker's side: ask until there is an answer, whoever dies meanwhile.

// Package ask is how a Go program asks the workers.
//
// Between an asker and the stream that keeps his question lies one hop that nothing protects: a message of core NATS is
// lost when the worker that took it dies before it stored it, and so is an answer when a connection breaks. Who has no
// answer therefore asks again, with the same id, and that is always safe: equal questions cost one call of the gateway,
// and what was answered is remembered. Ask does so until its context ends:
//
//	ask ──► try 1 ──(nobody listens: pause)──► try 2 ──(time-out)──► try 3 ──► answer
//	          └───────────── an answer to an earlier try counts as well ─────────▲
//
// All tries of one Ask share one inbox, below the connection's own inbox prefix. Submit has no such hop: the stream's
// acknowledgement says that the question is kept; a lost acknowledgement is asked for again under the same message id.
package ask

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"protocolq/messages"
)

// ErrMalformed is wrapped by the error of an Ask or Submit that was answered by something that is no answer, as when a
// stream captures the subject of the workers.
var ErrMalformed = errors.New("answer not understood")

// Options say how to ask. The zero value of a field is its default.
type Options struct {
	Prefix    string            // "protocol": the first tokens of every subject, as the workers have it
	Encoding  messages.Encoding // MessagePack: how queries are written, and so answered
	Submitter string            // "": last token of the submit subject, where permissions tell askers of one partner apart
	Try       time.Duration     // 5 s: how long the first try waits for its answer; after each one unanswered twice as long
	MaxTry    time.Duration     // 30 s, or Try where that is more: how long a try waits at most
	Pause     time.Duration     // 250 ms: wait while nobody listens, with jitter; after each time twice as long
	MaxPause  time.Duration     // 5 s, or Pause where that is more: the longest such wait
	// Deadline tells the workers the deadline of ctx where the query has none, so that nobody calls the gateway
	// for an asker who has left. It needs clocks that agree: with one that is ahead, a query can be late on arrival.
	Deadline bool
	// FailFast ends an Ask where no worker listens (nats.ErrNoResponders, three times in a row, as a cluster says so for a
	// moment while its leaders change), and a Submit where no stream takes the subject or the stream has no room (a
	// *jetstream.APIError), instead of waiting for one until ctx ends. A lost answer is asked for again all the same, so
	// that the question may be stored by a try before the last, and a connection that is away is waited for.
	FailFast bool
}

// Client asks over one connection. It may be used by many goroutines at once, holds nothing between two asks and needs
// no closing; the connection stays the caller's.
type Client struct {
	nc    *nats.Conn
	names messages.Names
	o     Options
}

// New makes a Client. It starts nothing and does not wait for the connection.
func New(nc *nats.Conn, o Options) (*Client, error) {
	if nc == nil {
		return nil, fmt.Errorf("ask: %w", nats.ErrInvalidConnection)
	}
	if o.Prefix == "" {
		o.Prefix = messages.DefaultPrefix
	}
	if o.Encoding == "" {
		o.Encoding = messages.MsgPack
	}
	names, err := messages.NewNames(o.Prefix)
	if err != nil {
		return nil, fmt.Errorf("ask: %w", err)
	}
	if o.Encoding != messages.MsgPack && o.Encoding != messages.JSON {
		return nil, fmt.Errorf("ask: encoding %q is unknown", o.Encoding)
	}
	if o.Submitter != "" && !messages.IsToken(o.Submitter) {
		return nil, fmt.Errorf("ask: submitter %q: use letters, digits, - and _", o.Submitter)
	}
	o.times()
	return &Client{nc: nc, names: names, o: o}, nil
}

func (o *Options) times() {
	fallback := func(d *time.Duration, value time.Duration) {
		if *d <= 0 {
			*d = value
		}
	}
	fallback(&o.Try, 5*time.Second)
	fallback(&o.MaxTry, 30*time.Second)
	fallback(&o.Pause, 250*time.Millisecond)
	fallback(&o.MaxPause, 5*time.Second)
	o.MaxTry, o.MaxPause = max(o.MaxTry, o.Try), max(o.MaxPause, o.Pause)
}

// Ask asks with the default Options.
func Ask(ctx context.Context, nc *nats.Conn, q messages.Query) (messages.Result, error) {
	c, err := New(nc, Options{})
	if err != nil {
		return messages.Result{}, err
	}
	return c.Ask(ctx, q)
}

// Ask sends q and returns its answer. Without an answer it asks again, with the same id (a new one where q has none),
// until ctx ends: give ctx a deadline.
//
// Every Result is an answer, whatever its outcome: a refusal, accepted for a query with reply_to, and unknown, too,
// which the caller may ask again after retry_after_ms. Two kinds of unknown are asked again here: OVERLOADED, after its
// retry_after_ms while that lies before ctx's deadline, and DEADLINE where q has no deadline, since then only the
// worker's patience has ended. A query that no worker would take is refused without being sent.
//
// The error wraps the end of ctx and what was in the way last (nats.ErrNoResponders: no worker listens there;
// nats.ErrDisconnected), or else what Options.FailFast tells, ErrMalformed, nats.ErrConnectionClosed or what keeps q from
// being sent at all.
func (c *Client) Ask(ctx context.Context, q messages.Query) (messages.Result, error) {
	q = identified(q)
	if c.o.Deadline && q.DeadlineMs == 0 {
		if end, ok := ctx.Deadline(); ok {
			q.DeadlineMs = end.UnixMilli()
		}
	}
	if refusal, ok := errors.AsType[*messages.Error](q.Check()); ok {
		return refusal.Result(), nil
	}
	subject := c.names.Query()
	if q.Partner != "" {
		subject = c.names.QueryOf(q.Partner)
	}
	m, err := c.message(subject, q)
	if err != nil {
		return messages.Result{}, fmt.Errorf("ask: %w", err)
	}
	var r messages.Result
	err = c.until(ctx, m, func(reply *nats.Msg) heard {
		var h heard
		r, h = c.answer(ctx, &q, reply)
		return h
	})
	if err != nil {
		return messages.Result{}, fmt.Errorf("ask on %s: %w", subject, err)
	}
	return r, nil
}

// answer reads one reply and tells whether it is the end.
func (c *Client) answer(ctx context.Context, q *messages.Query, reply *nats.Msg) (messages.Result, heard) {
	r, _, err := messages.DecodeResult(reply.Data, reply.Header.Get(messages.HeaderContentType))
	switch {
	case err != nil:
		return r, heard{err: fmt.Errorf("%w: %w", ErrMalformed, err)}
	case r.ID != "" && r.ID != q.ID:
		return r, heard{err: fmt.Errorf("%w: it has the id of another question", ErrMalformed)}
	case r.Outcome == messages.Unknown && r.Code == messages.DeadlinePassed && q.DeadlineMs == 0:
		return r, heard{again: c.o.Pause, err: errPatience}
	case r.Outcome == messages.Unknown && r.Code == messages.Overloaded:
		wait := jittered(max(time.Duration(min(r.RetryAfterMs, maxRetryAfterMs))*time.Millisecond, c.o.Pause))
		if end, ok := ctx.Deadline(); ok && time.Until(end) <= wait {
			return r, heard{}
		}
		return r, heard{again: wait, err: errOverloaded}
	}
	return r, heard{}
}

// What was in the way, besides the errors of NATS.
var (
	errOverloaded = errors.New("the workers are full")
	errPatience   = errors.New("the worker's patience has ended")
	errSilence    = errors.New("no answer")
)

// maxRetryAfterMs bounds the wait that an answer may ask for.
const maxRetryAfterMs = 60_000

// identified is q with its version and an id.
func identified(q messages.Query) messages.Query {
	q.V = messages.Version
	if q.ID == "" {
		q.ID = rand.Text()
	}
	return q
}

func (c *Client) message(subject string, q messages.Query) (*nats.Msg, error) {
	data, err := q.Encode(c.o.Encoding)
	if err != nil {
		return nil, err
	}
	return &nats.Msg{Subject: subject, Data: data, Header: nats.Header{messages.HeaderContentType: {string(c.o.Encoding)}}}, nil
}
