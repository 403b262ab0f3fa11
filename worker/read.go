// Reading a message from outside: what it asks, and whether it may.

package worker

import (
	"errors"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nuid"

	"protocolq/messages"
)

// inbound is a message as it came in by a door.
type inbound struct {
	data      []byte
	head      nats.Header
	subject   string // where it was sent to
	natsReply string // where its sender awaits; "" nowhere
	id        string // stands in for a query without an id
	partner   string // the same for its partner
	token     string // identity of the ask, when it came out of a stream
	door      string // messages.DoorQuery or DoorSubmit
	carried   string // its traceparent, where it has no headers
	msg       delivery

	named, partnered bool // the message itself says the id, the partner; set by read
}

func (in *inbound) trace() string { return firstOf(traceOf(in.head), in.carried) }

// read decodes and checks a message. A refusal names what is wrong; the query
// then holds what could be read, so that the refusal can be addressed.
func (w *Worker) read(in *inbound) (messages.Query, messages.Encoding, *messages.Error) {
	q, encoding, err := messages.DecodeQuery(in.data, in.head.Get(messages.HeaderContentType))
	if err != nil {
		refusal, ok := errors.AsType[*messages.Error](err)
		if !ok {
			refusal = &messages.Error{Code: messages.BadRequest, Reason: err.Error()}
		}
		return q, encoding, refusal
	}
	in.named, in.partnered = q.ID != "", q.Partner != ""
	q.ID = firstOf(q.ID, usableID(in.id), usableID(in.head.Get(messages.HeaderMsgID)), nuid.Next())
	refuse := func(code, field, reason string) (messages.Query, messages.Encoding, *messages.Error) {
		return q, encoding, &messages.Error{Code: code, Field: field, Reason: reason, ID: q.ID, Key: q.Key, Partner: q.Partner, ReplyTo: q.ReplyTo}
	}
	if p, ok := w.o.Names.PartnerOf(in.subject); ok && p != "" {
		if q.Partner != "" && q.Partner != p {
			return refuse(messages.NotAllowed, "partner", "is not that of the subject it was sent to; use the subject of this partner")
		}
		q.Partner = p
	}
	q.Partner = firstOf(q.Partner, in.partner, w.o.DefaultPartner)
	switch {
	case q.Partner == "":
		return refuse(messages.BadRequest, "partner", "is missing and there is no default one; name the partner")
	case !slices.Contains(w.o.Partners, q.Partner):
		return refuse(messages.NotAllowed, "partner", "is not served here; check it, or have it configured")
	}
	for _, to := range []string{q.ReplyTo, in.natsReply} {
		if to == "" {
			continue
		}
		if err := w.o.Names.CheckReply(to, w.o.ReplyAllow, w.o.OwnInboxes); err != nil {
			refusal, _ := errors.AsType[*messages.Error](err)
			refusal.ID, refusal.Key, refusal.Partner = q.ID, q.Key, q.Partner
			return q, encoding, refusal
		}
	}
	return q, encoding, nil
}

// refuse tells the sender what is wrong, or writes a dead letter when there is
// nowhere to tell it. No gateway call is made.
func (w *Worker) refuse(in *inbound, encoding messages.Encoding, e *messages.Error) {
	w.metrics.Refused.Add(1)
	r := e.Result()
	r.ID = firstOf(r.ID, usableID(in.id), usableID(in.head.Get(messages.HeaderMsgID)))
	to := w.refusalPlace(in, e)
	w.log.Info("query refused", "why", e.Brief(), "told", to != "")
	w.lines.PublishRemembered(&messages.Query{ID: r.ID}, w.refusedLine(in, e.Code, &r))
	j := &job{to: to, r: r, encoding: encoding, trace: in.trace(), token: in.token, msg: in.msg}
	if j.encoding == "" {
		j.encoding = messages.MsgPack
	}
	if to == "" {
		j.letter = &letter{reason: reasonFor(e), why: e.Error(), brief: e.Brief(), token: in.token, subject: in.subject, data: in.data,
			redriven: in.head.Get(messages.HeaderRedriven), id: r.ID, partner: e.Partner, door: in.door, encoding: encoding}
	} else {
		w.metrics.reply(&r)
	}
	w.replier.add(j)
}

// usableID is a message's id in a header when it can be told back, else "". An
// asker may put anything there.
func usableID(id string) string {
	if !utf8.ValidString(id) || utf8.RuneCountInString(id) > 128 || strings.ContainsFunc(id, unicode.IsControl) {
		return ""
	}
	return id
}

// refusalPlace is where a refusal may be sent: the sender's reply subject, or
// the one in the message, whichever is allowed; "" when none is.
func (w *Worker) refusalPlace(in *inbound, e *messages.Error) string {
	for _, to := range []string{in.natsReply, e.ReplyTo} {
		if to != "" && w.o.Names.CheckReply(to, w.o.ReplyAllow, w.o.OwnInboxes) == nil {
			return to
		}
	}
	return ""
}

func reasonFor(e *messages.Error) string {
	if e.Code == messages.ReplyRefused {
		return messages.DeadReplyRefused
	}
	return messages.DeadUnreadable
}
