// Waiting: a submitted query whose time has not come lies in a stream of its own, and is asked
// again.

package worker

import (
	"math/rand/v2"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"protocolq/messages"
	"protocolq/worker/dedupe"
)

// patient reports whether the ask may be answered much later: its reply does not
// go to somebody who awaits it now.
func (a *arrival) patient() bool {
	return a.door == messages.DoorSubmit || a.q.ReplyTo != "" || a.replyTo == ""
}

// comesAgain reports whether asking again later may bring what v does not say.
func comesAgain(v *dedupe.Verdict, r *messages.Result) bool {
	switch v.Kind {
	case dedupe.Overloaded, dedupe.Held:
		return true
	case dedupe.Answered: // a holder's death is final for those who waited then
		return v.Failed && r.Outcome == messages.Unknown && r.Retryable && r.Code != messages.Crashed
	}
	return false
}

// mayWait says how long a patient ask waits before it is tried again; not at all
// when its own time would end before.
func (w *Worker) mayWait(a *arrival, v *dedupe.Verdict, r *messages.Result) (time.Duration, bool) {
	if !a.patient() || !comesAgain(v, r) {
		return 0, false
	}
	delay := jittered(max(time.Duration(r.RetryAfterMs)*time.Millisecond, time.Second))
	return delay, w.clock.Now().Add(delay).Before(a.until)
}

// jittered is d and up to a tenth more, so that those who failed together do not
// come back together.
func jittered(d time.Duration) time.Duration {
	return d + time.Duration(rand.Int64N(int64(d)/10+1))
}

// takeWaiting hands a waiting query to its key's flight once its time has come.
// The server holds it back meanwhile; nothing here remembers it.
func (w *Worker) takeWaiting(msg jetstream.Msg) {
	a, in, ok := w.arrive(msg)
	if !ok {
		return
	}
	if a.tries == 1 { // every later delivery comes at its time
		if rest := millis(in.env.NotBeforeMs, a.stored).Sub(w.clock.Now()); rest > 0 {
			_ = msg.NakWithDelay(rest)
			return
		}
	}
	if !w.admit(a, in) {
		return
	}
	if expired := !w.clock.Now().Before(w.ask(a.token, a.q, a.stored, a.door).Until); expired {
		if !w.taken.enter(a) { // it only wants its last word
			_ = msg.NakWithDelay(0)
			return
		}
	} else if !w.taken.enterWaiting(a) {
		// A backlog that comes due at once is spread over a whole cool-down: in shorter rounds
		// 100,000 of them would cost more than asking does.
		_ = msg.NakWithDelay(w.o.Cooldown/2 + jittered(w.o.Cooldown/2))
		return
	}
	w.join(a)
}

// waitingMessage is the ask as it lies in the stream of waiting queries.
func (w *Worker) waitingMessage(j *job) *nats.Msg {
	e := j.a.envelope()
	e.MsgID, e.NotBeforeMs, e.LastCode = e.Token+"/w1", w.clock.Now().Add(j.wait).UnixMilli(), j.r.Code
	return &nats.Msg{Subject: w.o.Names.Wait(j.a.q.Partner), Data: e.Body, Header: e.Header()}
}

// envelope is the ask as the fleet stores it: all that is known of it, beside the message as it
// was.
func (a *arrival) envelope() messages.Envelope {
	return messages.Envelope{Token: a.token, ContentType: string(a.encoding), Door: a.door, ID: a.q.ID, Partner: a.q.Partner, Subject: a.subject,
		ReplyTo: a.replyTo, Trace: a.trace, StoredMs: a.stored.UnixMilli(), Redriven: a.redriven, Body: a.msg.Data()}
}

// letterOf is the dead letter of an ask: the message as it was, and why.
func (w *Worker) letterOf(a *arrival, reason string, r messages.Result) *letter {
	l := &letter{reason: reason, Envelope: a.envelope()}
	l.Why, l.Tries, l.LastCode = firstOf(r.Message, r.Code), int64(a.tries), lastCode(a, r.Code)
	l.Trace = "" // a letter carries none
	return l
}

// lastCode is what came of the query last: for one whose time ended while it
// waited, what was written down before.
func lastCode(a *arrival, code string) string {
	if a.waiting && code == messages.DeadlinePassed {
		return firstOf(a.lastCode, code)
	}
	return code
}
