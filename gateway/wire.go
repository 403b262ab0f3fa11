// The network below a call: one question, one connection, one answer.

package gateway

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"protocolq/gateway/mapi"
)

const (
	// strayLogEvery bounds the log lines about stray bytes.
	strayLogEvery = 30 * time.Second
	// defaultRest is how long a connection must be quiet before its question.
	defaultRest = 100 * time.Millisecond
	// maxAhead bounds the dials that run ahead of their calls.
	maxAhead = 64
)

// wire exchanges questions for answers. A connection carries one question, unless reuse is set. The
// connection of the next call is dialled when a call begins, so that its rest costs no time.
//
// net/http's Transport cannot do this. It gives a connection to the next call before it has seen
// what follows the answer, believes an answer that was there before the question, has no maximum
// age of a connection (measured: 60 of 60 requests went to the old address after a change of DNS),
// and prints stray bytes on the process's standard error. This package still uses net/http for the
// grammar of HTTP.
type wire struct {
	dialer *dialer
	pool   *pool
	reuse  bool
	logger *slog.Logger
	// life is the context of connections dialled ahead; it ends with the wire.
	life        context.Context
	end         context.CancelFunc
	dialTimeout time.Duration

	ahead       atomic.Int32 // dials ahead in progress
	lastCall    atomic.Int64 // start of the last call, in nanoseconds
	strayLogged atomic.Int64 // when stray bytes on a resting connection were last logged, in nanoseconds
}

// question is one request, ready to be written.
type question struct {
	request *http.Request
	bytes   []byte
	fence   func() error // called just before the first byte leaves
	explain bool         // also read the body of a refusal
}

// reply is the response: the status is 0 if there is none.
type reply struct {
	status int
	header http.Header
	body   []byte
}

func newWire(o Options, target, through *url.URL) *wire {
	w := &wire{dialer: newDialer(o, target, through), pool: newPool(o.rest()), reuse: o.ReuseAfter > 0,
		logger: o.Logger, dialTimeout: o.Timeout}
	w.life, w.end = context.WithCancel(context.Background())
	return w
}

func (w *wire) close() {
	w.end()
	w.pool.close()
}

// buffers are for requests: composing one takes a few kilobytes.
var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// send writes the question once, to a quiet connection, and reads the answer. The context has a
// deadline.
func (w *wire) send(q question, t *tracer) (reply, error) {
	// A client that will not ask again says so: the other side then closes first and keeps nothing for
	// the client, and this machine need not keep the port for a minute.
	q.request.Close = !w.reuse
	b := buffers.Get().(*bytes.Buffer)
	defer buffers.Put(b) // not read any more: it was written, or never will be
	b.Reset()
	if err := q.request.Write(b); err != nil {
		return reply{}, err
	}
	q.bytes = b.Bytes()
	ctx := q.request.Context()
	c, err := w.connect(ctx, t)
	if err != nil {
		return reply{}, err
	}
	release := bind(ctx, c.conn)
	stopped := false
	fence := q.fence
	q.fence = func() error {
		err := fence()
		stopped = err != nil
		return err
	}
	pooled := c.pooled
	a, reusable, err := c.ask(q, t)
	undisturbed := release()
	if err == nil && reusable && undisturbed && w.reuse {
		c.used = true
		w.pool.put(c, time.Now())
		return a, nil
	}
	if err != nil && pooled && !stopped && c.forgotten(err) {
		w.pool.fail(time.Now())
	}
	c.close()
	if errors.Is(err, errStray) {
		err = fail(CodeStray, mapi.Temp, err)
	}
	return a, err
}

// connect returns a connection that has rested and is quiet: from the pool, after waiting for the
// first that is ready, or else a new one.
func (w *wire) connect(ctx context.Context, t *tracer) (*connection, error) {
	before := w.lastCall.Swap(time.Now().UnixNano())
	more := time.Since(time.Unix(0, before)) < maxIdle
	for {
		c, ready := w.pool.take(time.Now())
		if c == nil {
			return w.fresh(ctx, t, more && !w.reuse)
		}
		wait := time.Until(ready)
		if more && !w.reuse {
			w.dialAhead() // for the call that would have had this one
		}
		if more && wait > 0 {
			w.dialAhead() // there are too few
		}
		more = false
		if err := rest(ctx, wait, t); err != nil {
			c.close()
			return nil, err
		}
		err := c.quiet()
		if err == nil && w.pool.stands(c, time.Now()) {
			t.gotConn(c.remote, c.used)
			return c, nil
		}
		c.close()
		if errors.Is(err, errStray) {
			w.strayAtRest()
		}
	}
}

// fresh dials. If bytes arrive on the connection before the question, the call fails: the next
// connection would be no better.
func (w *wire) fresh(ctx context.Context, t *tracer, more bool) (*connection, error) {
	c, err := w.dialer.dial(ctx, t)
	if err != nil {
		return nil, err
	}
	if more {
		w.dialAhead()
	}
	t.gotConn(c.remote, false)
	if err = rest(ctx, w.pool.rest, t); err == nil {
		err = c.quiet()
	}
	if errors.Is(err, errStray) {
		err = fail(CodeStray, mapi.Temp, fmt.Errorf("%w came before the question", err))
	}
	if err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

// dialAhead dials the connection of the next call: if calls follow each other, its rest is over
// when that call comes. If the dial fails, that call dials for itself and reports the fault.
func (w *wire) dialAhead() {
	if w.ahead.Add(1) > maxAhead {
		w.ahead.Add(-1)
		return
	}
	go func() {
		defer w.ahead.Add(-1)
		ctx, cancel := context.WithTimeout(w.life, w.dialTimeout)
		defer cancel()
		if c, err := w.dialer.dial(ctx, newTracer()); err == nil {
			w.pool.put(c, time.Now())
		}
	}()
}

// rest waits, unless the context ends first.
func rest(ctx context.Context, d time.Duration, t *tracer) error {
	if d <= 0 {
		return nil
	}
	t.quietStart()
	defer t.quietDone()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// strayAtRest logs stray bytes that cost no call its answer, but show that something in front of
// the gateway sends answers to the wrong place.
func (w *wire) strayAtRest() {
	now := time.Now().UnixNano()
	last := w.strayLogged.Load()
	if now-last < int64(strayLogEvery) || !w.strayLogged.CompareAndSwap(last, now) {
		return
	}
	w.logger.Warn("bytes that nobody asked for came on a resting connection, which is closed", "code", CodeStray)
}
