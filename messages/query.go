// One question on NATS.

package messages

// Version is the only value of the field v so far.
const Version = 1

// BizType is the only business the gateway knows for this query; absent means the same.
const BizType = "10004"

// Query asks whether an account has signed the agreement. Fields without a value are zero, and are
// left out on the wire.
type Query struct {
	V int `msgpack:"v" json:"v"` // 1
	// the asker's own name for this ask, which is only echoed; at most 128 characters
	ID string `msgpack:"id,omitempty" json:"id,omitempty"`
	// the same key means the same request, which is asked once; at most 128 characters
	Key string `msgpack:"key,omitempty" json:"key,omitempty"`
	// 16 digits, begins with 2088; absent: the worker's default partner
	Partner string `msgpack:"partner,omitempty" json:"partner,omitempty"`
	// e-mail or phone login of the account's holder
	UserEmail string `msgpack:"user_email,omitempty" json:"user_email,omitempty"`
	// 16 to 20 digits; at least one of user_email and account_no
	AccountNo string `msgpack:"account_no,omitempty" json:"account_no,omitempty"`
	BizType   string `msgpack:"biz_type,omitempty" json:"biz_type,omitempty"` // absent or 10004
	// maximum age of a remembered answer; nil: as long as the worker remembers
	MaxAgeMs *int64 `msgpack:"max_age_ms,omitempty" json:"max_age_ms,omitempty"`
	// unix milliseconds after which the asker no longer waits
	DeadlineMs int64 `msgpack:"deadline_ms,omitempty" json:"deadline_ms,omitempty"`
	// subject the Result goes to
	ReplyTo string `msgpack:"reply_to,omitempty" json:"reply_to,omitempty"`
	// echoed in the Result; at most 16 short texts, 1 KiB with their names
	Meta map[string]string `msgpack:"meta,omitempty" json:"meta,omitempty"`
}
