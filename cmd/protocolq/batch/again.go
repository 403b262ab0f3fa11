// Answers that say "ask again later": the line is asked again, within its time.

package batch

import (
	"context"
	"sync"
	"time"

	"protocolq/messages"
)

// Asker puts one question to the workers; an error means that no answer came.
type Asker func(context.Context, messages.Query) (messages.Result, error)

// maxWait bounds the wait that an answer may ask for.
const maxWait = time.Minute

// again decides whether to ask a line once more after r: if r says when, and that is before the
// line's time ends.
func again(r messages.Result, left time.Duration) (wait time.Duration, ok bool) {
	if r.Outcome != messages.Unknown || !r.Retryable || r.RetryAfterMs <= 0 {
		return 0, false
	}
	wait = time.Duration(min(r.RetryAfterMs, maxWait.Milliseconds())) * time.Millisecond
	return wait, wait < left
}

// turnedAway reports whether r says that the workers take no queries at all: then no line is begun
// either.
func turnedAway(r messages.Result) bool {
	return r.Outcome == messages.Unknown && (r.Code == messages.Paused || r.Code == messages.Overloaded)
}

// Patient asks through ask until there is a final answer, and at most for that time.
func Patient(ask Asker, most time.Duration) Asker {
	p := &patient{ask: ask, most: most}
	return p.answer
}

type patient struct {
	ask  Asker
	most time.Duration

	mu   sync.Mutex // guards rest
	rest time.Time  // until when nothing is asked
}

func (p *patient) answer(ctx context.Context, q messages.Query) (messages.Result, error) {
	pause(ctx, p.resting())
	ctx, cancel := context.WithTimeout(ctx, p.most)
	defer cancel()
	end := time.Now().Add(p.most)
	for {
		r, err := p.ask(ctx, q)
		wait, ok := again(r, time.Until(end))
		if turnedAway(r) {
			p.hold(max(wait, time.Second))
		}
		if err != nil || !ok || !pause(ctx, wait) {
			return r, err
		}
	}
}

func (p *patient) hold(wait time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if until := time.Now().Add(wait); until.After(p.rest) {
		p.rest = until
	}
}

func (p *patient) resting() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return min(time.Until(p.rest), maxWait)
}

// pause waits, and reports whether ctx is still alive.
func pause(ctx context.Context, wait time.Duration) bool {
	if wait <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
