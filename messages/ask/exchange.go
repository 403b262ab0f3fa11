// One message, sent until there is an answer: the tries, the waits between them, and their end.

package ask

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

// heard is what one reply means. The zero value is an answer, which ends the exchange.
type heard struct {
	again time.Duration // send again after this time; 0: the exchange ends
	err   error         // the reason
}

// exchange is one message and the tries to get an answer to it. Only the goroutine of until uses
// it.
type exchange struct {
	c       *Client
	m       *nats.Msg
	timer   *time.Timer // fires when the message must be sent (again)
	waiting bool        // the last try has no answer, and its time is not over
	sent    time.Time   // when the last try was made
	tries   int
	silent  int   // tries without an answer in a row: their time-out grows
	paused  int   // times in a row without responders: the pause grows
	cause   error // the last obstacle
}

// backlog is how many replies may be unread. There is at most one for each try, and they are read
// as they come.
const backlog = 16

// absences is how many times in a row there must be no responders before FailFast ends an Ask.
const absences = 3

// until sends m until read says that a reply, to any of the tries, ends the exchange, or ctx ends.
func (c *Client) until(ctx context.Context, m *nats.Msg, read func(*nats.Msg) heard) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	in := make(chan *nats.Msg, backlog)
	m.Reply = c.inbox()
	sub, err := c.nc.ChanSubscribe(m.Reply, in)
	if err != nil {
		return fmt.Errorf("open an inbox: %w", err)
	}
	defer func() { _ = sub.Unsubscribe() }() // fails only on a closed connection, which has no subscriptions
	states := c.nc.StatusChanged(nats.CONNECTED, nats.RECONNECTING, nats.CLOSED)
	defer c.nc.RemoveStatusListener(states)
	x := &exchange{c: c, m: m, timer: time.NewTimer(0)}
	defer x.timer.Stop()
	for {
		select {
		case reply := <-in:
			if end, err := x.hear(reply, read); end {
				return err
			}
		case <-x.timer.C:
			if err := x.send(); err != nil {
				return err
			}
		case s := <-states:
			if err := x.connection(s); err != nil {
				return err
			}
		case <-ctx.Done():
			return x.ended(ctx, in, read)
		}
	}
}

// send makes one try. While the connection is down nothing is sent: the library would keep all
// tries and send them together later. An error means that the message can never be sent.
func (x *exchange) send() error {
	if x.waiting { // its time is over
		x.waiting, x.cause = false, x.silence()
		x.silent++
	}
	if !x.c.nc.IsConnected() {
		if x.c.nc.IsClosed() {
			return nats.ErrConnectionClosed
		}
		x.pause(nats.ErrDisconnected)
		return nil
	}
	switch err := x.c.nc.PublishMsg(x.m); {
	case err == nil:
		x.tries++
		x.waiting, x.sent = true, time.Now()
		x.timer.Reset(grown(x.c.o.Try, x.c.o.MaxTry, x.silent))
	case errors.Is(err, nats.ErrReconnectBufExceeded), errors.Is(err, nats.ErrConnectionReconnecting),
		errors.Is(err, nats.ErrDisconnected):
		x.pause(err)
	default:
		return err
	}
	return nil
}

// hear handles one reply.
func (x *exchange) hear(reply *nats.Msg, read func(*nats.Msg) heard) (end bool, err error) {
	if len(reply.Data) == 0 && reply.Header.Get("Status") == "503" {
		if x.c.o.FailFast && x.paused+1 >= absences {
			return true, nats.ErrNoResponders
		}
		x.pause(nats.ErrNoResponders)
		return false, nil
	}
	h := read(reply)
	if h.again <= 0 {
		return true, h.err
	}
	x.waiting, x.silent, x.paused, x.cause = false, 0, 0, h.err
	x.timer.Reset(h.again)
	return false, nil
}

// pause waits before the next try, longer each time in a row.
func (x *exchange) pause(cause error) {
	x.waiting, x.cause = false, cause
	x.timer.Reset(jittered(grown(x.c.o.Pause, x.c.o.MaxPause, x.paused)))
	x.paused++
}

// connection handles a change of the connection. After a break the message is soon sent again,
// because it or its answer may have been lost with the old connection. The jitter keeps askers from
// coming back in one wave.
func (x *exchange) connection(s nats.Status) error {
	switch s {
	case nats.CLOSED:
		return nats.ErrConnectionClosed
	case nats.CONNECTED:
		x.paused = 0
		x.timer.Reset(rand.N(x.c.o.Pause))
	default:
		x.waiting, x.cause = false, nats.ErrDisconnected
	}
	return nil
}

// ended gives up, unless the answer is already there.
func (x *exchange) ended(ctx context.Context, in <-chan *nats.Msg, read func(*nats.Msg) heard) error {
	for {
		select {
		case reply := <-in:
			if end, err := x.hear(reply, read); end {
				return err
			}
			continue
		default:
		}
		break
	}
	// a later try may still learn that there are no responders
	if x.cause == nil || x.waiting && time.Since(x.sent) > x.c.o.Pause {
		x.cause = x.silence()
	}
	return fmt.Errorf("%w after %d tries: %w", ctx.Err(), x.tries, x.cause)
}

// silence is why a try got no answer. A server that forbids the subject or the inbox reports that
// only on the connection.
func (x *exchange) silence() error {
	if err := x.c.forbidden(`"`+x.m.Subject+`"`, `"`+x.m.Reply+`"`); err != nil {
		return fmt.Errorf("%w: %w", errSilence, err)
	}
	return errSilence
}

// forbidden is the server's last error, if it forbids something that contains one of parts.
func (c *Client) forbidden(parts ...string) error {
	err := c.nc.LastError()
	if !errors.Is(err, nats.ErrPermissionViolation) {
		return nil
	}
	for _, part := range parts {
		if strings.Contains(err.Error(), part) {
			return err
		}
	}
	return nil
}

// grown returns first, doubled n times, at most limit.
func grown(first, limit time.Duration, n int) time.Duration {
	for range n {
		if first >= limit/2 {
			return limit
		}
		first *= 2
	}
	return min(first, limit)
}

// jittered returns d plus up to half of it, so that many askers with the same wait do not come back
// in one wave.
func jittered(d time.Duration) time.Duration { return d + rand.N(d/2+1) }
