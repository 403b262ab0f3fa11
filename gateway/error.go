// Why there is no answer, and what may be done about it.

package gateway

import (
	"fmt"
	"time"

	"protocolq/gateway/mapi"
)

// Service is the only service that this client asks.
const Service = "query_customer_protocol"

// Class says what may be done about a code; the zero Class is a bug.
type Class = mapi.Class

// Our own codes, in addition to those of the gateway's table. Codes such as GATEWAY_HTTP_502 are
// made of CodeHTTP and the status.
const (
	CodeTimeout     = "GATEWAY_TIMEOUT"     // Temp: no complete answer within Options.Timeout
	CodeUnreachable = "GATEWAY_UNREACHABLE" // Temp: no connection: DNS, refused, no route
	CodeTLS         = "GATEWAY_TLS"         // Temp: connected, but the other side cannot prove that it is the gateway
	CodeCut         = "GATEWAY_CUT"         // Temp: the connection ended before the answer did
	CodeStray       = "GATEWAY_STRAY"       // Temp: unexpected bytes, before the question or after the answer
	CodeRedirect    = "GATEWAY_REDIRECT"    // Temp: a 3xx, never followed
	CodeHTTP        = "GATEWAY_HTTP_"       // Temp: any other status but 200
	CodeUnreadable  = "GATEWAY_UNREADABLE"  // Temp: not HTTP, not an answer's XML, or of another request
	CodeBadSign     = "GATEWAY_BAD_SIGN"    // Temp: the signature does not verify
	CodeUnclear     = "GATEWAY_UNCLEAR"     // Unlisted: readable, but settles nothing: is_success P, a flag missing
	CodeNoPartner   = "PARTNER_UNKNOWN"     // Conf: no partner with that id is configured
	CodeCannotSign  = "CANNOT_SIGN"         // Conf: the key cannot sign
	CodeCharset     = "CHARSET_CANNOT_HOLD" // Input: a character that the partner's charset cannot hold
	CodeNoAccount   = "NULL_EMAIL_AND_ACCOUNT_NO"
)

// Error is a query without an answer. It holds no personal data and no signature, so it may be
// logged unchanged.
type Error struct {
	Service string
	// Code is the gateway's, or one of ours (CodeTimeout …).
	Code  string
	Class Class
	// Err is the cause, nil if the gateway's code says everything.
	Err error
	// RetryAfter is how long the gateway asked to wait with a 429 or a 503, counted from the response,
	// in whole milliseconds and at most Options.RetryAfterMax; 0: it did not ask.
	RetryAfter time.Duration
}

func (e *Error) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("gateway: %s: %s (%s)", e.Service, e.Code, e.Class)
	}
	return fmt.Sprintf("gateway: %s: %s (%s): %v", e.Service, e.Code, e.Class, e.Err)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

func fail(code string, class Class, err error) *Error {
	return &Error{Service: Service, Code: code, Class: class, Err: err}
}
