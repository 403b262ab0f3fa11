// Replies to askers: their bytes and headers, wherever they go.

package outbox

import (
	"cmp"
	"strconv"

	"github.com/nats-io/nats.go"

	"protocolq/messages"
)

// reply is a reply as far as its message needs it.
type reply struct {
	to       string
	encoding messages.Encoding
	trace    string
	token    string // of the ask: the identity of a durable reply
	durable  bool
}

// message makes the message of a reply. r is what body says, but perhaps for what is the asker's
// own.
func (p reply) message(body []byte, r *messages.Result) *nats.Msg {
	m := &nats.Msg{Subject: p.to, Data: body, Header: p.headers(r)}
	if p.durable {
		m.Header[messages.HeaderMsgID] = []string{p.token}
	}
	return m
}

// headers are nil for a plain answer in MessagePack to an inbox: it says all of it itself, and
// headers cost both sides more than the rest of it.
func (p reply) headers(r *messages.Result) nats.Header {
	code := errorCode(r)
	if !p.durable && code == 0 && p.trace == "" && p.encoding == messages.MsgPack {
		return nil
	}
	h := nats.Header{messages.HeaderContentType: {string(p.encoding)}, messages.HeaderOutcome: {string(r.Outcome)}}
	if r.Run != "" {
		h[messages.HeaderRun] = []string{r.Run}
	}
	if code != 0 {
		h[messages.HeaderServiceErrorCode] = []string{strconv.Itoa(code)}
		h[messages.HeaderServiceError] = []string{cmp.Or(r.Code, string(r.Outcome))}
	}
	if p.trace != "" {
		h[messages.Traceparent] = []string{p.trace}
	}
	return h
}

// errorCode is the status that a NATS service's reply carries for an outcome that is no answer, 0
// for one that is.
func errorCode(r *messages.Result) int {
	switch r.Outcome {
	case messages.Unknown:
		return 503
	case messages.Refused:
		switch r.Code {
		case messages.KeyConflict:
			return 409
		case messages.NotAllowed, messages.ReplyRefused:
			return 403
		}
		return 400
	}
	return 0
}
