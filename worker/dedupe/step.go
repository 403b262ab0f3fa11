// The steps of a flight: claim, run, store, release, and what is done about a silent holder.

package dedupe

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"protocolq/worker/failpoint"
)

// step takes one step for the key. An error means that the store refused or
// could not be reached; read and decide again.
func (g *Group[Q]) step(f *flight[Q], first *Ask[Q], e *Entry, s step) error {
	if s.act == actSuspect {
		rec := e.Record
		rec.Phase = Suspect
		return g.put(f, &rec, s.expect, runningTTL)
	}
	if s.act == actGiveUp {
		return g.giveUp(f, first, e, s)
	}
	if g.refuse.Load() {
		g.tellAll(f, Verdict{Kind: Overloaded})
		return nil
	}
	leave, admitted := g.admit(f, first)
	if leave != nil {
		defer leave()
	}
	if !admitted || !g.enter(f) {
		return nil
	}
	defer func() { <-g.slots }()
	if !g.current(f, e, first) || g.do.Held(first.Query) {
		return nil
	}
	l, err := g.claim(f, first, e, s)
	if errors.Is(err, ErrFull) { // to try again would keep its askers waiting in silence
		g.tellAll(f, Verdict{Kind: Overloaded})
		return nil
	}
	if err != nil {
		return err
	}
	g.perform(f, l, first)
	return nil
}

// admit asks whether the query may be run now, for as long as its asker waits
// and nothing new is heard of its key.
func (g *Group[Q]) admit(f *flight[Q], first *Ask[Q]) (leave func(), admitted bool) {
	ctx, cancel := context.WithTimeout(g.intake, g.patience(f))
	defer cancel()
	g.mu.Lock()
	f.hold = cancel
	if len(f.news) > 0 {
		cancel()
	}
	g.mu.Unlock()
	defer func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		f.hold = nil
	}()
	leave, reason, after := g.do.Admit(ctx, first.Query)
	if reason != "" && ctx.Err() == nil {
		g.tellAll(f, Verdict{Kind: Held, Reason: reason, RetryAfter: after})
		return leave, false
	}
	return leave, ctx.Err() == nil
}

// enter takes a slot. It returns false when something else came first: news of
// the key, an ask that expired, or the end.
func (g *Group[Q]) enter(f *flight[Q]) bool {
	select {
	case g.slots <- struct{}{}:
		return true
	default:
	}
	for {
		t := time.NewTimer(g.patience(f))
		select {
		case g.slots <- struct{}{}:
			t.Stop()
			return true
		case <-f.wake: // another ask has come, whose patience may be shorter
			t.Stop()
			if len(f.news) == 0 {
				continue
			}
		case <-g.intake.Done():
			t.Stop()
		case <-t.C:
		}
		return false
	}
}

// current reports whether e is still the newest revision and first still waits:
// what was decided before a slot came free may be stale.
func (g *Group[Q]) current(f *flight[Q], e *Entry, first *Ask[Q]) bool {
	now := g.o.Clock()
	g.mu.Lock()
	defer g.mu.Unlock()
	return !g.ended && f.entry == e && now.Before(first.Until)
}

// tellAll tells all asks of the flight v.
func (g *Group[Q]) tellAll(f *flight[Q], v Verdict) {
	g.mu.Lock()
	asks := f.asks
	f.asks = nil
	g.mu.Unlock()
	g.parked.Add(-int64(len(asks)))
	for _, a := range asks {
		a.Tell(v)
	}
}

// put writes a record that begins nothing of our own.
func (g *Group[Q]) put(f *flight[Q], rec *Record, expect uint64, ttl time.Duration) error {
	seq, err := g.o.Store.Put(g.work, f.key, rec, Terms{Expect: expect, TTL: ttl, Within: g.o.Poll})
	if err != nil {
		return err
	}
	g.own(f, seq, rec)
	return nil
}

