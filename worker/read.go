// Reading a message from outside: what it asks, and whether it may.

package worker

import (
	"errors"
	"slices"

	"github.com/nats-io/nuid"

	"protocolq/messages"
)

// inbound is a message as it came in by a door.
type inbound struct {
	env       messages.Envelope
	fault     error  // what is wrong with it besides its body
	subject   string // where it was sent to
	natsReply string // where its sender awaits; "" nowhere
	token     string // identity of the ask, when it came out of a stream
	door      string // messages.DoorQuery or DoorSubmit
	msg       delivery

	named, partnered bool // the message itself says the id, the partner; set by read
}

// arrived is an envelope with what its kind implies: a request comes by the front door, and by its
// plain subject, unless it says otherwise.
func (w *Worker) arrived(e messages.Envelope, fault error) *inbound {
	return &inbound{env: e, fault: fault, subject: firstOf(e.Subject, w.o.Names.Query()), natsReply: e.ReplyTo, token: e.Token, door: firstOf(e.Door, messages.DoorQuery)}
}

func (in *inbound) trace() string { return in.env.Trace }

// id stands in for a query without one.
func (in *inbound) id() string { return firstOf(in.env.ID, messages.UsableID(in.env.MsgID)) }

// read decodes and checks a message. A refusal names what is wrong; the query
// then holds what could be read, so that the refusal can be addressed.
func (w *Worker) read(in *inbound) (messages.Query, messages.Encoding, *messages.Error) {
	q, encoding, err := in.env.Query()
	if err != nil {
		refusal, ok := errors.AsType[*messages.Error](err)
		if !ok {
			refusal = &messages.Error{Code: messages.BadRequest, Reason: err.Error()}
		}
		return q, encoding, refusal
	}
	in.named, in.partnered = q.ID != "", q.Partner != ""
	q.ID = firstOf(q.ID, in.id(), nuid.Next())
	refuse := func(code, field, reason string) (messages.Query, messages.Encoding, *messages.Error) {
		return q, encoding, &messages.Error{Code: code, Field: field, Reason: reason, ID: q.ID, Key: q.Key, Partner: q.Partner, ReplyTo: q.ReplyTo}
	}
	if fault, ok := errors.AsType[*messages.Error](in.fault); ok {
		return refuse(fault.Code, fault.Field, fault.Reason)
	}
	if p, ok := w.o.Names.PartnerOf(in.subject); ok && p != "" {
		if q.Partner != "" && q.Partner != p {
			return refuse(messages.NotAllowed, "partner", "is not that of the subject it was sent to; use the subject of this partner")
		}
		q.Partner = p
	}
	q.Partner = firstOf(q.Partner, in.env.Partner, w.o.DefaultPartner)
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
	r.ID = firstOf(r.ID, in.id())
	to := w.refusalPlace(in, e)
	w.log.Info("query refused", "why", e.Brief(), "told", to != "")
	w.lines.PublishRemembered(&messages.Query{ID: r.ID}, w.refusedLine(in, e.Code, &r))
	j := &job{to: to, r: r, encoding: encoding, trace: in.trace(), token: in.token, msg: in.msg}
	if j.encoding == "" {
		j.encoding = messages.MsgPack
	}
	if to == "" {
		j.letter = &letter{reason: reasonFor(e), brief: e.Brief(), Envelope: messages.Envelope{Why: e.Error(), Token: in.token, Subject: in.subject, Body: in.env.Body,
			Redriven: in.env.Redriven, ID: r.ID, Partner: e.Partner, Door: in.door, ContentType: string(encoding)}}
	} else {
		w.metrics.reply(&r)
	}
	w.replier.add(j)
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
