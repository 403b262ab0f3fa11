// From the fields that a walk found to the fields of a Query or a Result.

package messages

import (
	"slices"
	"strings"
)

// unknown refuses a name that a Query does not have. A misspelt max_age_ms that was ignored would
// give an answer older than the asker accepts.
func (m *message) unknown(name string) {
	if near := Nearest(name, queryFields[:]); near != "" {
		m.refuse(shown(name), "is not a field of a query; did you mean %s?", near)
		return
	}
	m.refuse(shown(name), "is not a field of a query; leave it out, or put it into meta")
}

var queryFields = [...]string{"v", "id", "key", "partner", "user_email", "account_no", "biz_type", "max_age_ms",
	"deadline_ms", "reply_to", "meta"}

// query fills a Query; values of the wrong kind stay zero. A known field that is nil, or null in
// JSON, counts as absent, because some languages write every field.
func (m *message) query() (q Query) {
	q.V = Version
	for i := range m.fields {
		f := &m.fields[i]
		if f.kind == kindNil && slices.Contains(queryFields[:], f.name) {
			continue
		}
		switch f.name {
		case "v":
			q.V = m.number(f)
		case "id":
			q.ID = m.text(f)
		case "key":
			q.Key = m.text(f)
		case "partner":
			q.Partner = m.text(f)
		case "user_email":
			q.UserEmail = strings.Trim(m.text(f), " ")
		case "account_no":
			q.AccountNo = m.text(f)
		case "biz_type":
			q.BizType = m.text(f)
		case "max_age_ms":
			if m.is(f, kindInt) {
				q.MaxAgeMs = new(f.num)
			}
		case "deadline_ms":
			q.DeadlineMs = m.integer(f)
		case "reply_to":
			q.ReplyTo = m.text(f)
		case "meta":
			q.Meta = m.texts(f)
		default:
			m.unknown(f.name)
		}
	}
	return q
}

// result fills a Result. It skips unknown names: a newer worker may say more.
func (m *message) result() (r Result) {
	r.V = Version
	for i := range m.fields {
		f := &m.fields[i]
		if f.kind == kindNil {
			continue
		}
		switch f.name {
		case "v":
			r.V = m.number(f)
		case "outcome":
			r.Outcome = Outcome(m.text(f))
		case "source":
			r.Source = Source(m.text(f))
		case "charge_agent":
			r.ChargeAgent = m.flag(f)
		case "refund_charge":
			r.RefundCharge = m.flag(f)
		case "retryable":
			b := m.flag(f)
			r.Retryable = b != nil && *b
		case "attempts":
			r.Attempts = m.number(f)
		case "meta":
			r.Meta = m.texts(f)
		default:
			m.resultRest(&r, f)
		}
	}
	return r
}

// resultRest fills the plain texts and times of a Result.
func (m *message) resultRest(r *Result, f *field) {
	if p := r.textField(f.name); p != nil {
		*p = m.text(f)
		return
	}
	switch f.name {
	case "retry_after_ms":
		r.RetryAfterMs = m.integer(f)
	case "asked_at_ms":
		r.AskedAtMs = m.integer(f)
	case "answered_at_ms":
		r.AnsweredAtMs = m.integer(f)
	case "expires_at_ms":
		r.ExpiresAtMs = m.integer(f)
	}
}

func (r *Result) textField(name string) *string {
	switch name {
	case "id":
		return &r.ID
	case "key":
		return &r.Key
	case "partner":
		return &r.Partner
	case "run":
		return &r.Run
	case "question":
		return &r.Question
	case "user_id":
		return &r.UserID
	case "is_success":
		return &r.IsSuccess
	case "code":
		return &r.Code
	case "message":
		return &r.Message
	case "verified":
		return &r.Verified
	}
	return nil
}
