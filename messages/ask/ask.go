// The asker's side: ask until there is an answer, even if workers die meanwhile.

// Package ask is how a Go program asks the workers.
//
// Between an asker and the workers' log is one unprotected hop: a message of core NATS is lost if
// the worker that took it dies before storing it, and a reply is lost if a connection breaks. An
// asker without a reply therefore asks again with the same id. That is always safe: equal questions
// cost one call of the gateway, and answers are remembered. Ask does so until its context ends:
//
//	ask ──► try 1 ──(no responders: pause)──► try 2 ──(time-out)──► try 3 ──► answer
//	          └──────────── an answer to an earlier try counts as well ─────────▲
//
// Ask sends the time that remains of ctx as the query's deadline, less a tenth and at least 300 ms,
// see [Deadline]. So a caller learns that there is no answer, and why, before its own time ends,
// and no call is made for a caller that has left.
//
// All tries of one Ask share one inbox, below Options.Inbox or the connection's own inbox prefix.
// Submit does not have that gap: the stream's acknowledgement says that the question is stored; if
// it is lost, the question is published again under the same message id. Its reply is durable, and
// Replies passes it to a function until the function succeeds, also after a restart:
//
//	Submit ──► stream ──► workers ──► stream of replies ──► Replies ──► function ──► acknowledged
//	                         │                                 ▲            │ error, or the end of the process
//	                         └──► stream of events ──► Events  └────────────┘
package ask

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"protocolq/messages"
)

// ErrMalformed is wrapped by the error of an Ask or Submit that was answered by something that is
// no answer, as when a stream captures the subject of the workers, and by that of a [Rejected]
// which cannot be decoded.
var ErrMalformed = errors.New("answer not understood")

// Options say how to ask. The zero value of a field is its default.
type Options struct {
	Prefix   string            // "protocol": the first tokens of every subject, as the workers have it
	Encoding messages.Encoding // MessagePack: how queries are written, and so answered
	// Asker is the name of who asks: the last token of the subjects that name a partner, where
	// permissions separate askers, and that of its durable replies, protocol.reply.<asker>. "":
	// submitted queries are replied to where they say.
	Asker string
	// Inbox is the first tokens of the inboxes, where permissions give this asker its own
	// ("_INBOX_refunds"). "": the connection's.
	Inbox string
	// Try is how long the first try waits for its answer, 5 s where 0; after each one unanswered
	// twice as long, at most MaxTry: 30 s, or Try where that is more.
	Try, MaxTry time.Duration
	// Pause is the wait while nobody listens, with jitter, 250 ms where 0; after each time twice as
	// long, at most MaxPause: 5 s, or Pause where that is more.
	Pause, MaxPause time.Duration
	// FailFast ends an Ask where no worker listens (nats.ErrNoResponders, three times in a row, as
	// a cluster says so for a moment while its leaders change), and a Submit where no stream takes
	// the subject or the stream has no room (a *jetstream.APIError), instead of waiting for one
	// until ctx ends. A lost answer is asked for again all the same, so that the question may be
	// stored by a try before the last, and a connection that is away is waited for.
	FailFast bool
	// Trace gives the W3C traceparent of the caller's span, which goes along with what is asked, or
	// "". With OpenTelemetry it is what its propagator injects; nil: none goes along.
	Trace func(context.Context) string
	API   string // "$JS.API": what the JetStream API begins with, where it is another account's or domain's
}

