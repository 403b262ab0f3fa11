// Dead letters of messages that are refused and cannot be replied to.

package intake

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"protocolq/messages"
	"protocolq/worker/journal"
)

// deadLetter is a dead letter before its size is decided.
type deadLetter struct {
	reason string            // one of messages.Dead…
	about  messages.Envelope // of the message as it was
	names  *names
}

// deadLetterOf is the dead letter of a message that is refused.
func (n *names) deadLetterOf(a *arrived, f *refusal) *deadLetter {
	l := &deadLetter{reason: messages.DeadUnreadable, names: n}
	if f.err.Code == messages.ReplyRefused {
		l.reason = messages.DeadReplyRefused
	}
	l.about = messages.Envelope{Why: f.err.Error(), Subject: a.subject[:min(len(a.subject), mostSubject)],
		MsgID: a.token + "/" + l.reason,
		ID:    f.result.ID, Partner: f.err.Partner, ContentType: string(f.encoding), Redriven: a.env.Redriven,
		Body: a.env.Body,
		Door: messages.DoorQuery}
	if a.door == journal.Submit { // a message from no stream has no token
		l.about.Door, l.about.Token = messages.DoorSubmit, a.token
	}
	if a.redriven {
		l.about.ReplyTo = a.reply
	}
	return l
}

// token is the identity of the dead message.
func (l *deadLetter) token() string { return strings.TrimSuffix(l.about.MsgID, "/"+l.reason) }

// mostSubject is how much of a message's subject a dead letter holds.
const mostSubject = 255

// bodies is how much of a message a dead letter holds, in bytes, and how much after it was refused
// for its size. A query that is right except for its reply subject is below 4 KiB, and can be asked
// again. Of an unreadable message, a kilobyte and a hash are enough to find its sender. With whole
// bodies, a thousand messages of one asker filled the stream.
func (l *deadLetter) bodies() []int {
	if l.reason == messages.DeadUnreadable {
		return []int{1 << 10, 0}
	}
	return []int{4 << 10, 1 << 10, 0}
}

// message makes the message; nil if there is no shorter one. It is made again for each try.
func (l *deadLetter) message(cut int) *nats.Msg {
	bodies := l.bodies()
	if cut >= len(bodies) {
		return nil
	}
	e := l.about
	if most := bodies[cut]; len(e.Body) > most {
		sum := sha256.Sum256(e.Body)
		e.Why += "; the first " + strconv.Itoa(most) + " of " + strconv.Itoa(len(e.Body)) + " bytes"
		e.BodySum, e.Body = hex.EncodeToString(sum[:]), e.Body[:most]
	}
	return &nats.Msg{Subject: l.names.Dead(l.reason), Data: e.Body, Header: e.Header()}
}

// ackWait is how long to wait for a stream's acknowledgement.
const ackWait = 5 * time.Second

// unreadable is the dead letter of one of the fleet's own messages that is malformed.
func (n *names) unreadable(subject, token, why string, body []byte) *deadLetter {
	return &deadLetter{reason: messages.DeadUnreadable, names: n, about: messages.Envelope{Why: why, Subject: subject,
		Token: token, MsgID: cmp.Or(token, subject) + "/" + messages.DeadUnreadable, Body: body}}
}