// own takes in a record that this process has just written.
func (g *Group[Q]) own(f *flight[Q], seq uint64, rec *Record) {
	e := &Entry{Key: f.key, Seq: seq, Time: g.o.Clock(), Record: *rec, seen: time.Now(), read: true}
	g.mu.Lock()
	defer g.mu.Unlock()
	known := f.entry
	switch {
	case known != nil && known.Seq == seq: // heard of before the acknowledgement
	case known != nil && known.Seq > seq && time.Since(known.seen) < followerLag:
	case known != nil && known.Seq > seq: // the stream was made anew
		g.heard.drop(f.key)
		fallthrough
	default:
		g.learn(e)
		f.entry = e
	}
}

// claim writes the running record. After a refusal or a lost acknowledgement
// it is ours only if the store holds our own run.
func (g *Group[Q]) claim(f *flight[Q], first *Ask[Q], e *Entry, s step) (*Lease, error) {
	rec := Record{Phase: Running, Run: g.o.NewRun(), Ask: first.ID, Owner: g.o.Owner, Attempt: 1,
		BegunMs: g.o.Clock().UnixMilli(), LeaseMs: g.o.Lease.Milliseconds(), Question: first.Question, Prev: e.carried(g.o.Clock())}
	if s.act == actTake {
		rec.Deaths = e.Record.Deaths + 1
		if g.do.Inherit != nil {
			rec.Journal = g.do.Inherit(&e.Record)
		}
	} else if e.Record.Phase == Released {
		rec.Deaths = e.Record.Deaths
	}
	l := &Lease{store: g.o.Store, clock: g.o.Clock, key: f.key, rec: rec, since: time.Now(), wanted: func(in time.Duration) bool { return g.wanted(f, in) }}
	failpoint.Hit("before-claim")
	seq, err := g.o.Store.Put(g.work, f.key, &rec, Terms{Expect: s.expect, TTL: g.outlive(runningTTL, &rec), Within: g.o.Lease / 4})
	if err != nil {
		found, gerr := read(g.work, g.o.Store, f.key)
		if gerr != nil || found.Seq == 0 || found.Record.Run != rec.Run {
			g.stats.Lost.Add(1)
			if gerr != nil || !errors.Is(err, ErrConflict) {
				f.lost = append(f.lost[max(0, len(f.lost)-mostLost+1):], rec.Run)
			}
			return nil, err
		}
		seq = found.Seq
	}
	l.seq = seq
	if s.act == actTake {
		l.before = &e.Record
	}
	g.stats.Claims.Add(1)
	if s.act == actTake {
		g.stats.Takeovers.Add(1)
	}
	g.own(f, seq, &rec)
	return l, nil
}

// mostLost bounds the claims of a flight that are remembered as maybe arrived.
const mostLost = 8

// wanted reports whether anybody in this process will wait for the key after so long, and
// may: when the group is closing nothing new is begun.
func (g *Group[Q]) wanted(f *flight[Q], in time.Duration) bool {
	if g.intake.Err() != nil {
		return false
	}
	now := g.o.Clock().Add(in)
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.ContainsFunc(f.asks, func(a *Ask[Q]) bool { return now.Before(a.Until) })
}

// perform runs the work under the lease and stores what came of it.
func (g *Group[Q]) perform(f *flight[Q], l *Lease, first *Ask[Q]) {
	failpoint.Hit("after-claim")
	out, err := g.runOnce(l, first.Query)
	failpoint.Hit("after-answer")
	ctx, cancel := g.lastWords()
	defer cancel()
	if err != nil {
		g.release(ctx, f, l, err)
		return
	}
	rec := l.rec
	rec.Phase, rec.Answer, rec.KeepMs, rec.Failed, rec.Journal = Done, out.Answer, out.Keep.Milliseconds(), out.Failed, out.Journal
	if !out.Failed {
		rec.Prev = nil
	}
	if err := l.write(ctx, &rec, g.outlive(out.Keep, &rec)); err != nil {
		if errors.Is(err, ErrFenced) {
			g.stats.Fenced.Add(1)
		}
		g.o.Logger.Warn("answer not stored", "run", rec.Run, "err", err)
		g.refresh(f)
		return
	}
	failpoint.Hit("after-store")
	f.ran, f.read = rec.Run, out.Read
	// Who asks from now on is told at once, here as in every other process, which hears of the
	// record as soon as it is stored. What is told beside precedes the answers, and the
	// acknowledgements, of those who waited for the run.
	g.own(f, l.seq, &rec)
	g.do.Stored(ctx, first.Query, &rec, out.Read)
}

