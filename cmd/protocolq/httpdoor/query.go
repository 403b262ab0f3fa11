// POST /v1/queries: one question, the wait for its answer, and what happens after that.

package httpdoor

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"golang.org/x/time/rate"

	"protocolq/messages"
)

// fullWait is when a caller may try again that may not wait now.
const fullWait = time.Second

// postQuery asks one question.
func (d *door) postQuery(c *caller, r *http.Request) answer {
	if a, ok := c.take(1); !ok {
		return a
	}
	data, a, ok := readJSON(r)
	if !ok {
		return a
	}
	q, a, ok := readQuery(&c.Asker, data, r.Header.Values("Idempotency-Key"))
	if !ok {
		return a
	}
	select {
	case c.waiting <- struct{}{}:
		defer func() { <-c.waiting }()
	default:
		return later(rateLimited, "as many requests of this asker wait as may: "+strconv.Itoa(c.Waiting), fullWait)
	}
	wait := preferredWait(r.Header.Values("Prefer"))
	return d.await(r.Context(), c, q, wait).with("Preference-Applied", "wait="+strconv.Itoa(int(wait.Seconds())))
}

// await asks and waits for the answer, until the caller leaves or the door closes. If no answer
// comes in that time, the query is stored.
func (d *door) await(ctx context.Context, c *caller, q messages.Query, wait time.Duration) answer {
	if wait > 0 {
		waiting, cancel := context.WithTimeout(ctx, wait)
		defer cancel()
		defer context.AfterFunc(d.hurried, cancel)()
		r, err := d.o.Fleet.Ask(waiting, c.Name, q)
		switch {
		case err == nil && !outwaited(r, q, time.Now()):
			return of(r)
		case err != nil && waiting.Err() == nil:
			return d.away(ctx, c, err)
		case ctx.Err() != nil:
			return later(noAnswer, "the caller has left", fullWait) // nobody reads it
		}
	}
	return d.keep(ctx, c, q)
}

// outwaited reports whether r says only that the wait is over, and not that the query's deadline
// has passed.
func outwaited(r messages.Result, q messages.Query, now time.Time) bool {
	return r.Outcome == messages.Unknown && r.Code == messages.DeadlinePassed &&
		(q.DeadlineMs == 0 || now.UnixMilli() < q.DeadlineMs)
}

// take takes n queries from a caller's share.
func (c *caller) take(n int) (answer, bool) { return c.within(c.queries, n) }

// look takes n looks at answers from it.
func (c *caller) look(n int) (answer, bool) { return c.within(c.looks, n) }

// within takes n from a share. If n is more than the share's most, it is allowed when the share is
// full, and the rest is owed from then on.
func (c *caller) within(share *rate.Limiter, n int) (answer, bool) {
	now := time.Now()
	reserved := share.ReserveN(now, min(n, share.Burst()))
	if wait := reserved.DelayFrom(now); wait > 0 {
		reserved.CancelAt(now)
		return later(rateLimited,
			"this asker may ask "+strconv.Itoa(c.Rate)+" queries a second, and look for ten times as many answers",
			wait), false
	}
	for n -= share.Burst(); n > 0; n -= share.Burst() {
		share.ReserveN(now, min(n, share.Burst()))
	}
	return answer{}, true
}
