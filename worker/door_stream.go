// The stream's doors: requests that the front door stored, and queries that were submitted.

package worker

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"protocolq/messages"
	"protocolq/worker/dedupe"
)

// pullSize is how many messages a consumer asks for at once. More would sit in
// this process while another is idle. (A message of many askers counts once; the house
// bounds how many of those are taken in.)
const pullSize = 256

// consume takes from a durable consumer of a stream, and begins again when the
// consumer was deleted and made anew. The returned func stops it and waits until
// all that it had taken was given back.
func (w *Worker) consume(ctx context.Context, kind messages.Kind, name string, take jetstream.MessageHandler) (func(context.Context), error) {
	ctx, stop := context.WithCancel(ctx)
	c, err := w.begin(ctx, kind, name, take)
	if err != nil {
		stop()
		return nil, err
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-ctx.Done():
				c.Drain() // Stop would leave buffered messages to their AckWait
				<-c.Closed()
				return
			case <-c.Closed():
			}
			w.log.Warn("consumer is gone, looked for again", "consumer", name)
			next, err := w.begin(ctx, kind, name, take)
			if err != nil {
				return // closing
			}
			c = next
		}
	}()
	return func(ctx context.Context) {
		stop()
		select {
		case <-ended:
		case <-ctx.Done():
		}
	}, nil
}

// mostSilence is after how many heartbeats missed in a row a consumer is looked for
// again: it may have been made anew without a word to us.
const mostSilence = 5

// begin waits until the consumer is there and begins to take from it.
func (w *Worker) begin(ctx context.Context, kind messages.Kind, name string, take jetstream.MessageHandler) (jetstream.ConsumeContext, error) {
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		c, err := w.js.Consumer(ctx, w.o.Names.Stream(kind), name)
		if err == nil {
			w.taken.every.Store(int64(c.CachedInfo().Config.AckWait / 3))
			return w.pull(c, name, take)
		}
		w.log.Warn("consumer is not there yet", "consumer", name, "err", err, "retry_in", wait.String(), "hint", "run protocolq provision")
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for consumer %s: %w", name, ctx.Err())
		case <-time.After(wait):
		}
	}
}

func (w *Worker) pull(c jetstream.Consumer, name string, take jetstream.MessageHandler) (jetstream.ConsumeContext, error) {
	var silent atomic.Int32
	heard := func(m jetstream.Msg) {
		silent.Store(0)
		take(m)
	}
	consuming, err := c.Consume(heard, jetstream.PullMaxMessages(pullSize), jetstream.PullExpiry(10*time.Second),
		jetstream.PullHeartbeat(2*time.Second), jetstream.ConsumeErrHandler(func(cc jetstream.ConsumeContext, err error) {
			w.log.Warn("consumer in trouble", "consumer", name, "err", err)
			if errors.Is(err, jetstream.ErrNoHeartbeat) && silent.Add(1) >= mostSilence && w.o.NATS.IsConnected() {
				cc.Stop()
			}
		}))
	if err != nil {
		return nil, fmt.Errorf("consume %s: %w", name, err)
	}
	return consuming, nil
}

// take hands one stored query, or a batch of them, to its key's flight. It blocks while the house
// is full, which keeps the consumer from pulling more.
func (w *Worker) take(msg jetstream.Msg) {
	if msg.Subject() == w.o.Names.Requests() {
		w.takeBatch(msg)
		return
	}
	if a, in, ok := w.arrive(msg); ok {
		w.admitted(a, in)
	}
}

// admitted joins an ask that has come out of a stream to its key, if it is right and there is room.
func (w *Worker) admitted(a *arrival, in *inbound) {
	if a.door == messages.DoorSubmit {
		w.metrics.Submitted.Add(1)
	}
	if a.again {
		w.metrics.Redelivered.Add(1)
	}
	if !w.admit(a, in) {
		return
	}
	if !w.taken.enter(a) {
		_ = a.msg.NakWithDelay(0)
		return
	}
	w.join(a)
}

