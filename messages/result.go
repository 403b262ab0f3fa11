// One answer on NATS.

package messages

// Result is the result of a Query. v, outcome and retryable are always there, the others only if
// they have a value.
type Result struct {
	V int `msgpack:"v" json:"v"` // 1
	// the asker's own id, echoed
	ID string `msgpack:"id,omitempty" json:"id,omitempty"`
	// the key the asker gave, echoed
	Key string `msgpack:"key,omitempty" json:"key,omitempty"`
	// the partner for which it was asked
	Partner string `msgpack:"partner,omitempty" json:"partner,omitempty"`
	// identity of the answer: equal in all Results of one run
	Run string `msgpack:"run,omitempty" json:"run,omitempty"`
	// what was asked, see Query.QuestionText
	Question string  `msgpack:"question,omitempty" json:"question,omitempty"`
	Outcome  Outcome `msgpack:"outcome" json:"outcome"` //
	// may debit; nil: not given
	ChargeAgent *bool `msgpack:"charge_agent,omitempty" json:"charge_agent,omitempty"`
	// may refund; nil: not given
	RefundCharge *bool `msgpack:"refund_charge,omitempty" json:"refund_charge,omitempty"`
	// the account's id, as the gateway spells it
	UserID string `msgpack:"user_id,omitempty" json:"user_id,omitempty"`
	// as on the gateway's wire: T, F, P
	IsSuccess string `msgpack:"is_success,omitempty" json:"is_success,omitempty"`
	// the gateway's code or one of ours; see Message
	Code string `msgpack:"code,omitempty" json:"code,omitempty"`
	// English, for people; names the field if one is wrong
	Message string `msgpack:"message,omitempty" json:"message,omitempty"`
	// whether asking the same again later can help
	Retryable bool `msgpack:"retryable" json:"retryable"`
	// how long to wait before that
	RetryAfterMs int64  `msgpack:"retry_after_ms,omitempty" json:"retry_after_ms,omitempty"`
	Source       Source `msgpack:"source,omitempty" json:"source,omitempty"` //
	// calls of the gateway that this run took
	Attempts int `msgpack:"attempts,omitempty" json:"attempts,omitempty"`
	// when the gateway was asked (the last attempt), unix milliseconds
	AskedAtMs int64 `msgpack:"asked_at_ms,omitempty" json:"asked_at_ms,omitempty"`
	// when this Result was made
	AnsweredAtMs int64 `msgpack:"answered_at_ms,omitempty" json:"answered_at_ms,omitempty"`
	// until when the answer is remembered
	ExpiresAtMs int64 `msgpack:"expires_at_ms,omitempty" json:"expires_at_ms,omitempty"`
	// VerifiedSign or UnsignedAnswer; empty without an answer
	Verified string `msgpack:"verified,omitempty" json:"verified,omitempty"`
	// the Query's, echoed
	Meta map[string]string `msgpack:"meta,omitempty" json:"meta,omitempty"`
}

// Values of Result.Verified, about the gateway's answer.
const (
	VerifiedSign   = "verified" // it had a signature, which was right
	UnsignedAnswer = "unsigned" // it had no signature
)
