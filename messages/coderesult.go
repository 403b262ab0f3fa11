// What a reply says beside the gateway's word: the Results of our own codes, and the headers.

package messages

import "strconv"

// CodeResult is the Result that one of our own codes comes to, but for what is the asker's own. Of
// any other code it is unknown, never a no.
func CodeResult(code string) Result {
	r := Result{V: Version, Outcome: Unknown, Code: code, Message: Message(code)}
	if o, ok := OutcomeOf(code); ok {
		r.Outcome = o
	}
	r.Retryable = Code{Name: code, Outcome: r.Outcome}.Retryable()
	return r
}

// Status is what the reply of a NATS service carries as its error code for an outcome that is no
// answer: 400, 403, 409 or 503; 0 for one that is.
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
// reply in its stream, "" of one to an inbox. It is nil for a plain answer in MessagePack to an
// inbox without a trace: that says all of it itself, and headers cost both sides more than the rest
// of it.
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
