// The event of a run: what many may know of it.

package outbox

import (
	"encoding/json"
	"time"

	"github.com/nats-io/nats.go"

	"protocolq/messages"
	"protocolq/worker/journal"
)

// Event is what protocol.event.<partner>.<outcome> says about a run, as JSON: personal fields are
// masked, so that many may listen.
type Event struct {
	V            int    `json:"v"` // 1
	Run          string `json:"run"`
	Key          string `json:"key,omitempty"` // as the asker gave it; e-mails in it masked
	Partner      string `json:"partner"`
	UserEmail    string `json:"user_email,omitempty"` // masked
	AccountNo    string `json:"account_no,omitempty"` // masked
	Outcome      string `json:"outcome"`
	ChargeAgent  *bool  `json:"charge_agent,omitempty"`
	RefundCharge *bool  `json:"refund_charge,omitempty"`
	Code         string `json:"code,omitempty"`
	Attempts     int    `json:"attempts"`
	AskedAtMs    int64  `json:"asked_at_ms,omitempty"`
	ExpiresAtMs  int64  `json:"expires_at_ms,omitempty"`
	// AskIDs are the askers' own ids of the asks that the run settles, e-mails in them masked: the
	// first ones, of Asks in all.
	AskIDs []string `json:"ask_ids,omitempty"`
	Asks   int      `json:"asks,omitempty"`
}

// Bounds of the ids in an event.
const (
	mostAskIDs     = 100
	mostAskIDBytes = 8 << 10
)

// How an event is cut that is refused for its size.
const (
	withoutIDs     = 1
	withoutPersons = 2 // also without key
	eventCuts      = 2 // then it is given up
)

// eventOf is the event of a run. q is whom it is about, r the Result that its askers are given.
func eventOf(run *Run, q *messages.Query, r *messages.Result, cut int) Event {
	e := Event{V: messages.Version, Run: r.Run, Partner: q.Partner, Outcome: string(r.Outcome),
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
func askIDs(asks []*journal.Ask) (ids []string) {
	size := 0
	for _, a := range asks {
		q, _, err := messages.DecodeQuery(a.Query, "")
		if err != nil || q.ID == "" {
			continue
		}
		id := messages.MaskText(q.ID)
		if size += len(id); len(ids) == mostAskIDs || size > mostAskIDBytes {
			break
		}
		ids = append(ids, id)
	}
	return ids
}

// eventMessage is the message of an event.
func eventMessage(e *Event, r *messages.Result, names *messages.Names, cloudEvents bool) (*nats.Msg, error) {
	body, err := json.Marshal(e)
	if err != nil {
		return nil, err
	}
	m := &nats.Msg{Subject: names.Event(e.Partner, r.Outcome), Data: body, Header: nats.Header{
		messages.HeaderMsgID:       {e.Run},
		messages.HeaderContentType: {string(messages.JSON)},
		messages.HeaderOutcome:     {string(r.Outcome)},
		messages.HeaderRun:         {e.Run},
	}}
	if cloudEvents {
		addCloudEvent(m.Header, e, names)
	}
	return m, nil
}

// addCloudEvent adds the headers of CloudEvents 1.0 in its binary mode.
func addCloudEvent(h nats.Header, e *Event, names *messages.Names) {
	h["ce-specversion"] = []string{"1.0"}
	h["ce-id"] = []string{e.Run}
	h["ce-source"] = []string{"/protocolq/" + names.Prefix()}
	h["ce-type"] = []string{"protocolq.run." + e.Outcome}
	h["ce-subject"] = []string{e.Partner}
	if e.AskedAtMs > 0 {
		h["ce-time"] = []string{time.UnixMilli(e.AskedAtMs).UTC().Format(time.RFC3339Nano)}
	}
}
