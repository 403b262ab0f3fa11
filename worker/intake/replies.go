// Replies of the doors' own: from memory, refusals, and what is not taken.

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

// retryAfter is when who was not taken should ask again.
const retryAfter = time.Second

// replies sends what is not journalled.
type replies struct {
	nc      *nats.Conn
	names   *names
	durable *posts // into the stream of replies, of the query door
	letters *posts // of the query door
	lines   Lines
	traces  Traces // nil: nobody follows
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

// remembered replies with a remembered answer. With an error the asker was not replied to.
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

// reply replies to whoever awaits an ask with a Result of our own.
func (r *replies) reply(k *ask, result messages.Result) {
	now := time.Now()
	result.ID, result.Key, result.Partner, result.Meta = k.q.ID, k.q.Key, k.q.Partner, k.q.Meta
	result.AnsweredAtMs = now.UnixMilli()
	result.Question = messages.QuestionText(k.entry.Question)
	if result.Outcome != messages.Accepted { // which has its line when it is answered
		r.lines.PublishRemembered(&k.q, lineOf(k, &result, now))
	}
	r.passed(k.way, k.q.Partner, &result)
	if k.await != "" {
		r.counted.reply(&result)
		r.counted.answered(&result, now.Sub(k.came))
		r.send(k.await, &result, k.encoding, k.entry.Trace)
	}
}

// failed replies that an ask is not journalled: with the code, and its words where there are no
// better ones.
func (r *replies) failed(k *ask, code, why string) {
	result := messages.CodeResult(code)
	result.Message = cmp.Or(why, result.Message)
	if code == messages.Overloaded {
		result.RetryAfterMs = retryAfter.Milliseconds()
	}
	r.reply(k, result)
}

// notTaken says why the journal does not take an ask; "": the code says it.
func notTaken(err error) string {
	switch {
	case errors.Is(err, journal.ErrFull):
		return "the workers' log is nearly full"
	case errors.Is(err, journal.ErrQueueFull):
		return "more waits to be written into the workers' log than may"
	}
	return ""
}

// paused replies that nothing is taken in, and after how long to ask again.
func (r *replies) paused(k *ask, after time.Duration) {
	result := messages.CodeResult(messages.Paused)
	result.RetryAfterMs = after.Milliseconds()
	r.reply(k, result)
}

// send sends a Result of the query door, once to an inbox, and until it is stored to a durable
// subject: with an identity of its own, as it is no reply to what is journalled.
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

// unsent says now and then that replies do not leave; their askers ask again.
func (r *replies) unsent(err error) {
	if n, due := r.alarms.again("reply", time.Now()); due {
		r.log.Warn("reply not sent", "times", n, "err", err)
	}
}

// message makes a reply. id is its identity in the stream of replies, "" of one to an inbox.
func message(to string, r *messages.Result, encoding messages.Encoding, trace, id string) (*nats.Msg, error) {
	body, err := r.Encode(encoding)
	if err != nil {
		return nil, err
	}
	return &nats.Msg{Subject: to, Data: body, Header: r.ReplyHeader(encoding, trace, id)}, nil
}

// refused counts a refusal and writes it down: each into the query log, and those alike into the
// worker's once in a while, as anybody can be refused without end. Nothing that its sender wrote is
// logged. Of one whose sender cannot be replied to the line of its dead letter says why.
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
	q.ID = f.result.ID // it may stand in a header
	r.lines.PublishRemembered(&q, querylog.Ask{Token: cmp.Or(a.token, nuid.Next()), At: now, AnsweredAt: now,
		Door: doorName(a.door), Subject: a.subject,
		Reply: f.to, Outcome: string(f.result.Outcome), Code: f.result.Code, Trace: a.env.Trace,
		Field: f.err.QueryField()})
}

// lineOf is the line of an ask that is replied to here. Whom it is about is filled in by Lines.
func lineOf(k *ask, r *messages.Result, now time.Time) querylog.Ask {
	return querylog.Ask{Token: k.entry.Token, At: k.came, AnsweredAt: now, Run: r.Run, Source: string(r.Source),
		Door:    doorName(k.entry.Door),
		Subject: k.subject, Reply: k.await, Outcome: string(r.Outcome), Code: r.Code, Trace: k.entry.Trace}
}

// doorName is a door in the words of messages.
func doorName(d journal.Door) string {
	if d == journal.Submit {
		return messages.DoorSubmit
	}
	return messages.DoorQuery
}
