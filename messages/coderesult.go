// What a reply says in addition to the gateway's answer: the Results of our own codes, and the
// headers.

package messages

import "strconv"

// CodeResult is the Result for one of our own codes, without what belongs to the asker. For any
// other code it is unknown, never a "no".
func CodeResult(code string) Result {
	r := Result{V: Version, Outcome: Unknown, Code: code, Message: Message(code)}
	if o, ok := OutcomeOf(code); ok {
		r.Outcome = o
	}
	r.Retryable = Code{Name: code, Outcome: r.Outcome}.Retryable()
	return r
}

// Status is the error code of a NATS service's reply for an outcome that is not an answer: 400,
// 403, 409 or 503; 0 for an answer.
func (r *Result) Status() int {
	switch r.Outcome {
	case Unknown:
		return 503
	case Refused:
		switch r.Code {
		case KeyConflict:
			return 409
		case NotAllowed, ReplyRefused:
			return 403
		}
		return 400
	}
	return 0
}

// ReplyHeader is the header of a reply that holds this Result. id is the identity of a durable
// reply in its stream, "" for a reply to an inbox. The header is nil for a plain MessagePack answer
// to an inbox without a trace: the body says everything, and headers would cost both sides more
// than the rest of the reply.
func (r *Result) ReplyHeader(e Encoding, trace, id string) map[string][]string {
	status := r.Status()
	if id == "" && status == 0 && trace == "" && e == MsgPack {
		return nil
	}
	h := Envelope{ContentType: string(e), MsgID: id, Outcome: r.Outcome, Run: r.Run, Trace: trace}
	if status != 0 {
		h.ErrorCode, h.ErrorMessage = strconv.Itoa(status), r.Code
		if r.Code == "" {
			h.ErrorMessage = string(r.Outcome)
		}
	}
	return h.Header()
}
