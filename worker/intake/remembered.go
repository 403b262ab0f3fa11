// Remembered answers, encoded once for all asks.

package intake

import (
	"cmp"
	"fmt"
	"sync"

	"protocolq/messages"
	"protocolq/worker/journal"
)

// answer is a remembered answer, shared by all asks of the same likeness.
type answer struct {
	run     string
	shared  *messages.Shared
	result  messages.Result // what shared says
	size    int
	headers map[string][]string // without a trace; never changed
}

// likeness is what asks have in common that get the same bytes, except for their own fields.
type likeness struct {
	at           journal.Ref
	encoding     messages.Encoding
	key, partner string
}

// answers are the ones asked for recently. It forgets by halves: an answer that was not asked for
// while one half filled is gone. It is safe for concurrent use.
type answers struct {
	most int // bytes of a half

	mu         sync.Mutex // guards what follows
	young, old map[likeness]*answer
	bytes      int // of young
}

// mostAnswers is how many bytes of answers each half holds.
const mostAnswers = 4 << 20

func newAnswers(most int) *answers { return &answers{most: most, young: map[likeness]*answer{}} }

// of gives a remembered answer in an ask's encoding.
func (s *answers) of(m Kept, k *ask) (*answer, error) {
	like := likeness{m.At, k.encoding, k.q.Key, k.q.Partner}
	s.mu.Lock()
	a := s.young[like]
	if a == nil {
		if a = s.old[like]; a != nil {
			s.put(like, a)
		}
	}
	s.mu.Unlock()
	// A log that was restored from an older copy has another answer at the same place.
	if a != nil && a.run == m.Answer.Run {
		return a, nil
	}
	a, err := newAnswer(m.Answer, k)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.put(like, a)
	return a, nil
}

// put keeps an answer; the caller holds mu.
func (s *answers) put(like likeness, a *answer) {
	if s.bytes > s.most {
		s.young, s.old, s.bytes = map[likeness]*answer{}, s.young, 0
	}
	s.young[like] = a
	s.bytes += a.size
}

// newAnswer reads an answer and encodes its shared part.
func newAnswer(from *journal.Answer, k *ask) (*answer, error) {
	r, _, err := messages.DecodeResult(from.Result, "")
	if err != nil {
		return nil, fmt.Errorf("read the result of run %s: %w", from.Run, err)
	}
	r.V, r.Run, r.Key, r.Partner, r.Source = messages.Version, from.Run, k.q.Key, k.q.Partner, messages.Remembered
	r.Question = messages.QuestionText(from.Question)
	r.Message = cmp.Or(r.Message, messages.Message(r.Code))
	shared, err := r.Share(k.encoding)
	if err != nil {
		return nil, err
	}
	return &answer{run: from.Run, shared: shared, result: r, size: 2*len(from.Result) + overhead,
		headers: r.ReplyHeader(k.encoding, "", "")}, nil
}
