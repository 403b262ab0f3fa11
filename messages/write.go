// Messages as MessagePack, field by field: a worker writes one of each kind for each asker, and
// with reflection a Result took 19 allocations.

package messages

import (
	"maps"
	"slices"

	"github.com/vmihailenco/msgpack/v5"
)

// mapWriter writes the set fields of a map. It goes over them twice: first it counts, then, with
// enc set, it writes. The first error stays.
type mapWriter struct {
	enc *msgpack.Encoder // nil while counting
	n   int
	err error
}

func (w *mapWriter) name(name string) bool {
	w.n++
	if w.enc == nil || w.err != nil {
		return false
	}
	w.err = w.enc.EncodeString(name)
	return w.err == nil
}

func (w *mapWriter) text(name, v string) {
	if v != "" && w.name(name) {
		w.err = w.enc.EncodeString(v)
	}
}

func (w *mapWriter) number(name string, v int64) {
	if v != 0 && w.name(name) {
		w.err = w.enc.EncodeInt(v)
	}
}

func (w *mapWriter) truth(name string, v *bool) {
	if v != nil && w.name(name) {
		w.err = w.enc.EncodeBool(*v)
	}
}

func (w *mapWriter) texts(name string, v map[string]string) {
	if len(v) == 0 || !w.name(name) {
		return
	}
	w.err = w.enc.EncodeMapLen(len(v))
	for _, k := range slices.Sorted(maps.Keys(v)) { // equal messages give equal bytes
		if w.err == nil {
			w.err = w.enc.EncodeString(k)
		}
		if w.err == nil {
			w.err = w.enc.EncodeString(v[k])
		}
	}
}

// EncodeMsgpack writes the set fields in the order of the type.
func (r *Result) EncodeMsgpack(enc *msgpack.Encoder) error {
	count := mapWriter{}
	r.fields(&count)
	if err := enc.EncodeMapLen(count.n); err != nil {
		return err
	}
	w := mapWriter{enc: enc}
	r.fields(&w)
	return w.err
}

// EncodeMsgpack is like that of Result.
func (q *Query) EncodeMsgpack(enc *msgpack.Encoder) error {
	count := mapWriter{}
	q.fields(&count)
	if err := enc.EncodeMapLen(count.n); err != nil {
		return err
	}
	w := mapWriter{enc: enc}
	q.fields(&w)
	return w.err
}

func (q *Query) fields(w *mapWriter) {
	w.number("v", int64(q.V))
	w.text("id", q.ID)
	w.text("key", q.Key)
	w.text("partner", q.Partner)
	w.text("user_email", q.UserEmail)
	w.text("account_no", q.AccountNo)
	w.text("biz_type", q.BizType)
	if q.MaxAgeMs != nil && w.name("max_age_ms") {
		w.err = w.enc.EncodeInt(*q.MaxAgeMs)
	}
	w.number("deadline_ms", q.DeadlineMs)
	w.text("reply_to", q.ReplyTo)
	w.texts("meta", q.Meta)
}

func (r *Result) fields(w *mapWriter) {
	w.number("v", int64(r.V))
	w.text("id", r.ID)
	r.answer(w)
	w.number("retry_after_ms", r.RetryAfterMs)
	w.text("source", string(r.Source))
	r.calls(w)
	w.number("answered_at_ms", r.AnsweredAtMs)
	r.kept(w)
	w.texts("meta", r.Meta)
}

// answer, calls and kept write what is the same for all askers of a run, see [Shared].
func (r *Result) answer(w *mapWriter) {
	w.text("key", r.Key)
	w.text("partner", r.Partner)
	w.text("run", r.Run)
	w.text("question", r.Question)
	if w.name("outcome") {
		w.err = w.enc.EncodeString(string(r.Outcome))
	}
	w.truth("charge_agent", r.ChargeAgent)
	w.truth("refund_charge", r.RefundCharge)
	w.text("user_id", r.UserID)
	w.text("is_success", r.IsSuccess)
	w.text("code", r.Code)
	w.text("message", r.Message)
	w.truth("retryable", &r.Retryable)
}

func (r *Result) calls(w *mapWriter) {
	w.number("attempts", int64(r.Attempts))
	w.number("asked_at_ms", r.AskedAtMs)
}

func (r *Result) kept(w *mapWriter) {
	w.number("expires_at_ms", r.ExpiresAtMs)
	w.text("verified", r.Verified)
}
