// What an asker is given: the answer of a run, decoded and encoded once for all who share it, and
// what is the asker's own.

package outbox

import (
	"fmt"
	"time"

	"protocolq/messages"
	"protocolq/worker/journal"
)

// crashedRetryAfter is when who is given a crash may ask again: the key is free by then.
const crashedRetryAfter = time.Second

// unanswered is the Result of an ask that no answer settles, but for what is the asker's own. One
// whose deadline passed while a run was under way, or the key cooled down after one, is given that
// run, its attempts and what came of the last one that has ended.
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

// lastCode is the code that came of an ask last.
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

// own is what belongs to one asker. made is when the duty came up: what is published twice says the
// same.
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

// answer is what all askers of one run are given alike.
type answer struct {
	key, partner string
	result       messages.Result
	encoded      bool // for one asker, so that who comes now is another
	shared       map[messages.Encoding]*messages.Shared
}

// newAnswer reads the answer of a run, for askers of one key and partner.
func newAnswer(a *journal.Answer, key, partner string) (*answer, error) {
	r, _, err := messages.DecodeResult(a.Result, "")
	if err != nil {
		// Whatever it was, nobody can say it any more: never a "no".
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

// encode writes the Result of one asker. Most runs have one: what is shared is written when a
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

// answers are those of runs that were read lately. It belongs to one goroutine.
type answers struct{ known map[string]*answer }

const mostAnswers = 1024 // then all are forgotten

// of gives the answer of a run. With an error it is the Result of ours that is given instead.
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