// lastWords is the context of what must still be stored after a run: it outlives the work, but not
// for long. While the work goes on there is no end to it: an answer that was paid for is not thrown
// away because the store is away.
func (g *Group[Q]) lastWords() (context.Context, context.CancelFunc) {
	if g.work.Err() == nil {
		return g.last, func() {}
	}
	return context.WithTimeout(context.Background(), lastWords) // of a run that ended after the group
}

// outlive is how long a record is kept: ttl, or for as long as the answer before it is served.
func (g *Group[Q]) outlive(ttl time.Duration, rec *Record) time.Duration {
	if p := rec.Prev; p != nil {
		ttl = max(ttl, time.UnixMilli(p.AtMs+p.KeepMs).Sub(g.o.Clock()))
	}
	return wholeSeconds(ttl)
}

// runOnce runs the work and turns a panic into an error.
func (g *Group[Q]) runOnce(l *Lease, q Q) (out Outcome, err error) {
	defer func() {
		if p := recover(); p != nil {
			g.o.Logger.Error("panic in a run", "run", l.rec.Run, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			err = errPanic
		}
	}()
	return g.do.Run(g.work, l, q)
}

var errPanic = errors.New("dedupe: the run panicked")

// release gives the key back at once: nothing that was begun can still come to
// an answer.
func (g *Group[Q]) release(ctx context.Context, f *flight[Q], l *Lease, cause error) {
	if errors.Is(cause, ErrOpen) {
		g.o.Logger.Warn("key not released: its call was cut", "run", l.rec.Run)
		return
	}
	if errors.Is(cause, ErrFenced) {
		g.stats.Fenced.Add(1)
		g.refresh(f)
		return
	}
	rec := l.rec
	rec.Phase, rec.Journal = Released, nil
	if errors.Is(cause, errPanic) {
		rec.Deaths++
	}
	if err := l.write(ctx, &rec, g.outlive(releasedTTL, &rec)); err != nil {
		g.o.Logger.Warn("key not released", "run", rec.Run, "err", err)
		return
	}
	g.stats.Released.Add(1)
	g.o.Logger.Info("key released", "run", rec.Run, "cause", cause)
	g.own(f, l.seq, &rec)
}

// giveUp stores the answer of a key whose holder is lost and whose work is not
// run again.
func (g *Group[Q]) giveUp(f *flight[Q], first *Ask[Q], e *Entry, s step) error {
	rec := e.Record
	if rec.Phase == Suspect {
		rec.Deaths++
	}
	out := g.do.GaveUp(first.Query, rec.Run, rec.Deaths)
	rec.Phase, rec.Owner, rec.Answer, rec.KeepMs, rec.Failed = Done, g.o.Owner, out.Answer, out.Keep.Milliseconds(), true
	rec.Once = rec.Deaths < g.o.MaxDeaths
	if rec.Once { // those who asked before may be delivered again after any cool-down, and nobody else is served it
		rec.KeepMs = max(rec.KeepMs, finalTTL.Milliseconds())
	}
	if err := g.put(f, &rec, s.expect, g.outlive(ms(rec.KeepMs), &rec)); err != nil {
		return err
	}
	g.do.Stored(g.work, first.Query, &rec, out.Read)
	return nil
}
