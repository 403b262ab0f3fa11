// The codes our own program says, beside those of the gateway.

package messages

// Our own codes, as in Result.Code. Those up to TooLarge are refusals (no call was made, asking the same again gives the same); the others come with the
// outcome unknown and may be asked again.
const (
	BadRequest     = "BAD_REQUEST"
	KeyConflict    = "KEY_CONFLICT"
	ReplyRefused   = "REPLY_REFUSED"
	NotAllowed     = "NOT_ALLOWED"
	TooLarge       = "TOO_LARGE"
	Overloaded     = "OVERLOADED"
	CoolingDown    = "COOLING_DOWN"
	PartnerHalted  = "PARTNER_HALTED"
	DeadlinePassed = "DEADLINE"
	Crashed        = "CRASHED"
)

// Codes lists our own codes: refusals first.
func Codes() []string {
	return []string{BadRequest, KeyConflict, ReplyRefused, NotAllowed, TooLarge, Overloaded, CoolingDown, PartnerHalted, DeadlinePassed, Crashed}
}

// Message is the short English text of one of our own codes, "" for any other (the gateway's codes have their own table).
func Message(code string) string {
	switch code {
	case BadRequest:
		return "the query cannot be read or a field is wrong; correct it and ask again"
	case KeyConflict:
		return "this key was used for another question; give each question its own key"
	case ReplyRefused:
		return "the reply subject is not allowed; use an inbox or a subject the worker lists"
	case NotAllowed:
		return "this asker may not ask for this partner; ask on the subject of your own partner"
	case TooLarge:
		return "the message is larger than 64 KiB; send less meta"
	case Overloaded:
		return "the workers are full; ask again after retry_after_ms"
	case CoolingDown:
		return "the gateway gave no answer a moment ago; ask again after retry_after_ms"
	case PartnerHalted:
		return "calls for this partner are halted until its settings are corrected; ask again after retry_after_ms"
	case DeadlinePassed:
		return "the deadline passed before there was an answer; ask again with a later one"
	case Crashed:
		return "the worker that asked died before it stored the answer; ask again"
	}
	return ""
}

// OutcomeOf is the outcome that goes with one of our own codes; ok is false for any other code.
func OutcomeOf(code string) (o Outcome, ok bool) {
	switch code {
	case BadRequest, KeyConflict, ReplyRefused, NotAllowed, TooLarge:
		return Refused, true
	case Overloaded, CoolingDown, PartnerHalted, DeadlinePassed, Crashed:
		return Unknown, true
	}
	return "", false
}
