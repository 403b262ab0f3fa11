// What an asker gets: the answer of a run, decoded and encoded once for all that share it, and the
// asker's own fields.

package outbox

import (
	"fmt"
	"time"

	"protocolq/messages"
	"protocolq/worker/journal"
)

// crashedRetryAfter is when an asker may ask again after a crash: the key is free by then.
const crashedRetryAfter = time.Second

// unanswered is the Result of an ask that no answer settles, without the asker's own fields. If its
// deadline passed while a run was under way, or the key cooled down after one, the Result has that
// run, its attempts and the outcome of the last one that has ended.
func unanswered(a *Ask) messages.Result {
	r := messages.CodeResult(a.Why)
	if a.Note != "" {
		r.Message += "; " + a.Note
	}
	if a.Why != messages.DeadlinePassed {
		return r
	}
	last := ""
	switch b := a.UnderWay; {
	case b != nil:
		r.Run, r.Attempts, last = b.Run, b.Attempt, b.Before.Code
	case a.Failed != nil:
		r.Run, last = a.Failed.Run, a.Failed.Code
		if was, _, err := messages.DecodeResult(a.Failed.Result, ""); err == nil {
			r.Attempts = was.Attempts
		}
	}
	if last != "" {
		r.Message += "; the last attempt came to " + last
	}
	return r
}

// lastCode is the code of an ask's last attempt.
func lastCode(a *Ask) string {
	switch b := a.UnderWay; {
	case a.Answer != nil:
		return a.Answer.Code
	case b != nil && b.Before.Code != "":
		return b.Before.Code
	case a.Failed != nil && a.Failed.Code != "":
		return a.Failed.Code
	}
	return a.Why
}

// own adds what belongs to one asker. made is when the duty came up, so that a second publication
// says the same.
func own(a *Ask, q *messages.Query, r *messages.Result, made time.Time) messages.Own {
	o := messages.Own{ID: q.ID, Meta: q.Meta, AnsweredAtMs: made.UnixMilli()}
	switch {
	case a.Answer == nil:
		if a.RetryAfter > 0 {
			o.RetryAfterMs = max(a.RetryAfter.Milliseconds(), 1)
		}
		return o
	case a.Answer.Verdict == journal.Crashed:
		o.RetryAfterMs = crashedRetryAfter.Milliseconds()
	case a.Answer.Verdict == journal.Failed && r.Outcome == messages.Unknown:
		o.RetryAfterMs = max(a.RetryAfter.Milliseconds(), 1)
	}
	o.Source = a.Source
	return o
}

// answer is what all askers of one run get alike.
type answer struct {
	key, partner string
	result       messages.Result
	encoded      bool // for one asker: the next one is the second
	shared       map[messages.Encoding]*messages.Shared
}

// newAnswer reads the answer of a run, for askers of one key and partner.
func newAnswer(a *journal.Answer, key, partner string) (*answer, error) {
	r, _, err := messages.DecodeResult(a.Result, "")
	if err != nil {
		// The answer is lost, so it must never become a "no".
		err = fmt.Errorf("read the result of run %s: %w", a.Run, err)
		r = messages.CodeResult(messages.Crashed)
	}
	r.V, r.Run, r.Key, r.Partner = messages.Version, a.Run, key, partner
	r.Question = messages.QuestionText(a.Question)
	if r.Message == "" {
		r.Message = messages.Message(r.Code)
	}
	return &answer{key: key, partner: partner, result: r}, err
}

// encode writes the Result of one asker. Most runs have only one: the shared part is written when a
// second comes.
func (a *answer) encode(e messages.Encoding, o messages.Own) ([]byte, error) {
	if !a.encoded {
		a.encoded = true
		return a.result.With(o).Encode(e)
	}
	if a.shared == nil {
		a.shared = map[messages.Encoding]*messages.Shared{}
	}
	s := a.shared[e]
	if s == nil {
		var err error
		if s, err = a.result.Share(e); err != nil {
			return nil, err
		}
		a.shared[e] = s
	}
	return s.Encode(o)
}

// answers are those of runs that were read recently. It belongs to one goroutine.
type answers struct{ known map[string]*answer }

const mostAnswers = 1024 // then all are forgotten

// of gives the answer of a run. With an error it is a Result of our own, to use instead.
func (s *answers) of(a *journal.Answer, key, partner string) (*answer, error) {
	if known := s.known[a.Run]; known != nil && known.key == key && known.partner == partner {
		return known, nil
	}
	read, err := newAnswer(a, key, partner)
	if s.known == nil || len(s.known) >= mostAnswers {
		s.known = map[string]*answer{}
	}
	s.known[a.Run] = read
	return read, err
}
