// Gate: whether a call for a partner may go out now, for the whole fleet.

// Package partner protects the gateway from the fleet: it stops calls for a partner whose settings
// are wrong, and keeps calls for the others within their rate and concurrency. It knows neither the
// gateway nor messages.
//
//	Try, or else Turn: halt, then concurrency, then rate ──► the call ──► Note ──► leave
//
// [Breaker] decides about halts; [Gate] shares them with the fleet through records.
package partner

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"

	"protocolq/worker/limit"
	"protocolq/worker/record"
)

// Records are the fleet's shared records about its partners, each named "<partner>.<record>".
type Records interface {
	record.Store
	limit.Records
	// Watch calls changed with each new record whose name matches pattern, in which * stands for one
	// token. It may miss some.
	Watch(pattern string, changed func(record.Record, error)) (stop func(), err error)
}

// Limits are the limits of one partner for the whole fleet; 0: no limit.
type Limits struct {
	Rate        int // calls that begin in a second
	Concurrency int // calls in progress at once
}

// Options are what a [Gate] needs.
type Options struct {
	Partners []string          // all partners that this process asks for
	Limits   map[string]Limits // by partner; no entry: no limits
	Records  Records
	Owner    string           // this process, unique in the fleet
	Clock    func() time.Time // shared by the fleet; time.Now when nil
	// Resumed is called when waiting for a partner ends, for any reason: it is no longer halted, its
	// probe may go at once, or its key was corrected. It may block briefly. Many goroutines call it;
	// it may be nil.
	Resumed func(partner string)
	// Foreign is called with each unreadable halt; nil: it is logged.
	Foreign func(name string, err error)
	Logger  *slog.Logger // discarded when nil
}

// Gate keeps the fleet within its limits, and blocks calls for halted partners. It is safe for
// concurrent use.
type Gate struct {
	o      Options
	rates  map[string]*limit.Rate
	shares map[string]*limit.Share
	alones map[string]chan struct{} // hold one token each: its holder checks a halted partner, or probes it

	mu       sync.Mutex // guards the Breakers, not the map; never held during I/O
	breakers map[string]*Breaker
	said     map[string]time.Time // when a kind of trouble was last logged; guarded by mu, too
}

// Bounds of waits.
const (
	longestRateWait = 10 * time.Second // a longer wait is refused at once
	retryWrite      = time.Second      // after a probe that was not written
)

// New makes a Gate. It starts nothing.
func New(o Options) *Gate {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Resumed == nil {
		o.Resumed = func(string) {}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Foreign == nil {
		log := o.Logger
		o.Foreign = func(name string, err error) {
			partner, _, _ := strings.Cut(name, ".")
			log.Error("halt record not understood", "partner", partner, "err", err)
		}
	}
	g := &Gate{o: o, rates: map[string]*limit.Rate{}, shares: map[string]*limit.Share{},
		alones: map[string]chan struct{}{}, breakers: map[string]*Breaker{}, said: map[string]time.Time{}}
	for _, p := range o.Partners {
		g.breakers[p], g.alones[p] = NewBreaker(o.Owner), make(chan struct{}, 1)
	}
	for p, l := range o.Limits {
		if l.Rate > 0 {
			g.rates[p] = limit.NewRate(o.Records, p+".rate", float64(l.Rate), o.Clock)
		}
		if l.Concurrency > 0 {
			g.shares[p] = limit.NewShare(o.Records, p+".calls", o.Owner, l.Concurrency, o.Clock)
		}
	}
	return g
}

// noteTime bounds how long Note takes.
const noteTime = 2 * time.Second

// Note applies the result of a run, which may halt or resume the partner. That is written within
// noteTime, even if ctx has ended.
func (g *Gate) Note(ctx context.Context, partner string, r Run) {
	b := g.breakers[partner]
	if b == nil {
		return
	}
	g.mu.Lock()
	was := b.Halt()
	w := b.Note(g.o.Clock(), r)
	is := b.Halt()
	g.mu.Unlock()
	switch {
	case is.Halted && !was.Halted:
		g.o.Logger.Error("partner halted for this worker alone", "partner", partner, "code", r.Code,
			"hint", "other workers' calls are accepted: compare this one's key file with theirs")
	case was.Halted && !is.Halted:
		g.o.Logger.Info("partner is asked for again", "partner", partner, "worker", "alone")
		g.o.Resumed(partner)
	}
	if w == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), noteTime)
	defer cancel()
	switch err := g.write(ctx, partner, w); {
	case errors.Is(err, record.ErrConflict): // another process has done it
	case err != nil:
		g.warn("halt not written", "partner", partner, "halted", w.Halt.Halted, "err", err)
	case w.Halt.Halted:
		g.o.Logger.Error("partner halted", "partner", partner, "code", r.Code,
			"hint", "correct its key, contract or permission; one query a minute finds out, or protocolq partner "+
				"resume")
	default:
		g.o.Logger.Info("partner is asked for again", "partner", partner)
	}
}

// write writes a halt of a partner that has a Breaker, and applies it here.
func (g *Gate) write(ctx context.Context, partner string, w *Write) error {
	data, err := json.Marshal(w.Halt)
	if err != nil {
		return err
	}
	seq, err := g.o.Records.Put(ctx, nameOf(partner), data, w.Seq)
	if err != nil {
		return err
	}
	g.take(partner, w.Halt, func(b *Breaker) bool { return b.LearnSince(w.Seq, w.Halt, seq) })
	return nil
}

// sayEvery is how often trouble of one kind is logged at most.
const sayEvery = 30 * time.Second

// warn logs trouble now and then. Unavailable records concern all partners.
func (g *Gate) warn(what string, args ...any) {
	g.mu.Lock()
	now := time.Now()
	due := now.Sub(g.said[what]) >= sayEvery
	if due {
		g.said[what] = now
	}
	g.mu.Unlock()
	if due {
		g.o.Logger.Warn("records of partners in trouble", append([]any{"what", what}, args...)...)
	}
}

// take lets the partner's Breaker learn a halt, and logs or reports a change.
func (g *Gate) take(partner string, h Halt, learn func(*Breaker) (turned bool)) {
	b := g.breakers[partner]
	g.mu.Lock()
	was := b.Halt()
	turned := learn(b)
	is := b.Halt()
	g.mu.Unlock()
	switch {
	case turned:
		g.o.Logger.Warn("partner halt changed", "partner", partner, "halted", h.Halted, "by", h.By, "who", h.Who,
			"code", h.Code, "reason", h.Reason)
	case was.Halted && !is.Halted:
		g.o.Logger.Info("partner is asked for again", "partner", partner, "worker", "alone")
	}
	if soonerThan(was, is) {
		g.o.Resumed(partner)
	}
}
