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

// ErrMalformed is wrapped in the error of an Ask or Submit that got a response which is not an
// answer, for example because a stream captures the workers' subject. It is also wrapped in the
// error of a [Rejected] that cannot be decoded.
var ErrMalformed = errors.New("answer not understood")

// Options say how to ask. The zero value of a field is its default.
type Options struct {
	Prefix   string            // "protocol": the first tokens of every subject, as for the workers
	Encoding messages.Encoding // MessagePack: the encoding of queries, and so of their answers
	// Asker is the name of the asker. It is the last token of the subjects that name a partner, if
	// permissions separate askers, and of the subject of its durable replies, protocol.reply.<asker>.
	// If it is "", replies to submitted queries go to the reply_to of each query.
	Asker string
	// Inbox is the first tokens of the inboxes, if permissions give this asker its own
	// ("_INBOX_refunds"). "": the connection's.
	Inbox string
	// Try is how long the first try waits for its answer; 5 s if 0. The wait doubles after each try
	// without an answer, up to MaxTry: 30 s, or Try if that is more.
	Try, MaxTry time.Duration
	// Pause is the wait while there are no responders, with jitter; 250 ms if 0. It doubles each time,
	// up to MaxPause: 5 s, or Pause if that is more.
	Pause, MaxPause time.Duration
	// FailFast ends an Ask early if no worker listens (nats.ErrNoResponders three times in a row,
	// because a cluster says so briefly while its leaders change). It ends a Submit early if no stream
	// captures the subject or the stream has no room (a *jetstream.APIError). Without FailFast both
	// wait for that until ctx ends. A lost answer is still asked for again, so that a try before the
	// last may have stored the question, and an unavailable connection is still waited for.
	FailFast bool
	// Trace returns the W3C traceparent of the caller's span, which is sent with each question, or "".
	// With OpenTelemetry it is what its propagator injects; nil: none is sent.
	Trace func(context.Context) string
	API   string // "$JS.API": prefix of the JetStream API, if it is that of another account or domain
}

// Client asks over one connection. Many goroutines may use it at once, and it needs no closing; the
// connection stays the caller's. Between two asks it holds only which durable messages it has read.
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
// if q has none), until ctx ends: give ctx a deadline.
//
// The query's deadline is the deadline of ctx, see [Deadline], or its own if that is earlier. If
// neither has one, or that of ctx is more than ten years away, there is none.
//
// Every Result is an answer, whatever its outcome: also a refusal, accepted for a query with
// reply_to, and unknown, for which the caller may ask again after retry_after_ms. Ask itself
// repeats two kinds of unknown. OVERLOADED is repeated after its retry_after_ms, if that is before
// ctx's deadline. DEADLINE is repeated if there is no deadline, since then only the worker's
// patience has ended. It is also repeated, then without a deadline, if it comes before half of the
// time until ctx's deadline has passed, since then the worker's clock is ahead. A query that no
// worker would accept is refused without being sent.
//
// The error wraps the end of ctx and the last obstacle (nats.ErrNoResponders: no worker listens;
// nats.ErrDisconnected). Or it wraps the errors of Options.FailFast, ErrMalformed,
// nats.ErrConnectionClosed, or the reason why q can never be sent.
func (c *Client) Ask(ctx context.Context, q messages.Query) (messages.Result, error) {
	q, own, begun := identified(q), q.DeadlineMs, time.Now()
	if end, ok := ctx.Deadline(); ok && end.Sub(begun) < farthest {
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

// answer reads one reply and reports whether it ends the Ask.
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
	case r.Question != "" && !r.Answers(*q): // workers before this field send none
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

// Obstacles, in addition to the errors of NATS.
var (
	errOverloaded = errors.New("the workers are full")
	errPatience   = errors.New("the worker's patience has ended")
	errSilence    = errors.New("no answer")
	errClock      = errors.New("the worker's clock is ahead")
)

// Deadline is the deadline of a query whose asker waits from now until end. It is earlier than end
// by a tenth of the time, and at least by 300 ms, so that DEADLINE comes before the asker has left.
// If the time is too short for that, the deadline is at half of it.
func Deadline(now, end time.Time) time.Time {
	left := max(end.Sub(now), 0)
	return end.Add(-min(max(left/10, 300*time.Millisecond), left/2))
}

// farthest is how far away a deadline of ctx may be to become that of a query. Further away is what
// callers write for "never", and no query may have it.
const farthest = 10 * 365 * 24 * time.Hour

// early reports whether r says DEADLINE in the first half of the time until then.
func early(r messages.Result, begun time.Time, deadlineMs int64) bool {
	deadline := time.UnixMilli(deadlineMs)
	return r.Outcome == messages.Unknown && r.Code == messages.DeadlinePassed &&
		time.Until(deadline) > deadline.Sub(begun)/2
}

// maxRetryAfterMs bounds the wait that an answer may ask for.
const maxRetryAfterMs = 60_000

// identified returns q with its version and an id.
func identified(q messages.Query) messages.Query {
	q.V = messages.Version
	if q.ID == "" {
		q.ID = rand.Text()
	}
	return q
}

// inbox returns a new inbox of this asker.
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
