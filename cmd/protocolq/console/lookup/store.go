// The look-ups in progress and those of today, in memory.

package lookup

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"protocolq/messages"
)

// Bounds: how many look-ups are kept, for how long, and how many may be in progress.
const (
	mostKept  = 10_000
	keptFor   = 12 * time.Hour
	mostAsked = 500
)

var errFull = errors.New("too many look-ups are under way")

// lookUp is one question of one reader, and its answer.
type lookUp struct {
	Ref   string         // in the address of its page, and as the query's id in the query log
	By    string         // its user's key
	Query messages.Query // holds the account: never shown
	Begun time.Time

	done   chan struct{} // closed when the answer fields are set
	ended  time.Time
	result messages.Result
	err    error
}

// Shown is the account, masked.
func (l *lookUp) Shown() string { return shown(l.Query) }

// Answered returns the answer, if it is there.
func (l *lookUp) Answered() (messages.Result, bool) {
	select {
	case <-l.done:
		return l.result, true
	default:
		return messages.Result{}, false
	}
}

// store keeps look-ups by ref.
type store struct {
	ask     Asker
	patient time.Duration
	asking  chan struct{} // one token for each look-up in progress

	mu    sync.Mutex // guards the rest
	byRef map[string]*lookUp
	order []*lookUp // oldest first
}

func newStore(ask Asker, patience time.Duration) *store {
	return &store{ask: ask, patient: patience, asking: make(chan struct{}, mostAsked), byRef: map[string]*lookUp{}}
}

// refPrefix says in the query log where an ask came from.
const refPrefix = "page-"

// begin asks in the background: a reader who leaves the page finds the answer on coming back.
func (s *store) begin(ctx context.Context, by string, q messages.Query) (*lookUp, error) {
	select {
	case s.asking <- struct{}{}:
	default:
		return nil, errFull
	}
	l := &lookUp{Ref: strings.ToLower(rand.Text()), By: by, Begun: time.Now(), done: make(chan struct{})}
	q.ID = refPrefix + l.Ref
	l.Query = q
	s.keep(l)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.patient)
	go func() {
		defer func() { cancel(); l.ended = time.Now(); close(l.done); <-s.asking }()
		if l.result, l.err = s.ask.Ask(ctx, q); l.err != nil {
			l.result = unreached()
		}
	}()
	return l, nil
}

func (s *store) keep(l *lookUp) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := 0
	for old < len(s.order) && (len(s.order)-old >= mostKept || time.Since(s.order[old].Begun) > keptFor) {
		delete(s.byRef, s.order[old].Ref)
		old++
	}
	s.order = append(slices.Delete(s.order, 0, old), l)
	s.byRef[l.Ref] = l
}

// find returns the look-up of a page.
func (s *store) find(ref string) *lookUp {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.byRef[ref]
}

// recent returns the last look-ups of one reader, newest first.
func (s *store) recent(by string, n int) (list []*lookUp) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := len(s.order) - 1; i >= 0 && len(list) < n; i-- {
		if l := s.order[i]; l.By == by && time.Since(l.Begun) < keptFor {
			list = append(list, l)
		}
	}
	return list
}
