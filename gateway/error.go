// Why there is no answer, and what may be done about it.

package gateway

import (
	"fmt"
	"time"

	"protocolq/gateway/mapi"
)

// Service is the one service this client asks.
const Service = "query_customer_protocol"

// Class says what may be done about a code; the zero Class is a bug.
type Class = mapi.Class

// Codes of our own, beside those of the gateway's table. GATEWAY_HTTP_502 and the like
// are made of CodeHTTP and the status.
const (
	CodeTimeout     = "GATEWAY_TIMEOUT"     // Temp: no whole answer within Options.Timeout
	CodeUnreachable = "GATEWAY_UNREACHABLE" // Temp: no connection: DNS, refused, no route
	CodeTLS         = "GATEWAY_TLS"         // Temp: connected, and not to a gateway that can prove its name
	CodeCut         = "GATEWAY_CUT"         // Temp: the connection ended before the answer did
	CodeStray       = "GATEWAY_STRAY"       // Temp: bytes that nobody asked for, before the question or after it
	CodeRedirect    = "GATEWAY_REDIRECT"    // Temp: a 3xx, never followed
	CodeHTTP        = "GATEWAY_HTTP_"       // Temp: any other status but 200
	CodeUnreadable  = "GATEWAY_UNREADABLE"  // Temp: no HTTP, not the XML of an answer, or one to another request
	CodeBadSign     = "GATEWAY_BAD_SIGN"    // Temp: signed by somebody else
	CodeUnclear     = "GATEWAY_UNCLEAR"     // Unlisted: read well, settles nothing: is_success P, a flag missing
	CodeNoPartner   = "PARTNER_UNKNOWN"     // Conf: no partner of that id is configured
	CodeCannotSign  = "CANNOT_SIGN"         // Conf: the key does not sign
	CodeCharset     = "CHARSET_CANNOT_HOLD" // Input: a character that the partner's charset has no place for
	CodeNoAccount   = "NULL_EMAIL_AND_ACCOUNT_NO"
)

// Error is a query without an answer. It holds no personal data and no sign, so it may
// be logged as it is.
type Error struct {
	Service string
	// Code is the gateway's, or one of ours (CodeTimeout …).
	Code  string
	Class Class
	// Err is the cause, nil where the gateway's code says all.
	Err error
	// RetryAfter is how long the gateway asked to be left alone with a 429 or a 503, counted
	// from the response, in whole milliseconds and at most Options.RetryAfterMax; 0: it did not.
	RetryAfter time.Duration
}

func (e *Error) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("gateway: %s: %s (%s)", e.Service, e.Code, e.Class)
	}
	return fmt.Sprintf("gateway: %s: %s (%s): %v", e.Service, e.Code, e.Class, e.Err)
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

func fail(code string, class Class, err error) *Error {
	return &Error{Service: Service, Code: code, Class: class, Err: err}
}
