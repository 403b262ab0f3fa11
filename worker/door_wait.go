// Waiting: a submitted query whose time has not come lies in a stream of its own, and is asked again.

package worker

import (
	"math/rand/v2"
	"strconv"
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
		if rest := millis(msg.Headers().Get(messages.HeaderNotBefore), a.stored).Sub(w.clock.Now()); rest > 0 {
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
		// A backlog that comes due at once is spread over a whole cool-down: in shorter rounds 100,000 of
		// them would cost more than asking does.
		_ = msg.NakWithDelay(w.o.Cooldown/2 + jittered(w.o.Cooldown/2))
		return
	}
	w.join(a)
}

// waitingMessage is the ask as it lies in the stream of waiting queries.
func (w *Worker) waitingMessage(j *job) *nats.Msg {
	a := j.a
	m := &nats.Msg{Subject: w.o.Names.Wait(a.q.Partner), Data: a.msg.Data(), Header: nats.Header{
		messages.HeaderMsgID:       {a.token + "/w1"},
		messages.HeaderToken:       {a.token},
		messages.HeaderContentType: {string(a.encoding)},
		messages.HeaderDoor:        {a.door},
		messages.HeaderID:          {a.q.ID},
		messages.HeaderPartner:     {a.q.Partner},
		messages.HeaderStored:      {strconv.FormatInt(a.stored.UnixMilli(), 10)},
		messages.HeaderNotBefore:   {strconv.FormatInt(w.clock.Now().Add(j.wait).UnixMilli(), 10)},
		messages.HeaderLastCode:    {j.r.Code},
		messages.HeaderSubject:     {a.subject},
	}}
	if n := a.msg.Headers().Get(messages.HeaderRedriven); n != "" {
		m.Header[messages.HeaderRedriven] = []string{n}
	}
	if a.replyTo != "" {
		m.Header[messages.HeaderReplyTo] = []string{a.replyTo}
	}
	if a.trace != "" {
		m.Header[messages.Traceparent] = []string{a.trace}
	}
	return m
}

// letterOf is the dead letter of an ask: the message as it was, and why.
func (w *Worker) letterOf(a *arrival, reason string, r messages.Result) *letter {
	return &letter{reason: reason, why: firstOf(r.Message, r.Code), token: a.token, data: a.msg.Data(), subject: a.subject,
		redriven: a.msg.Headers().Get(messages.HeaderRedriven), tries: a.tries, code: lastCode(a, r.Code), stored: a.stored,
		id: a.q.ID, partner: a.q.Partner, door: a.door, replyTo: a.replyTo, encoding: a.encoding}
}

// lastCode is what came of the query last: for one whose time ended while it
// waited, what was written down before.
func lastCode(a *arrival, code string) string {
	if a.waiting && code == messages.DeadlinePassed {
		return firstOf(a.msg.Headers().Get(messages.HeaderLastCode), code)
	}
	return code
}
