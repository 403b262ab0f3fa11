// What an asker is told: the key's answer, with what belongs to him alone.

package worker

import (
	"strconv"
	"time"

	"github.com/nats-io/nats.go"

	"protocolq/messages"
	"protocolq/worker/dedupe"
)

// result is the answer to one ask, from what its key came to.
func (w *Worker) result(q *messages.Query, v *dedupe.Verdict) messages.Result {
	var r messages.Result
	switch v.Kind {
	case dedupe.Answered:
		stored, err := answerOf(v)
		if err != nil {
			w.log.Error("stored answer not understood", "run", v.Run, "err", err)
			r = own(messages.Crashed)
			break
		}
		r = stored
		r.Run, r.Source = v.Run, sources[v.Source]
		if v.Failed && r.Outcome == messages.Unknown {
			r.RetryAfterMs = max(v.Until.Sub(w.clock.Now()).Milliseconds(), 1)
			if v.Record != nil && v.Record.Once { // final for this ask; a new one is asked at once
				r.RetryAfterMs = retryAfter.Milliseconds()
			}
		}
	case dedupe.Conflict:
		r = own(messages.KeyConflict)
	case dedupe.Expired:
		r = own(messages.DeadlinePassed)
	case dedupe.Held:
		r = own(v.Reason)
		r.RetryAfterMs = max(v.RetryAfter.Milliseconds(), 1)
	default:
		w.metrics.Overloaded.Add(1)
		r = own(messages.Overloaded)
		r.RetryAfterMs = storeCheck.Milliseconds()
	}
	return addressed(r, q)
}

// own is the Result that one of our own codes comes to, but for its message, which [addressed]
// adds.
func own(code string) messages.Result {
	words, _ := Lookup(code)
	r := messages.Result{Outcome: messages.Unknown, Code: code, Retryable: words.Retryable}
	if o, ok := messages.OutcomeOf(code); ok {
		r.Outcome = o
	}
	return r
}

var sources = map[dedupe.Source]messages.Source{dedupe.Asked: messages.Asked, dedupe.Joined: messages.Joined, dedupe.Remembered: messages.Remembered}

// answerOf reads the answer of a verdict, or finds that it was read before: what is
// remembered once is likely to be told to many.
func answerOf(v *dedupe.Verdict) (messages.Result, error) {
	if r, ok := v.Read.(*messages.Result); ok {
		return *r, nil
	}
	if v.Memo != nil {
		if known, ok := v.Memo.Load().(*messages.Result); ok {
			return *known, nil
		}
	}
	r, _, err := messages.DecodeResult(v.Answer, string(messages.MsgPack))
	if err == nil && v.Memo != nil && v.Source == dedupe.Remembered {
		v.Memo.Store(&r)
	}
	return r, err
}

// addressed fills in what belongs to the ask and not to the answer.
func addressed(r messages.Result, q *messages.Query) messages.Result {
	r.V, r.ID, r.Key, r.Partner, r.Meta = messages.Version, q.ID, q.Key, q.Partner, q.Meta
	if r.Message == "" {
		r.Message = messages.Message(r.Code)
	}
	r.AnsweredAtMs = time.Now().UnixMilli()
	return r
}

// headersFor are those of a reply. A plain answer in MessagePack to an inbox has none: it says
// all of it itself, and headers cost both sides more than the rest of it.
func headersFor(r *messages.Result, encoding messages.Encoding, trace string, durable bool) nats.Header {
	code, failed := errorCode(r)
	if !durable && !failed && trace == "" && encoding == messages.MsgPack {
		return nil
	}
	e := messages.Envelope{ContentType: string(encoding), Outcome: r.Outcome, Run: r.Run, Trace: trace}
	if failed {
		e.ErrorCode, e.ErrorMessage = code, firstOf(r.Code, string(r.Outcome))
	}
	return e.Header()
}

// errorCode is the status a NATS service reply carries for an outcome that is no answer.
func errorCode(r *messages.Result) (code string, failed bool) {
	switch {
	case r.Outcome == messages.Refused && r.Code == messages.KeyConflict:
		return strconv.Itoa(409), true
	case r.Outcome == messages.Refused && (r.Code == messages.NotAllowed || r.Code == messages.ReplyRefused):
		return strconv.Itoa(403), true
	case r.Outcome == messages.Refused:
		return strconv.Itoa(400), true
	case r.Outcome == messages.Unknown:
		return strconv.Itoa(503), true
	}
	return "", false
}
