// Limits of a Query's fields, beyond their kind. Every refusal says what to do.

package messages

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds of the fields. Characters are Unicode code points.
const (
	maxID       = 128     // characters
	maxLogin    = 100     // characters, the gateway owner's bound
	maxMeta     = 16      // entries
	maxMetaName = 64      // bytes
	maxMetaText = 256     // bytes
	maxMetaSize = 1 << 10 // bytes of all names and values: each answer is longer by as much
	maxMaxAge   = 10 * 365 * 24 * 3600 * 1000
	minUnixMs   = 1e12 // 2001: anything less is seconds
	maxUnixMs   = 1e13 // 2286: anything more is micro- or nanoseconds
)

// Check returns what is wrong with a Query, like DecodeQuery: nil or an *Error. A missing partner
// is allowed: the worker has a default one.
func (q Query) Check() error {
	if e := q.check(); e != nil {
		e.address(q.legible())
		return e
	}
	return nil
}

func (q *Query) check() *Error {
	switch {
	case q.V != Version:
		return q.badVersion()
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

func (q *Query) badVersion() *Error {
	e := bad("v", fmt.Sprintf("is %d; this worker speaks version %d", q.V, Version))
	e.Newer = q.V > Version
	return e
}

func bad(name, reason string) *Error { return &Error{Code: BadRequest, Field: name, Reason: reason} }

// address says where a refusal belongs.
func (e *Error) address(q Query) {
	e.ID, e.Key, e.Partner, e.ReplyTo = q.ID, q.Key, q.Partner, q.ReplyTo
}

// legible keeps of the fields that say where a refusal belongs, and whom it is about, those that
// are valid by themselves.
func (q *Query) legible() (r Query) {
	for _, f := range [...]struct {
		to        *string
		text, bad string
	}{
		{&r.ID, q.ID, badID(q.ID)},
		{&r.Key, q.Key, badID(q.Key)},
		{&r.Partner, q.Partner, badPartner(q.Partner)},
		{&r.ReplyTo, q.ReplyTo, badSubject(q.ReplyTo)},
		{&r.UserEmail, q.UserEmail, badLogin(q.UserEmail)},
		{&r.AccountNo, q.AccountNo, badAccount(q.AccountNo)},
	} {
		if f.bad == "" {
			*f.to = f.text
		}
	}
	return r
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

// badText keeps control and invisible characters out of texts that are echoed, stored and shown.
func badText(s string) string {
	for _, r := range s {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return fmt.Sprintf("has the character U+%04X; use printable characters only", r)
		}
	}
	return ""
}

// IsPartner reports whether s is a partner id: 2088 and 12 more digits. The gateway's package has
// the same rule, and a test of the worker runs both on one table.
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
	size := 0
	for name, text := range meta {
		size += len(name) + len(text)
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
	if size > maxMetaSize {
		return fmt.Sprintf("has %d bytes of names and values; at most %d", size, maxMetaSize)
	}
	return ""
}
