// What the fields of a Query may hold, beyond their kind. Every refusal says what to do.

package messages

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds of the fields. Characters are Unicode code points.
const (
	maxID       = 128 // characters
	maxLogin    = 100 // characters, the gateway owner's bound
	maxMeta     = 16  // entries
	maxMetaName = 64  // bytes
	maxMetaText = 256 // bytes
	maxMaxAge   = 10 * 365 * 24 * 3600 * 1000
	minUnixMs   = 1e12 // 2001: anything less is seconds
	maxUnixMs   = 1e13 // 2286: anything more is micro- or nanoseconds
)

// Check tells what is wrong with a Query, as DecodeQuery would; nil or an *Error. A missing partner
// is right: the worker has a default one.
func (q Query) Check() error {
	if e := q.check(); e != nil {
		q.address(e)
		return e
	}
	return nil
}

func (q *Query) check() *Error {
	switch {
	case q.V != Version:
		return bad("v", fmt.Sprintf("is %d; this worker speaks version %d", q.V, Version))
	case q.ReplyTo != "" && badSubject(q.ReplyTo) != "":
		return &Error{Code: ReplyRefused, Field: "reply_to", Reason: badSubject(q.ReplyTo)}
	}
	for _, f := range [...]struct{ name, reason string }{
		{"id", badID(q.ID)},
		{"key", badID(q.Key)},
		{"partner", badPartner(q.Partner)},
		{"user_email", badLogin(q.UserEmail)},
		{"account_no", badAccount(q.AccountNo)},
		{"biz_type", badBizType(q.BizType)},
		{"max_age_ms", q.badMaxAge()},
		{"deadline_ms", badDeadline(q.DeadlineMs)},
		{"meta", badMeta(q.Meta)},
	} {
		if f.reason != "" {
			return bad(f.name, f.reason)
		}
	}
	if q.UserEmail == "" && q.AccountNo == "" {
		return bad("user_email", "is missing, as is account_no; give at least one of the two")
	}
	return nil
}

func bad(name, reason string) *Error { return &Error{Code: BadRequest, Field: name, Reason: reason} }

// address copies into e what is right by itself of the fields a refusal is addressed by.
func (q *Query) address(e *Error) {
	if badID(q.ID) == "" {
		e.ID = q.ID
	}
	if badID(q.Key) == "" {
		e.Key = q.Key
	}
	if badPartner(q.Partner) == "" {
		e.Partner = q.Partner
	}
	if badSubject(q.ReplyTo) == "" {
		e.ReplyTo = q.ReplyTo
	}
}

func badID(s string) string {
	if n := utf8.RuneCountInString(s); n > maxID {
		return fmt.Sprintf("is %d characters long; at most %d", n, maxID)
	}
	if strings.HasPrefix(s, " ") || strings.HasSuffix(s, " ") {
		return "begins or ends with a space; take it away"
	}
	return badText(s)
}

// badText keeps control and invisible characters out of what is echoed, stored and shown.
func badText(s string) string {
	for _, r := range s {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return fmt.Sprintf("has the character U+%04X; use printable characters only", r)
		}
	}
	return ""
}

// IsPartner reports whether s is a partner id: 2088 and 12 more digits. The gateway's side has the
// same rule, and a test of the worker feeds both from one table.
func IsPartner(s string) bool { return len(s) == 16 && isDigits(s) && s[:4] == "2088" }

func badPartner(s string) string {
	if s == "" || IsPartner(s) {
		return ""
	}
	return "is not a partner id; give 16 digits that begin with 2088"
}

func badAccount(s string) string {
	if s == "" || 16 <= len(s) && len(s) <= 20 && isDigits(s) {
		return ""
	}
	return "is not an account number; give 16 to 20 digits"
}

func badBizType(s string) string {
	if s == "" || s == BizType {
		return ""
	}
	return "is unknown; leave it out or give " + BizType
}

func (q *Query) badMaxAge() string {
	switch {
	case q.MaxAgeMs == nil:
		return ""
	case *q.MaxAgeMs < 0:
		return fmt.Sprintf("is %d; give 0 or more milliseconds", *q.MaxAgeMs)
	case *q.MaxAgeMs > maxMaxAge:
		return fmt.Sprintf("is %d; give at most %d milliseconds (ten years)", *q.MaxAgeMs, int64(maxMaxAge))
	case q.Key != "":
		return "cannot go with key: one key is one request, answered once; leave out one of the two"
	}
	return ""
}

func badDeadline(ms int64) string {
	switch {
	case ms == 0 || minUnixMs <= ms && ms < maxUnixMs:
		return ""
	case minUnixMs/1000 <= ms && ms < maxUnixMs/1000:
		return fmt.Sprintf("is %d, which looks like seconds; give unix time in milliseconds", ms)
	}
	return fmt.Sprintf("is %d; give unix time in milliseconds", ms)
}

func badMeta(meta map[string]string) string {
	if len(meta) > maxMeta {
		return fmt.Sprintf("has %d entries; at most %d", len(meta), maxMeta)
	}
	for name, text := range meta {
		switch {
		case name == "" || len(name) > maxMetaName:
			return fmt.Sprintf("a name is %d bytes long; give 1 to %d", len(name), maxMetaName)
		case len(text) > maxMetaText:
			return fmt.Sprintf("the value of %s is %d bytes long; at most %d", quoted(name), len(text), maxMetaText)
		case badText(name) != "":
			return "a name " + badText(name)
		case badText(text) != "":
			return fmt.Sprintf("the value of %s %s", quoted(name), badText(text))
		}
	}
	return ""
}
