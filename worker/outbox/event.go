// The event of a run: what all listeners may know about it.

package outbox

import (
	"encoding/json"
	"time"

	"github.com/nats-io/nats.go"

	"protocolq/messages"
)

// Bounds of the ids in an event.
const (
	mostAskIDs     = 100
	mostAskIDBytes = 8 << 10
)

// How to shorten an event that is refused for its size.
const (
	withoutIDs     = 1
	withoutPersons = 2 // also without key
	eventCuts      = 2 // after that it is given up
)

// eventOf is the event of a run. q has the person, r is the Result that its askers get.
func eventOf(run *Run, q *messages.Query, r *messages.Result, cut int) messages.Event {
	e := messages.Event{V: messages.Version, Run: r.Run, Partner: q.Partner, Outcome: r.Outcome,
		ChargeAgent: r.ChargeAgent, RefundCharge: r.RefundCharge, Code: r.Code, Attempts: r.Attempts,
		AskedAtMs: r.AskedAtMs, ExpiresAtMs: r.ExpiresAtMs, Asks: max(run.Settles, len(run.Asks))}
	if cut < withoutPersons {
		e.Key = messages.MaskText(q.Key)
		e.UserEmail, e.AccountNo = messages.MaskEmail(q.UserEmail), messages.MaskAccount(q.AccountNo)
	}
	if cut < withoutIDs {
		e.AskIDs = askIDs(run.Asks)
	}
	return e
}

// askIDs are the ids of asks, as many as an event may hold.
func askIDs(asks []Asked) (ids []string) {
	size := 0
	for _, a := range asks {
		id := messages.MaskText(a.id())
		if id == "" {
			continue
		}
		if size += len(id); len(ids) == mostAskIDs || size > mostAskIDBytes {
			break
		}
		ids = append(ids, id)
	}
	return ids
}

// id is the asker's own id.
func (a Asked) id() string {
	if a.Read != nil {
		return a.Read.ID
	}
	q, _, err := messages.DecodeQuery(a.Ask.Query, "")
	if err != nil {
		return "" // the door had read it
	}
	return q.ID
}

// eventMessage is the message of an event. trace is the context of the ask that started the run.
func eventMessage(e *messages.Event, r *messages.Result, trace string, o *Options) (*nats.Msg, error) {
	body, err := json.Marshal(e)
	if err != nil {
		return nil, err
	}
	m := &nats.Msg{Subject: o.Names.Event(e.Partner, r.Outcome), Data: body, Header: nats.Header{
		messages.HeaderMsgID:       {e.Run},
		messages.HeaderContentType: {string(messages.JSON)},
		messages.HeaderOutcome:     {string(r.Outcome)},
		messages.HeaderRun:         {e.Run},
	}}
	if trace != "" {
		m.Header[messages.Traceparent] = []string{trace}
	}
	if o.CloudEvents {
		addCloudEvent(m.Header, e, &o.Names)
	}
	return m, nil
}

// addCloudEvent adds the headers of CloudEvents 1.0 in its binary mode.
func addCloudEvent(h nats.Header, e *messages.Event, names *messages.Names) {
	h["ce-specversion"] = []string{"1.0"}
	h["ce-id"] = []string{e.Run}
	h["ce-source"] = []string{"/protocolq/" + names.Prefix()}
	h["ce-type"] = []string{"protocolq.run." + string(e.Outcome)}
	h["ce-subject"] = []string{e.Partner}
	if e.AskedAtMs > 0 {
		h["ce-time"] = []string{time.UnixMilli(e.AskedAtMs).UTC().Format(time.RFC3339Nano)}
	}
}
