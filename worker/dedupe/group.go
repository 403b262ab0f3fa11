// Group: who waits for which key in this process, and what it has heard of all keys.

package dedupe

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// How long records that hold no answer are kept, and what bounds a group by default.
const (
	runningTTL    = 24 * time.Hour
	releasedTTL   = time.Minute
	finalTTL      = 10 * time.Minute // what is final for those who had asked before: longer than any redelivery takes
	defaultLease  = 12 * time.Second
	defaultGrace  = 2 * time.Second
	defaultPoll   = 2 * time.Second
	defaultSlots  = 256
	defaultDeaths = 3
	defaultMemory = 8 << 20
	lastWords     = 2 * time.Second // what is left to store once the work is dropped
)

// AfterCrash says what becomes of a key whose holder died over it.
type AfterCrash string

// The two choices of AfterCrash.
const (
	Rerun AfterCrash = "rerun" // run the work again: at most one more call per death
	Fail  AfterCrash = "fail"  // tell those waiting that the outcome is unknown
)

// Outcome is what a run came to.
type Outcome struct {
	Answer  []byte
	Keep    time.Duration // how long it is served
	Failed  bool          // it says nothing conclusive: Keep is a cool-down
	Journal []byte        // what is kept beside it of how it came about
	Read    any           // what a reader would make of Answer, for those in this process; not stored
}

// Ask is one asker's wish at a key. Q is what the work needs to know.
type Ask[Q any] struct {
	ID       string // of the wish, wherever and however often it is handed in: whose run it is can be told everywhere; "" is nobody's
	Query    Q
	Question []byte        // hash of what is asked: two asks of one key must agree
	Stored   time.Time     // when the ask was stored, by the store's clock
	MaxAge   time.Duration // how old an answer may be; negative: any that is still served
	Until    time.Time     // when the asker stops waiting, by the store's clock
	// Tell is called exactly once, without any lock held; it must not block.
	Tell func(Verdict)
}

func (a *Ask[Q]) wish() wish {
	return wish{id: a.ID, question: a.Question, stored: a.Stored, maxAge: a.MaxAge, until: a.Until}
}

// Options are what a Group needs; New fills in what is zero where a default is given.
type Options struct {
	Store      Store
	Owner      string           // this process, unique in the fleet and in time
	NewRun     func() string    // makes the identity of a run, unique in the fleet and in time
	Clock      func() time.Time // the store's clock; default time.Now
	Lease      time.Duration    // 12 s: how long a silent holder is believed alive
	Grace      time.Duration    // 2 s: how long a suspect one may still store
	Poll       time.Duration    // 2 s: how often a parked key is read, in case a change was missed
	Slots      int              // 256: runs at once
	MaxDeaths  int              // 3: holders lost before a key is given up
	AfterCrash AfterCrash       // Rerun
	Memory     int              // 8 MiB of entries heard of
	Logger     *slog.Logger     // discarded when nil
}

// Work is what is done for a key. All are called with the query of the
// ask that set it off.
type Work[Q any] struct {
	// Run does the work under a lease. An error means that nothing came of it:
	// the key is released, and claimed again if anybody still waits.
	Run func(ctx context.Context, l *Lease, q Q) (Outcome, error)
	// Admit is asked before a claim is made, and may wait for as long as its
	// context lets it. A query that is not admitted makes no claim: all who wait
	// for it are told that they are Held, for reason and as long as after. The
	// returned func, if any, is called when the run has ended or was not begun.
	// Nil: all are admitted.
	Admit func(ctx context.Context, q Q) (leave func(), reason string, after time.Duration)
	// Held is asked once the run has its slot, for which it may have waited long: true sends the
	// query back to Admit. It must not block. Nil: none is held.
	Held func(q Q) bool
	// Inherit gives the journal with which a run begins that takes the key over from
	// dead, so that what is known of dead's work outlives the run, too. Nil: an empty one.
	Inherit func(dead *Record) (journal []byte)
	// GaveUp makes the answer for those who waited for a key that is given up.
	GaveUp func(q Q, run string, deaths int) Outcome
	// Stored is told of each answer that this process has stored, before any
	// asker is. Nil: nobody is.
	Stored func(ctx context.Context, q Q, rec *Record, read any)
}

// Group joins the asks of this process by key. All methods are safe for
// concurrent use.
type Group[Q any] struct {
	o      Options
	do     Work[Q]
	slots  chan struct{}
	work   context.Context // ends when unfinished work is to be dropped
	abort  context.CancelFunc
	last   context.Context // outlives work by lastWords
	mute   context.CancelFunc
	intake context.Context // ends when no new work may begin
	shut   context.CancelFunc

	refuse atomic.Bool  // no new claim is made
	parked atomic.Int64 // asks not yet told
	stats  Stats

	mu        sync.Mutex // guards what follows; held for lines, never over I/O
	flights   map[string]*flight[Q]
	heard     *memory
	ended     bool
	sightings []sighting      // the oldest first
	pilots    chan *flight[Q] // taken from by those that are free
	wg        sync.WaitGroup  // of pilots
}

// Stats are counters since the start, each monotonic.
type Stats struct {
	Claims, Lost, Renewals, Takeovers, Fenced, Released, Polls atomic.Uint64
}

