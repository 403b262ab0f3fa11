// The stream's doors: requests that the front door stored, and queries that were submitted.

package worker

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"protocolq/messages"
	"protocolq/worker/dedupe"
)

// pullSize is how many messages a consumer asks for at once. More would sit in
// this process while another is idle.
const pullSize = 256

// consume begins to take from a durable consumer; the returned func stops it
// and waits until all that it had taken was given back.
func (w *Worker) consume(ctx context.Context, name string) (func(), error) {
	stream := w.o.Names.Stream(messages.Requests)
	var c jetstream.Consumer
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		var err error
		if c, err = w.js.Consumer(ctx, stream, name); err == nil {
			break
		}
		w.log.Warn("consumer is not there yet", "consumer", name, "err", err, "retry_in", wait, "hint", "run protocolq provision")
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for consumer %s: %w", name, ctx.Err())
		case <-time.After(wait):
		}
	}
	w.taken.every.Store(int64(c.CachedInfo().Config.AckWait / 3))
	consuming, err := c.Consume(w.take, jetstream.PullMaxMessages(pullSize), jetstream.PullExpiry(10*time.Second),
		jetstream.PullHeartbeat(2*time.Second), jetstream.ConsumeErrHandler(func(_ jetstream.ConsumeContext, err error) {
			w.log.Warn("consumer", "consumer", name, "err", err)
		}))
	if err != nil {
		return nil, fmt.Errorf("consume %s: %w", name, err)
	}
	return func() {
		consuming.Drain() // Stop would leave buffered messages to their AckWait
		select {
		case <-consuming.Closed():
		case <-time.After(publishTimeout):
		}
	}, nil
}

// take hands one stored query to its key's flight. It blocks while the house is
// full, which keeps the consumer from pulling more.
func (w *Worker) take(msg jetstream.Msg) {
	meta, err := msg.Metadata()
	if err != nil {
		w.log.Error("message without metadata", "err", err)
		return
	}
	a := &arrival{msg: msg, stored: meta.Timestamp, again: meta.NumDelivered > 1, bytes: len(msg.Data()) + 512}
	head := msg.Headers()
	in := &inbound{data: msg.Data(), head: head, subject: msg.Subject(), msg: msg}
	if a.door = head.Get(messages.HeaderDoor); a.door == messages.DoorQuery && w.isRequest(msg.Subject()) {
		a.token, in.id, in.partner = head.Get(messages.HeaderMsgID), head.Get(messages.HeaderID), head.Get(messages.HeaderPartner)
		in.subject, in.natsReply = head.Get(messages.HeaderSubject), head.Get(messages.HeaderReplyTo)
	} else {
		w.metrics.Submitted.Add(1)
		a.door = messages.DoorSubmit
		a.token = strconv.FormatUint(meta.Sequence.Stream, 10) + "-" + strconv.FormatInt(meta.Timestamp.UnixNano(), 10)
		in.id = firstOf(head.Get(messages.HeaderMsgID), a.token)
	}
	in.token = a.token
	if a.again {
		w.metrics.Redelivered.Add(1)
	}
	q, encoding, refusal := w.read(in)
	if refusal != nil {
		w.refuse(in, encoding, refusal)
		return
	}
	a.q, a.encoding, a.trace = q, encoding, traceOf(head)
	a.replyTo = firstOf(q.ReplyTo, in.natsReply)
	if !w.taken.enter(a) {
		_ = msg.Nak()
		return
	}
	ask := w.ask(q, a.stored, a.door)
	ask.Tell = func(v dedupe.Verdict) { w.answer(a, v) }
	w.group.Join(q.KeyToken(), ask)
}

func (w *Worker) isRequest(subject string) bool {
	_, ok := w.o.Names.KeyOf(subject)
	return ok
}

