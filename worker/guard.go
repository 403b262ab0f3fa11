// The guard before a claim: may this partner be asked for now, and is there room for one more call?

package worker

import (
	"context"
	"errors"
	"strings"
	"time"

	"protocolq/gateway/mapi"
	"protocolq/messages"
	"protocolq/worker/limit"
	"protocolq/worker/record"
)

// Limits are those of one partner over the whole fleet; 0 is none.
type Limits struct {
	Rate        int // calls that begin in a second
	Concurrency int // calls under way at once
}

// guard holds the fleet to its limits and lets nobody ask for a halted partner.
type guard struct {
	w      *Worker
	halts  *halts
	hold   *hold
	rates  map[string]*limit.Rate
	shares map[string]*limit.Share
}

// longestRateWait is how long a query waits for its turn before its asker is told
// that the house is full.
const longestRateWait = 10 * time.Second

func newGuard(w *Worker) *guard {
	records := PartnerRecords(w.o.NATS, w.to, w.o.Names)
	g := &guard{w: w, halts: newHalts(w, records), hold: newHold(), rates: map[string]*limit.Rate{}, shares: map[string]*limit.Share{}}
	for p, l := range w.o.Limits {
		if l.Rate > 0 {
			g.rates[p] = limit.NewRate(records, p+".rate", float64(l.Rate), w.clock.Now)
		}
		if l.Concurrency > 0 {
			g.shares[p] = limit.NewShare(records, p+".calls", w.owner, l.Concurrency, w.clock.Now)
		}
	}
	return g
}

// admit waits for the query's turn. reason is why it is not admitted at present.
func (g *guard) admit(ctx context.Context, q messages.Query) (leave func(), reason string, after time.Duration) {
	if after, halted := g.halts.check(ctx, q.Partner); halted {
		return nil, messages.PartnerHalted, after
	}
	if g.w.book != nil && g.w.book.full.Load() {
		return nil, messages.Overloaded, storeCheck
	}
	if after := g.hold.wait(ctx, q.Partner); after > 0 {
		return nil, messages.CoolingDown, after
	}
	if s := g.shares[q.Partner]; s != nil {
		var err error
		if leave, err = s.Enter(ctx); err != nil {
			return nil, g.full(ctx, err), time.Second
		}
	}
	if r := g.rates[q.Partner]; r != nil {
		wait, err := r.Wait(ctx, longestRateWait)
		if err != nil {
			return leave, g.full(ctx, err), time.Second
		}
		if wait > 0 {
			return leave, messages.Overloaded, wait
		}
	}
	return leave, "", 0
}

// full is the reason when a limit could not be kept: without it no call is made. An
// asker whose time has ended is told that elsewhere.
func (g *guard) full(ctx context.Context, err error) string {
	if ctx.Err() != nil {
		return ""
	}
	g.w.log.Warn("limit not kept: no call is made", "err", err)
	return messages.Overloaded
}

// paced holds every attempt after the first to the partner's rate; the first one's
// turn was taken before the claim.
func (g *guard) paced(next Handler) Handler {
	return func(ctx context.Context, t *Turn) (messages.Result, error) {
		r := g.rates[t.Query.Partner]
		if r == nil || len(t.Attempts) == 0 {
			return next(ctx, t)
		}
		if wait, err := r.Wait(ctx, time.Until(t.Lease.Deadline())/2); err != nil || wait > 0 {
			return messages.Result{}, errors.Join(errNoTurn, err)
		}
		return next(ctx, t)
	}
}

// errNoTurn: the rate leaves no room for another attempt within the lease.
var errNoTurn = errors.New("no turn for another attempt")

// noted tells the halts what each run came to.
func (g *guard) noted(next Handler) Handler {
	return func(ctx context.Context, t *Turn) (messages.Result, error) {
		r, err := next(ctx, t)
		if err == nil {
			code, known := mapi.Lookup(r.Code)
			conf := known && code.Class == mapi.Conf
			good := r.Outcome.Conclusive() || known && code.Class == mapi.Input
			g.halts.note(ctx, t.Query.Partner, t.Query.KeyToken(), r.Code, conf, good)
		}
		return r, err
	}
}

// watch hears of changed halts.
func (g *guard) watch(ctx context.Context) (stop func(), err error) {
	stop, err = g.halts.records.Watch("*."+HaltRecord, func(r record.Record, err error) {
		if err != nil {
			g.w.log.Error("halt record not read", "err", err)
			return
		}
		partner, _, _ := strings.Cut(r.Name, ".")
		g.halts.heard(partner, r.Data, r.Seq)
	})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	if err := g.halts.refresh(ctx); err != nil {
		g.w.log.Warn("halts not read yet", "err", err)
	}
	return stop, nil
}

// tend renews the shares of calls, and reads the halts in case a change was missed.
func (g *guard) tend(ctx context.Context) {
	tick := time.NewTicker(limit.ShareEvery)
	defer tick.Stop()
	for n := 1; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		within, cancel := context.WithTimeout(ctx, publishTimeout)
		for p, s := range g.shares {
			if err := s.Renew(within); err != nil && ctx.Err() == nil {
				g.w.log.Warn("share of calls not renewed", "partner", p, "err", err)
			}
		}
		if n%20 == 0 {
			if err := g.halts.refresh(within); err != nil && ctx.Err() == nil {
				g.w.log.Warn("halts not read", "err", err)
			}
		}
		cancel()
	}
}
