// Problems: what a request without an answer gets, as application/problem+json (RFC 9457).

package httpdoor

import (
	"net/http"
	"strconv"
	"time"

	"protocolq/messages"
)

// kind is one kind of problem. Programs go by its type, which never changes.
type kind struct {
	name, title string
	status      int
}

// typeHead begins the type of every problem.
const typeHead = "urn:protocolq:problem:"

// The kinds. Those from refused on have the fields of a Result with them.
var (
	badRequest    = kind{"bad-request", "The request cannot be read, or a field is wrong", http.StatusBadRequest}
	unauthorized  = kind{"unauthorized", "The request has no token, or one that is not known", http.StatusUnauthorized}
	forbidden     = kind{"forbidden", "This asker may not ask for this partner", http.StatusForbidden}
	notFound      = kind{"not-found", "There is nothing at this address", http.StatusNotFound}
	wrongMethod   = kind{"method-not-allowed", "This address does not take this method", http.StatusMethodNotAllowed}
	tooLarge      = kind{"too-large", "The request is too large", http.StatusRequestEntityTooLarge}
	wrongMedia    = kind{"unsupported-media-type", "The body must be application/json", http.StatusUnsupportedMediaType}
	rateLimited   = kind{"rate-limited", "This asker asks more than it may", http.StatusTooManyRequests}
	unavailable   = kind{"unavailable", "The workers cannot be reached", http.StatusServiceUnavailable}
	idConflict    = kind{"id-conflict", "This id was used for another question", http.StatusConflict}
	internalFault = kind{"internal", "The door made a mistake", http.StatusInternalServerError}

	refused     = kind{"refused", "The query cannot be answered as asked", http.StatusUnprocessableEntity}
	keyConflict = kind{"key-conflict", "This key was used for another question", http.StatusConflict}
	unknown     = kind{"unknown", "Nobody knows yet; this is never a no", http.StatusServiceUnavailable}
	unclear     = kind{"unclear", "The gateway's answer settles nothing; this is never a no", http.StatusBadGateway}
	noAnswer    = kind{"no-answer-in-time", "There was no answer in time; this is never a no",
		http.StatusGatewayTimeout}
)

// kinds lists them all, for the document and its test.
func kinds() []kind {
	return []kind{badRequest, unauthorized, forbidden, notFound, wrongMethod, tooLarge, wrongMedia, rateLimited,
		unavailable, idConflict, internalFault,
		refused, keyConflict, unknown, unclear, noAnswer}
}

// problem is the body. With a Result it also has all fields of the Result.
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`

	*messages.Result
	// Before the Result's own: they are there in every problem.
	Retryable    bool  `json:"retryable"`
	RetryAfterMs int64 `json:"retry_after_ms,omitempty"`
}

// because is the response for a problem without a Result.
func because(k kind, detail string) answer {
	return answer{status: k.status, problem: true,
		body: problem{Type: typeHead + k.name, Title: k.title, Status: k.status, Detail: detail}}
}

// later is the response for a problem that passes by itself.
func later(k kind, detail string, wait time.Duration) answer {
	a := because(k, detail)
	p := a.body.(problem)
	p.Retryable, p.RetryAfterMs = true, max(wait.Milliseconds(), 1)
	a.body = p
	return a.retried(p)
}

// of is the response for a Result: an answer of the gateway is 200, everything else a problem, so
// that a program that looks only at the status does not take unknown for a no.
func of(r messages.Result) answer {
	k := kindOf(r)
	if k.status == 0 {
		return answer{status: http.StatusOK, body: r}
	}
	r.V = messages.Version
	p := problem{Type: typeHead + k.name, Title: k.title, Status: k.status, Detail: r.Message,
		Result: &r, Retryable: r.Retryable, RetryAfterMs: r.RetryAfterMs}
	return answer{status: k.status, problem: true, body: p}.retried(p)
}

// retried also says in the header when to ask again, if that can help.
func (a answer) retried(p problem) answer {
	if !p.Retryable {
		return a
	}
	return a.with("Retry-After", seconds(p.RetryAfterMs))
}

// kindOf is the kind of problem of a Result; the zero kind if it is not a problem.
func kindOf(r messages.Result) kind {
	switch r.Outcome {
	case messages.Signed, messages.NotSigned, messages.Abnormal:
		return kind{}
	case messages.Refused:
		return refusalOf(r.Code)
	}
	switch {
	case r.Code == messages.DeadlinePassed:
		return noAnswer
	case !r.Retryable:
		return unclear
	}
	return unknown
}

// refusalOf is the kind of a refusal by its code. For any other code the query itself is wrong.
func refusalOf(code string) kind {
	switch code {
	case messages.BadRequest:
		return badRequest
	case messages.KeyConflict:
		return keyConflict
	case messages.NotAllowed:
		return forbidden
	case messages.TooLarge:
		return tooLarge
	}
	return refused
}

// seconds is a time in the form of Retry-After: whole seconds, at least one.
func seconds(ms int64) string { return strconv.FormatInt(max((ms+999)/1000, 1), 10) }