// answer turns a verdict into a reply on its way, or gives the ask back.
func (w *Worker) answer(a *arrival, v dedupe.Verdict) {
	if v.Kind == dedupe.GivenBack {
		w.taken.leave(a)
		_ = a.msg.Nak()
		return
	}
	if v.Kind == dedupe.Overloaded && a.door == messages.DoorSubmit {
		w.taken.leave(a)
		_ = a.msg.NakWithDelay(storeCheck)
		return
	}
	j := &job{to: a.replyTo, r: w.result(&a.q, &v), encoding: a.encoding, trace: a.trace, token: a.token, msg: a.msg, a: a,
		event: v.Kind == dedupe.Answered && a.again && !v.Mine}
	w.metrics.reply(&j.r)
	if reason := letterFor(a, &v); reason != "" {
		j.letter = &letter{reason: reason, why: j.r.Message, token: a.token, subject: a.msg.Subject(), data: a.msg.Data(), head: a.msg.Headers()}
	}
	w.replier.add(j)
}

// letterFor is the reason of the dead letter that goes with an answer; "" none. An
// asker who awaited and left needs none.
func letterFor(a *arrival, v *dedupe.Verdict) string {
	switch {
	case v.Kind == dedupe.Expired && (a.door == messages.DoorSubmit || a.q.ReplyTo != ""):
		return messages.DeadExpired
	case v.Failed && v.Deaths >= maxDeaths:
		return messages.DeadPoison
	}
	return ""
}

// maxDeaths is how many holders may die over a key before it is given up.
const maxDeaths = 3

// result is the answer to one ask, from what its key came to.
func (w *Worker) result(q *messages.Query, v *dedupe.Verdict) messages.Result {
	r := messages.Result{Outcome: messages.Unknown}
	switch v.Kind {
	case dedupe.Answered:
		stored, _, err := messages.DecodeResult(v.Answer, string(messages.MsgPack))
		if err != nil {
			w.log.Error("stored answer not understood", "run", v.Run, "err", err)
			r.Code, r.Retryable = messages.Crashed, true
			break
		}
		r = stored
		r.Run, r.Source = v.Run, sources[v.Source]
		if v.Failed && r.Outcome == messages.Unknown {
			r.RetryAfterMs = max(v.Until.Sub(w.clock.Now()).Milliseconds(), 1)
		}
	case dedupe.Conflict:
		r.Outcome, r.Code = messages.Refused, messages.KeyConflict
	case dedupe.Expired:
		r.Code, r.Retryable = messages.DeadlinePassed, true
	default:
		w.metrics.Overloaded.Add(1)
		r.Code, r.Retryable, r.RetryAfterMs = messages.Overloaded, true, storeCheck.Milliseconds()
	}
	return addressed(r, q)
}

var sources = map[dedupe.Source]messages.Source{dedupe.Asked: messages.Asked, dedupe.Joined: messages.Joined, dedupe.Remembered: messages.Remembered}

// addressed fills in what belongs to the ask and not to the answer.
func addressed(r messages.Result, q *messages.Query) messages.Result {
	r.V, r.ID, r.Key, r.Partner, r.Meta = messages.Version, q.ID, q.Key, q.Partner, q.Meta
	if r.Message == "" {
		r.Message = messages.Message(r.Code)
	}
	r.AnsweredAtMs = time.Now().UnixMilli()
	return r
}

// headersFor are those of a reply.
func headersFor(r *messages.Result, encoding messages.Encoding, trace string) nats.Header {
	h := nats.Header{messages.HeaderContentType: {string(encoding)}, messages.HeaderOutcome: {string(r.Outcome)}}
	if r.Run != "" {
		h[messages.HeaderRun] = []string{r.Run}
	}
	if code, failed := errorCode(r); failed {
		h[messages.HeaderServiceErrorCode] = []string{code}
		h[messages.HeaderServiceError] = []string{firstOf(r.Code, string(r.Outcome))}
	}
	if trace != "" {
		h[messages.Traceparent] = []string{trace}
	}
	return h
}