// New makes a Group. It starts nothing.
func New[Q any](o Options, do Work[Q]) (*Group[Q], error) {
	if o.Store == nil || o.Owner == "" || o.NewRun == nil || do.Run == nil || do.GaveUp == nil {
		return nil, errors.New("dedupe: Store, Owner, NewRun, Run and GaveUp are needed")
	}
	switch o.AfterCrash {
	case "":
		o.AfterCrash = Rerun
	case Rerun, Fail:
	default:
		return nil, fmt.Errorf("dedupe: after crash %q, must be %q or %q", o.AfterCrash, Rerun, Fail)
	}
	o.defaults()
	if do.Admit == nil {
		do.Admit = func(context.Context, Q) (func(), string, time.Duration) { return nil, "", 0 }
	}
	if do.Held == nil {
		do.Held = func(Q) bool { return false }
	}
	if do.Stored == nil {
		do.Stored = func(context.Context, Q, *Record, any) {}
	}
	g := &Group[Q]{o: o, do: do, slots: make(chan struct{}, o.Slots),
		flights: map[string]*flight[Q]{}, heard: newMemory(o.Memory), pilots: make(chan *flight[Q])}
	g.work, g.abort = context.WithCancel(context.Background())
	g.intake, g.shut = context.WithCancel(g.work)
	g.last, g.mute = context.WithCancel(context.Background())
	return g, nil
}

func (o *Options) defaults() {
	orDefault(&o.Lease, defaultLease)
	orDefault(&o.Grace, defaultGrace)
	orDefault(&o.Poll, defaultPoll)
	orDefault(&o.Slots, defaultSlots)
	orDefault(&o.MaxDeaths, defaultDeaths)
	orDefault(&o.Memory, defaultMemory)
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
}

func orDefault[T int | time.Duration](v *T, d T) {
	if *v <= 0 {
		*v = d
	}
}

// Join lets a wait for key's answer. What is remembered is told at once;
// otherwise the key's flight in this process is joined, or one is begun.
func (g *Group[Q]) Join(key string, a *Ask[Q]) {
	g.mu.Lock()
	f, e := g.flights[key], g.heard.get(key)
	if f != nil && f.entry != nil {
		e = f.entry
	}
	v, known := Verdict{}, false
	if e != nil {
		v, known = judge(e, a.wish(), g.o.Clock())
	}
	switch {
	case known:
	case g.ended:
		v, known = Verdict{Kind: GivenBack}, true
	case f == nil:
		f = &flight[Q]{key: key, entry: e, wake: make(chan struct{}, 1), news: make(chan struct{}, 1)}
		g.flights[key] = f
		g.begin(f)
	}
	if !known {
		f.asks = append(f.asks, a)
		g.parked.Add(1)
		f.nudge()
	}
	g.mu.Unlock()
	if known {
		a.Tell(v)
	}
}

// Remembered returns what is told of key at once, if anything: an answer that
// this process has heard of and that is still served, or a conflict.
func (g *Group[Q]) Remembered(key string, a *Ask[Q]) (Verdict, bool) {
	g.mu.Lock()
	e := g.heard.get(key)
	g.mu.Unlock()
	if e == nil {
		return Verdict{}, false
	}
	v, ok := judge(e, a.wish(), g.o.Clock())
	return v, ok && v.Kind != Expired
}

// Known reports whether revision seq of key, or a later one, was heard of: what
// brings it need not be decoded.
func (g *Group[Q]) Known(key string, seq uint64) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.heard.newest(key) >= seq
}

// Observe takes in a change of a record that was heard of. Older news than
// what is known is dropped.
func (g *Group[Q]) Observe(e Entry) {
	e.seen = time.Now()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.learn(&e)
}

// learn keeps e if it is news, and wakes who waits for it. The caller holds mu.
func (g *Group[Q]) learn(e *Entry) {
	if known := g.heard.get(e.Key); known != nil && known.Seq >= e.Seq {
		return
	}
	if e.Record.Phase == Done {
		e.memo = new(atomic.Value)
	}
	g.heard.put(e)
	f := g.flights[e.Key]
	if f != nil && (f.entry == nil || f.entry.Seq < e.Seq) {
		f.entry = e
		f.hear()
	}
}

// Refuse stops (or allows again) new claims: who would need one is told
// Overloaded. What is running, renewing or storing goes on.
func (g *Group[Q]) Refuse(on bool) { g.refuse.Store(on) }

// Parked is how many asks wait to be told.
func (g *Group[Q]) Parked() int { return int(g.parked.Load()) }

// InFlight is how many runs are under way.
func (g *Group[Q]) InFlight() int { return len(g.slots) }

// Stats returns the counters; read them with Load.
func (g *Group[Q]) Stats() *Stats { return &g.stats }

// Close lets no new work begin, gives back the asks whose work has not, and
// waits for what is running. When ctx ends first, that is dropped too: its keys
// are released. On return no goroutine of the group runs.
func (g *Group[Q]) Close(ctx context.Context) error {
	g.mu.Lock()
	g.ended = true
	g.mu.Unlock()
	g.shut()
	finished := make(chan struct{})
	go func() { g.wg.Wait(); close(finished) }()
	defer g.mute()
	defer g.abort()
	select {
	case <-finished:
		return nil
	case <-ctx.Done():
		g.abort()
		late := time.AfterFunc(lastWords, g.mute)
		<-finished
		late.Stop()
		return fmt.Errorf("close with runs under way: %w", ctx.Err())
	}
}