// arrive reads what the stream says about a message: who asked, by what door, when.
func (w *Worker) arrive(msg jetstream.Msg) (*arrival, *inbound, bool) {
	meta, err := msg.Metadata()
	if err != nil {
		w.log.Error("message without metadata", "err", err)
		return nil, nil, false
	}
	in := w.arrived(w.o.Names.ParseEnvelope(msg.Subject(), msg.Headers(), msg.Data()))
	if _, submitted := w.o.Names.PartnerOf(msg.Subject()); submitted {
		in.token = strconv.FormatUint(meta.Sequence.Stream, 10) + "-" + strconv.FormatInt(meta.Timestamp.UnixNano(), 10)
		in.env.ID = firstOf(in.env.ID, in.token)
	}
	a, in := w.arrival(in, msg, meta)
	a.waiting = strings.HasPrefix(msg.Subject(), w.o.Names.Wait("")) // written by ourselves, with what the message itself does not say
	return a, in, true
}

// arrival is an ask out of a stream, from the message that it is acknowledged by.
func (w *Worker) arrival(in *inbound, from delivery, meta *jetstream.MsgMetadata) (*arrival, *inbound) {
	in.msg = from
	return &arrival{msg: from, stored: millis(in.env.StoredMs, meta.Timestamp), again: meta.NumDelivered > 1, tries: meta.NumDelivered, bytes: len(in.env.Body) + 512,
		door: in.door, token: in.token, subject: in.subject, trace: in.trace(), redriven: in.env.Redriven, lastCode: in.env.LastCode}, in
}

// admit decodes and checks the query, unless this worker's own front door has; one that is not
// right is refused and acknowledged.
func (w *Worker) admit(a *arrival, in *inbound) bool {
	if known, ok := w.front.posted.take(a.token); ok {
		a.q, a.encoding, a.replyTo = known.q, known.encoding, in.natsReply
		return true
	}
	q, encoding, refusal := w.read(in)
	if refusal != nil {
		w.refuse(in, encoding, refusal)
		return false
	}
	a.q, a.encoding = q, encoding
	a.replyTo = firstOf(q.ReplyTo, in.natsReply)
	return true
}

// join hands the ask to its key's flight.
func (w *Worker) join(a *arrival) {
	ask := w.ask(a.token, a.q, a.stored, a.door)
	a.until = ask.Until
	ask.Tell = func(v dedupe.Verdict) { w.answer(a, v) }
	w.group.Join(a.q.KeyToken(), ask)
}

// millis is unix milliseconds that an envelope says, if it does.
func millis(ms int64, otherwise time.Time) time.Time {
	if ms == 0 {
		return otherwise
	}
	return time.UnixMilli(ms)
}

// answer turns a verdict into a reply on its way, lets the query wait for a
// better time, or gives it back.
func (w *Worker) answer(a *arrival, v dedupe.Verdict) {
	if p, ok := a.msg.(*part); ok && p.moved.Load() { // answered where it is delivered again
		w.taken.leave(a)
		return
	}
	if v.Kind == dedupe.GivenBack {
		w.taken.leave(a)
		_ = a.msg.NakWithDelay(0)
		return
	}
	j := &job{to: a.replyTo, r: w.result(&a.q, &v), encoding: a.encoding, trace: a.trace, token: a.token, msg: a.msg, a: a,
		event: (a.again || v.Source == dedupe.Asked) && w.retold(&v), record: v.Record}
	if delay, ok := w.mayWait(a, &v, &j.r); ok {
		j.wait = delay
		w.replier.add(j)
		return
	}
	w.metrics.reply(&j.r)
	if reason := letterFor(a, &v, &j.r); reason != "" {
		j.letter = w.letterOf(a, reason, j.r)
	}
	w.replier.add(j)
}

// letterFor is the reason of the dead letter that goes with an answer; "" none. An
// asker who awaited and left needs none.
func letterFor(a *arrival, v *dedupe.Verdict, r *messages.Result) string {
	switch {
	case v.Failed && v.Deaths >= maxDeaths && v.Source != dedupe.Remembered:
		return messages.DeadPoison
	case a.patient() && v.Failed && r.Code == messages.Crashed && v.Source != dedupe.Remembered:
		return messages.DeadCrashed
	case a.patient() && (v.Kind == dedupe.Expired || comesAgain(v, r)):
		return messages.DeadExpired
	}
	return ""
}

// maxDeaths is how many holders may die over a key before it is given up.
const maxDeaths = 3
