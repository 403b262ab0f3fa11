// Remembered answers, for the doors.

package member

import (
	"bytes"
	"context"
	"strings"
	"time"

	"protocolq/worker/journal"
	"protocolq/worker/memory"
)

// Remembered is an answer that serves an ask without its own entry, and its place.
type Remembered struct {
	Answer *journal.Answer
	At     journal.Ref
}

// Remembered looks for an answer that serves the ask now: conclusive, to the same question, and
// fresh enough. ok is false if there is none, if its person was forgotten since, if there is a
// final answer for the ask's id, or if the answer's text is not in memory; then it is read, for the
// next ask. Remembered does not block.
func (m *Member) Remembered(a *journal.Ask) (r Remembered, ok bool) {
	now := m.now()
	m.stateMu.RLock()
	kept, ok := m.state.Answers().Get(a.Key)
	if ok {
		_, final := m.state.Final(a.ID, now)
		ok = !final && now < kept.Expires && kept.Question == memory.Question(a.Question)
	}
	m.stateMu.RUnlock()
	if !ok {
		return Remembered{}, false
	}
	e, ok := m.answers.Get(kept.At)
	if !ok {
		if e, ok = m.atHand(kept.At); !ok {
			m.readAnswer(kept.At)
			return Remembered{}, false
		}
	}
	// While it is not noticed yet that the log was replaced, another answer may be in this place.
	if e.Key != a.Key || e.Question != a.Question || m.forgot(e.Persons, kept.At) {
		return Remembered{}, false
	}
	if !a.Given && a.MaxAge >= 0 {
		if age := now - (kept.Expires - e.Keep); age > max(a.MaxAge, m.minAge) {
			return Remembered{}, false
		}
	}
	return Remembered{e, kept.At}, true
}

// Knows reports whether the ask of a token, or of a near one, is in the log: a message that is
// delivered or stored again need not be journalled again.
func (m *Member) Knows(token string, near journal.Near) bool {
	m.stateMu.RLock()
	defer m.stateMu.RUnlock()
	return m.state.Knows(token, near)
}

// forgot reports whether one of the persons was forgotten after a place of the log.
func (m *Member) forgot(persons [2]journal.Hash, since journal.Ref) bool {
	m.stateMu.RLock()
	defer m.stateMu.RUnlock()
	return m.state.Forgot(persons, since)
}

// dropTexts drops all texts that are in memory, because a person is to be forgotten. What is still
// needed of them is read again.
func (m *Member) dropTexts() {
	m.texts.forget()
	m.answers.Clear()
	m.queries.forget()
}

// atHand is the answer at a place, if its batch was read recently.
func (m *Member) atHand(at journal.Ref) (*journal.Answer, bool) {
	x, ok := m.texts.get(at)
	if !ok {
		return nil, false
	}
	a, ok := plain(x.entry).(*journal.Answer)
	if !ok {
		return nil, false
	}
	a = apart(a)
	m.answers.Put(at, a)
	return a, true
}

// apart is a copy of an answer with what a door needs, which does not keep its batch in memory.
func apart(a *journal.Answer) *journal.Answer {
	b := *a
	b.Result, b.Attempts, b.Final = bytes.Clone(a.Result), nil, nil
	b.Run, b.Code, b.Partner = strings.Clone(a.Run), strings.Clone(a.Code), strings.Clone(a.Partner)
	return &b
}

// readAnswer reads an answer's text for the next asks, if there is room for another read and Run is
// not ending: doors may ask until they are closed.
func (m *Member) readAnswer(at journal.Ref) {
	select {
	case m.fetches <- struct{}{}:
	default:
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.over { // Run waits for the reads under way, or has returned
		<-m.fetches
		return
	}
	m.fetching.Go(func() {
		defer func() { <-m.fetches }()
		ctx, cancel := context.WithTimeout(m.ctx, fetchTime)
		defer cancel()
		_, _ = m.answers.Load(ctx, at, m.loadAnswer) // the next ask finds it, or reads again
	})
}

func (m *Member) loadAnswer(ctx context.Context, at journal.Ref) (*journal.Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTime)
	defer cancel()
	x, err := m.texts.load(ctx, at)
	if err != nil {
		return nil, err
	}
	a, ok := plain(x.entry).(*journal.Answer)
	if !ok {
		return nil, errNotThere
	}
	return apart(a), nil
}

func answerSize(a *journal.Answer) int { return entryBytes + len(a.Result) }

// minAge is the smallest limit that an asker can put on an answer's age.
const minAge = 2 * time.Second
