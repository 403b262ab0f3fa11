// An event: one is published for each run of the gateway.

package messages

import (
	"encoding/json"
	"fmt"
)

// Event is what protocol.event.<partner>.<outcome> says about a run, as JSON. Personal fields are
// masked, so that many may read it.
type Event struct {
	V            int     `json:"v"` // 1
	Run          string  `json:"run"`
	Key          string  `json:"key,omitempty"` // as the asker gave it; e-mails in it masked
	Partner      string  `json:"partner"`
	UserEmail    string  `json:"user_email,omitempty"` // masked
	AccountNo    string  `json:"account_no,omitempty"` // masked
	Outcome      Outcome `json:"outcome"`
	ChargeAgent  *bool   `json:"charge_agent,omitempty"`
	RefundCharge *bool   `json:"refund_charge,omitempty"`
	Code         string  `json:"code,omitempty"`
	Attempts     int     `json:"attempts"`
	AskedAtMs    int64   `json:"asked_at_ms,omitempty"`
	ExpiresAtMs  int64   `json:"expires_at_ms,omitempty"`
	// AskIDs are the askers' own ids for the asks that the run settles, with e-mails masked: the first
	// ones, of Asks in total.
	AskIDs []string `json:"ask_ids,omitempty"`
	Asks   int      `json:"asks,omitempty"`
}

// DecodeEvent reads an Event, and skips unknown names. The error is an *Error.
func DecodeEvent(data []byte) (Event, error) {
	if len(data) > MaxMessage {
		return Event{},
			&Error{Code: TooLarge, Reason: fmt.Sprintf("is %d bytes long; at most %d", len(data), MaxMessage)}
	}
	var e Event
	if err := json.Unmarshal(data, &e); err != nil {
		return Event{}, bad("", "is no event: "+err.Error())
	}
	switch {
	case e.V > Version:
		return Event{}, &Error{Code: BadRequest, Field: "v", Newer: true,
			Reason: fmt.Sprintf("is %d; this program reads version %d", e.V, Version)}
	case e.V != Version:
		return Event{}, bad("v", fmt.Sprintf("is %d; this program reads version %d", e.V, Version))
	case e.Run == "":
		return Event{}, bad("run", "is missing")
	case !e.Outcome.Valid():
		return Event{}, bad("outcome", quoted(string(e.Outcome))+" is unknown")
	}
	return e, nil
}
