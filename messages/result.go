// One answer, as it travels on NATS.

package messages

// Result says what came of a Query. v, outcome and retryable are always told, the others only when there is something to tell.
type Result struct {
	V            int               `msgpack:"v" json:"v"`                                               // 1
	ID           string            `msgpack:"id,omitempty" json:"id,omitempty"`                         // the asker's own id, echoed
	Key          string            `msgpack:"key,omitempty" json:"key,omitempty"`                       // the key the asker gave, echoed
	Partner      string            `msgpack:"partner,omitempty" json:"partner,omitempty"`               // under whose contract it was asked
	Run          string            `msgpack:"run,omitempty" json:"run,omitempty"`                       // identity of the answer: equal in all Results of one run
	Outcome      Outcome           `msgpack:"outcome" json:"outcome"`                                   //
	ChargeAgent  *bool             `msgpack:"charge_agent,omitempty" json:"charge_agent,omitempty"`     // may debit; nil: not told
	RefundCharge *bool             `msgpack:"refund_charge,omitempty" json:"refund_charge,omitempty"`   // may refund; nil: not told
	UserID       string            `msgpack:"user_id,omitempty" json:"user_id,omitempty"`               // the account's id, as the gateway spells it
	IsSuccess    string            `msgpack:"is_success,omitempty" json:"is_success,omitempty"`         // as on the gateway's wire: T, F, P
	Code         string            `msgpack:"code,omitempty" json:"code,omitempty"`                     // the gateway's code or one of ours; see Message
	Message      string            `msgpack:"message,omitempty" json:"message,omitempty"`               // English, for people; names the field where one is at fault
	Retryable    bool              `msgpack:"retryable" json:"retryable"`                               // whether asking the same again later can help
	RetryAfterMs int64             `msgpack:"retry_after_ms,omitempty" json:"retry_after_ms,omitempty"` // how long to wait before that
	Source       Source            `msgpack:"source,omitempty" json:"source,omitempty"`                 //
	Attempts     int               `msgpack:"attempts,omitempty" json:"attempts,omitempty"`             // calls of the gateway that this run took
	AskedAtMs    int64             `msgpack:"asked_at_ms,omitempty" json:"asked_at_ms,omitempty"`       // when the gateway was asked (the last attempt), unix milliseconds
	AnsweredAtMs int64             `msgpack:"answered_at_ms,omitempty" json:"answered_at_ms,omitempty"` // when this Result was made
	ExpiresAtMs  int64             `msgpack:"expires_at_ms,omitempty" json:"expires_at_ms,omitempty"`   // until when the answer is remembered
	Verified     string            `msgpack:"verified,omitempty" json:"verified,omitempty"`             // VerifiedSign or UnsignedAnswer; empty without an answer
	Meta         map[string]string `msgpack:"meta,omitempty" json:"meta,omitempty"`                     // the Query's, echoed
}

// What Result.Verified may say of the gateway's answer.
const (
	VerifiedSign   = "verified" // its signature was there and right
	UnsignedAnswer = "unsigned" // it carried none
)
