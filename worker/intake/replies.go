// The doors' own replies: from memory, refusals, and asks that are not taken.

package intake

import (
	"cmp"
	"errors"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nuid"

	"protocolq/messages"
	"protocolq/worker/journal"
	"protocolq/worker/querylog"
)

// retryAfter is when an asker should ask again whose ask was not taken.
const retryAfter = time.Second

// replies sends replies that are not journalled.
type replies struct {
	nc      *nats.Conn
	names   *names
	durable *posts // into the stream of replies, of the query door
	letters *posts // of the query door
	lines   Lines
	traces  Traces // nil: no tracing
	counted *counters
	log     *slog.Logger
	alarms  *alarms
}

// publish sends a reply to an inbox.
func (r *replies) publish(to string, body []byte, header map[string][]string) error {
	if header == nil {
		return r.nc.Publish(to, body)
	}
	return r.nc.PublishMsg(&nats.Msg{Subject: to, Data: body, Header: header})
}

// remembered replies with a remembered answer. After an error the asker has had no reply.
func (r *replies) remembered(k *ask, a *answer, now time.Time) error {
	body, err := a.shared.Encode(messages.Own{ID: k.q.ID, Source: messages.Remembered, AnsweredAtMs: now.UnixMilli(),
		Meta: k.q.Meta})
	if err != nil {
		return err
	}
	header := a.headers
	if k.entry.Trace != "" {
		header = a.result.ReplyHeader(k.encoding, k.entry.Trace, "")
	}
	r.counted.remembered.Add(1)
	r.counted.reply(&a.result)
	r.counted.answered(&a.result, time.Since(k.came))
	r.lines.PublishRemembered(&k.q, lineOf(k, &a.result, now))
	r.passed(k.way, k.q.Partner, &a.result)
	if err := r.publish(k.await, body, header); err != nil {
		r.unsent(err)
	}
	return nil
}

// reply replies to the asker that awaits an ask with a Result of our own.
func (r *replies) reply(k *ask, result messages.Result) {
	now := time.Now()
	result.ID, result.Key, result.Partner, result.Meta = k.q.ID, k.q.Key, k.q.Partner, k.q.Meta
	result.AnsweredAtMs = now.UnixMilli()
	result.Question = messages.QuestionText(k.entry.Question)
	if result.Outcome != messages.Accepted { // an accepted ask has its line when it is answered
		r.lines.PublishRemembered(&k.q, lineOf(k, &result, now))
	}
	r.passed(k.way, k.q.Partner, &result)
	if k.await != "" {
		r.counted.reply(&result)
		r.counted.answered(&result, now.Sub(k.came))
		r.send(k.await, &result, k.encoding, k.entry.Trace)
	}
}

// failed replies that an ask is not journalled: with the code, and the code's text if there is no
// better one.
func (r *replies) failed(k *ask, code, why string) {
	result := messages.CodeResult(code)
	result.Message = cmp.Or(why, result.Message)
	if code == messages.Overloaded {
		result.RetryAfterMs = retryAfter.Milliseconds()
	}
	r.reply(k, result)
}

// notTaken says why the journal does not take an ask; "": the code's text is enough.
func notTaken(err error) string {
	switch {
	case errors.Is(err, journal.ErrFull):
		return "the workers' log is nearly full"
	case errors.Is(err, journal.ErrQueueFull):
		return "more waits to be written into the workers' log than may"
	}
	return ""
}

// paused replies that the intake is paused, and after how long to ask again.
func (r *replies) paused(k *ask, after time.Duration) {
	result := messages.CodeResult(messages.Paused)
	result.RetryAfterMs = after.Milliseconds()
	r.reply(k, result)
}

// send sends a Result of the query door: once to an inbox, or to a durable subject until it is
// stored. It has its own identity, because it is not a reply to a journalled ask.
func (r *replies) send(to string, result *messages.Result, encoding messages.Encoding, trace string) {
	id := ""
	if r.names.durable(to) {
		id = nuid.Next()
	}
	m, err := message(to, result, encoding, trace, id)
	switch {
	case err != nil:
	case id != "":
		r.durable.add(func(cut int) *nats.Msg {
			if cut > 0 {
				return nil
			}
			return m
		})
	default:
		err = r.nc.PublishMsg(m)
	}
	if err != nil {
		r.unsent(err)
	}
}

// unsent logs now and then that replies do not leave; their askers ask again.
func (r *replies) unsent(err error) {
	if n, due := r.alarms.again("reply", time.Now()); due {
		r.log.Warn("reply not sent", "times", n, "err", err)
	}
}

// message makes a reply. id is its identity in the stream of replies, "" for one to an inbox.
func message(to string, r *messages.Result, encoding messages.Encoding, trace, id string) (*nats.Msg, error) {
	body, err := r.Encode(encoding)
	if err != nil {
		return nil, err
	}
	return &nats.Msg{Subject: to, Data: body, Header: r.ReplyHeader(encoding, trace, id)}, nil
}

// refused counts and records a refusal: each in the query log, and equal ones now and then in the
// worker's log, because any program can cause refusals without end. Nothing that its sender wrote
// is logged. If there is no place to reply to, the line of the dead letter says why.
func (r *replies) refused(a *arrived, f *refusal) {
	r.counted.refused.Add(1)
	if a.door == journal.Await {
		r.counted.answered(&f.result, 0) // it is refused as it is read
	}
	now, q := time.Now(), f.q
	if f.to != "" {
		r.counted.reply(&f.result)
		if n, due := r.alarms.again("refused, "+f.err.Brief(), now); due {
			r.log.Info("query refused", "times", n, "why", f.err.Brief())
		}
	}
	r.passed(a.way, q.Partner, &f.result)
	q.ID = f.result.ID // it may come from a header
	r.lines.PublishRemembered(&q, querylog.Ask{Token: cmp.Or(a.token, nuid.Next()), At: now, AnsweredAt: now,
		Door: doorName(a.door), Subject: a.subject,
		Reply: f.to, Outcome: string(f.result.Outcome), Code: f.result.Code, Trace: a.env.Trace,
		Field: f.err.QueryField()})
}

// lineOf is the line of an ask that gets its reply here. Lines fills in the person.
func lineOf(k *ask, r *messages.Result, now time.Time) querylog.Ask {
	return querylog.Ask{Token: k.entry.Token, At: k.came, AnsweredAt: now, Run: r.Run, Source: string(r.Source),
		Door:    doorName(k.entry.Door),
		Subject: k.subject, Reply: k.await, Outcome: string(r.Outcome), Code: r.Code, Trace: k.entry.Trace}
}

// doorName is the name of a door in package messages.
func doorName(d journal.Door) string {
	if d == journal.Submit {
		return messages.DoorSubmit
	}
	return messages.DoorQuery
}