// Client asks over one connection. It may be used by many goroutines at once and needs no closing;
// the connection stays the caller's. Between two asks it holds nothing but which durable messages
// it has read.
type Client struct {
	nc              *nats.Conn
	names           messages.Names
	o               Options
	replies, events known
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
	if o.API == "" {
		o.API = jetstream.DefaultAPIPrefix
	}
	names, err := messages.NewNames(o.Prefix)
	if err != nil {
		return nil, fmt.Errorf("ask: %w", err)
	}
	if o.Encoding != messages.MsgPack && o.Encoding != messages.JSON {
		return nil, fmt.Errorf("ask: encoding %q is unknown", o.Encoding)
	}
	for token := range strings.SplitSeq(o.Inbox, ".") {
		if o.Inbox != "" && !messages.IsToken(token) {
			return nil, fmt.Errorf("ask: inbox %q: each part between dots must have letters, digits, - and _", o.Inbox)
		}
	}
	if o.Asker != "" && !messages.IsToken(o.Asker) {
		return nil, fmt.Errorf("ask: asker %q: use letters, digits, - and _", o.Asker)
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

// Ask sends q and returns its answer. Without an answer it asks again, with the same id (a new one
// where q has none), until ctx ends: give ctx a deadline.
//
// The query's deadline is that of ctx, see [Deadline], or its own where that is earlier; without
// either it has none.
//
// Every Result is an answer, whatever its outcome: a refusal, accepted for a query with reply_to,
// and unknown, too, which the caller may ask again after retry_after_ms. Two kinds of unknown are
// asked again here: OVERLOADED, after its retry_after_ms while that lies before ctx's deadline, and
// DEADLINE where there is none, since then only the worker's patience has ended, or where it comes
// before half of the time until ctx's has passed, since then the worker's clock is ahead: without
// that deadline. A query that no worker would take is refused without being sent.
//
// The error wraps the end of ctx and what was in the way last (nats.ErrNoResponders: no worker
// listens there; nats.ErrDisconnected), or else what Options.FailFast says, ErrMalformed,
// nats.ErrConnectionClosed or what keeps q from being sent at all.
func (c *Client) Ask(ctx context.Context, q messages.Query) (messages.Result, error) {
	q, own, begun := identified(q), q.DeadlineMs, time.Now()
	if end, ok := ctx.Deadline(); ok {
		if ms := Deadline(begun, end).UnixMilli(); own == 0 || ms < own {
			q.DeadlineMs = ms
		}
	}
	if refusal, ok := errors.AsType[*messages.Error](q.Check()); ok {
		return refusal.Result(), nil
	}
	subject := c.names.Query()
	if q.Partner != "" {
		subject = c.names.QueryBy(q.Partner, c.o.Asker)
	}
	m, err := c.message(ctx, subject, q)
	if err != nil {
		return messages.Result{}, fmt.Errorf("ask: %w", err)
	}
	var r messages.Result
	err = c.until(ctx, m, func(reply *nats.Msg) heard {
		var h heard
		if r, h = c.answer(ctx, &q, reply); h != (heard{}) || q.DeadlineMs == own || !early(r, begun, q.DeadlineMs) {
			return h
		}
		q.DeadlineMs = own
		if without, err := c.message(ctx, subject, q); err == nil {
			m.Data = without.Data
		}
		return heard{again: c.o.Pause, err: errClock}
	})
	if err != nil {
		return messages.Result{}, fmt.Errorf("ask on %s: %w", subject, err)
	}
	return r, nil
}

// answer reads one reply and reports whether it is the end.
func (c *Client) answer(ctx context.Context, q *messages.Query, reply *nats.Msg) (messages.Result, heard) {
	r, _, err := messages.DecodeResult(reply.Data, reply.Header.Get(messages.HeaderContentType))
	switch {
	case err != nil:
		if captured := Captured(reply); captured != nil {
			err = captured
		}
		return r, heard{err: fmt.Errorf("%w: %w", ErrMalformed, err)}
	case r.ID != "" && r.ID != q.ID:
		return r, heard{err: fmt.Errorf("%w: it has the id of another question", ErrMalformed)}
	case r.Question != "" && !r.Answers(*q): // workers before this field have none
		return r, heard{err: fmt.Errorf("%w: it answers another question", ErrMalformed)}
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
	errClock      = errors.New("the worker's clock is ahead")
)

// Deadline is the deadline of a query whose asker waits from now until end: earlier by a tenth of
// the time, and at least by 300 ms, so that DEADLINE comes before the asker has left. Of a time so
// short that it would be over by then, it leaves half.
func Deadline(now, end time.Time) time.Time {
	left := max(end.Sub(now), 0)
	return end.Add(-min(max(left/10, 300*time.Millisecond), left/2))
}

// early reports whether r says DEADLINE in the first half of the time until then.
func early(r messages.Result, begun time.Time, deadlineMs int64) bool {
	deadline := time.UnixMilli(deadlineMs)
	return r.Outcome == messages.Unknown && r.Code == messages.DeadlinePassed &&
		time.Until(deadline) > deadline.Sub(begun)/2
}

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

// inbox is a new one of this asker's.
func (c *Client) inbox() string {
	if c.o.Inbox == "" {
		return c.nc.NewInbox()
	}
	return c.o.Inbox + "." + rand.Text()
}

func (c *Client) message(ctx context.Context, subject string, q messages.Query) (*nats.Msg, error) {
	data, err := q.Encode(c.o.Encoding)
	if err != nil {
		return nil, err
	}
	m := &nats.Msg{Subject: subject, Data: data,
		Header: nats.Header{messages.HeaderContentType: {string(c.o.Encoding)}}}
	if c.o.Trace != nil {
		if trace := messages.UsableTrace(c.o.Trace(ctx)); trace != "" {
			m.Header[messages.Traceparent] = []string{trace}
		}
	}
	return m, nil
}
