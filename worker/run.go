// What one run for a key comes to, and how long that is remembered.

package worker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"protocolq/gateway/mapi"
	"protocolq/messages"
	"protocolq/worker/dedupe"
)

// run does the work for a key under its lease.
func (w *Worker) run(ctx context.Context, l *dedupe.Lease, q messages.Query) (dedupe.Outcome, error) {
	t := &Turn{Query: q, Lease: l}
	if dead := l.Before(); dead != nil {
		t.Before = w.callsOf(dead)
	}
	r, err := w.handle(ctx, t)
	if err != nil {
		if t.open { // it is written down, as cut, by whoever takes the key over
			return dedupe.Outcome{}, errors.Join(dedupe.ErrOpen, err)
		}
		w.abandoned(ctx, t, err)
		return dedupe.Outcome{}, err
	}
	o, err := w.outcome(&q, r, t.rest())
	if err == nil {
		o.Journal = t.journal()
	}
	return o, err
}

// callsOf is the calls of a holder that is dead, the last one cut, and of those that died before
// him.
func (w *Worker) callsOf(dead *dedupe.Record) []Attempt {
	calls, err := attemptsOf(dead)
	if err != nil {
		w.log.Error("attempts of a dead holder not understood", "run", dead.Run, "err", err)
	}
	return append(calls, Attempt{AtUs: dead.BegunMs * 1000, Cut: true})
}

// inherit is the journal of a key that is taken over: should this worker die as well, the next one
// knows of the calls before his.
func (w *Worker) inherit(dead *dedupe.Record) []byte {
	return journalOf(w.callsOf(dead))
}

// abandoned writes down a run that made calls and came to nothing: its askers have
// left, or this worker is ending. The calls of a fenced run are written down, as
// cut, by whoever took its key over.
func (w *Worker) abandoned(ctx context.Context, t *Turn, cause error) {
	if len(t.Attempts) == 0 || errors.Is(cause, dedupe.ErrFenced) {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), publishTimeout)
	defer cancel()
	last := t.Attempts[len(t.Attempts)-1]
	rec := &dedupe.Record{Run: t.Lease.Run(), Owner: w.owner, BegunMs: t.Attempts[0].AtUs / 1000, Journal: t.journal()}
	r := messages.Result{Run: rec.Run, Outcome: messages.Unknown, Code: last.Code, Attempts: len(t.Attempts),
		AskedAtMs: last.AtUs / 1000, ExpiresAtMs: w.clock.Now().UnixMilli()}
	w.tellRun(ctx, &t.Query, rec, &r)
}

// gaveUp is what those hear whose key lost its holder and is not asked again.
func (w *Worker) gaveUp(q messages.Query, run string, deaths int) dedupe.Outcome {
	r := own(messages.Crashed)
	r.Message, r.Attempts = messages.Message(messages.Crashed), 1
	w.log.Error("key given up: its holders died", "run", run, "deaths", deaths)
	o, err := w.outcome(&q, r, 0)
	if err != nil {
		w.log.Error("encode answer", "run", run, "err", err)
	}
	return o
}

// outcome is what is stored of a result. All that those who share it must read
// alike is fixed here, what belongs to one ask is added later. rest is how long the gateway
// still wants to be left alone: a cool-down is no shorter.
func (w *Worker) outcome(q *messages.Query, r messages.Result, rest time.Duration) (dedupe.Outcome, error) {
	keep, failed := w.keep(q, &r)
	if failed { // a record counts in milliseconds
		keep = max(keep, (rest + time.Millisecond - 1).Truncate(time.Millisecond))
	}
	r.V, r.Partner = messages.Version, q.Partner
	r.ExpiresAtMs = w.clock.Now().Add(keep).UnixMilli()
	body, err := r.Encode(messages.MsgPack)
	if err != nil {
		return dedupe.Outcome{}, fmt.Errorf("encode answer: %w", err)
	}
	return dedupe.Outcome{Answer: bytes.Clone(body), Keep: keep, Failed: failed, Read: &r}, nil
}

// keep is how long an answer is remembered, and whether it settles nothing, so
// that this is a cool-down. What the account or the program is at fault for
// stays wrong; a fault of the partner's settings is mended by its operator, so it is
// looked at again soon.
func (w *Worker) keep(q *messages.Query, r *messages.Result) (keep time.Duration, failed bool) {
	code, _ := mapi.Lookup(r.Code)
	if !r.Outcome.Conclusive() && (r.Outcome != messages.Refused || code.Class != mapi.Input && code.Class != mapi.Bug) {
		return w.o.Cooldown, true
	}
	if q.Key != "" {
		return w.o.Window, false
	}
	return w.o.Freshness, false
}
