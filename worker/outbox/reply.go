// Replies to askers: their bytes and headers.

package outbox

import (
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

// message makes the message of a reply. r is the Result in body, perhaps without the asker's own
// fields.
func (p reply) message(body []byte, r *messages.Result) *nats.Msg {
	id := ""
	if p.durable {
		id = p.token
	}
	return &nats.Msg{Subject: p.to, Data: body, Header: r.ReplyHeader(p.encoding, p.trace, id)}
}
