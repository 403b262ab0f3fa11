// A fleet under faults drawn from a seed, in a bubble: processes die and freeze, what they write and hear is lost.

package dedupe_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"protocolq/worker/dedupe"
)

var (
	oneSeed = flag.Uint64("sim.seed", 0, "run the simulation with this seed only, many times over")
	seeds   = flag.Uint64("sim.seeds", 200, "run the simulation with so many seeds")
)

// A seed draws the faults; which goroutine comes first is the scheduler's, so a
// seed that failed may need some tries: go test -run Simulation -sim.seed 17.
func TestSimulation(t *testing.T) {
	from, to, change := uint64(1), *seeds+1, uint64(1)
	if *oneSeed != 0 {
		from, to, change = *oneSeed, *oneSeed+200, 0
	}
	sum := map[string]int{}
	for n := from; n < to && !t.Failed(); n++ {
		seed := from + (n-from)*change
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, seed)
			w.play()
			for k, n := range w.seen {
				sum[k] += n
			}
		})
	}
	// A simulation in which nothing happens proves nothing.
	for _, what := range []string{"asked", "died", "frozen", "late", "lapsed", "panicked", "failed", "released", "takeover", "gave up", "refresh", "over suspect", "fenced", "conflict"} {
		if sum[what] == 0 && *oneSeed == 0 && !t.Failed() {
			t.Errorf("in no seed: %s", what)
		}
	}
	t.Log(sum)
}

const (
	faulty = 60 * time.Second  // how long faults happen
	healed = 120 * time.Second // how long after them everybody must have been told
	graced = 2 * time.Second
)

// world is one simulation.
type world struct {
	t          *testing.T
	seed       uint64
	store      *fakeStore
	afterCrash dedupe.AfterCrash

	mu    sync.Mutex // guards what follows, and draw
	draw  *rand.Rand
	well  bool // no more faults
	procs []*proc
	asks  []*simAsk
	calls []*call
	runs  int
	said  map[string]string // by run: its one answer
	seen  map[string]int
	owner map[*call]*proc
	end   chan struct{} // closed at the end: who never returned does
}

// proc is one process: its group, and its link to the store.
type proc struct {
	w     *world
	name  string
	group *dedupe.Group[simQuery]
	dead  bool // guarded by world.mu
}

type simQuery struct{ key, question string }

// simAsk is one asker, who is served by another process when his own dies.
type simAsk struct {
	simQuery
	stored, until time.Time
	maxAge        time.Duration
	at            *proc // where he waits now
	told          int   // by processes alive
}

// call is one attempt of a run.
type call struct {
	key, run   string
	from, to   time.Time
	excused    bool // its owner died or froze over it
	conclusive bool
}

func newWorld(t *testing.T, seed uint64) *world {
	w := &world{t: t, seed: seed, store: newFakeStore(), draw: rand.New(rand.NewPCG(seed, 42)), afterCrash: dedupe.Rerun,
		said: map[string]string{}, seen: map[string]int{}, end: make(chan struct{})}
	if seed%2 == 0 {
		w.afterCrash = dedupe.Fail
	}
	w.store.stored = w.witness
	for range 3 {
		w.spawn()
	}
	return w
}

// errorf fails the test with the seed. The caller need not hold anything.
func (w *world) errorf(format string, args ...any) {
	w.t.Helper()
	w.t.Errorf("seed %d: %s", w.seed, fmt.Sprintf(format, args...))
}

// chance draws: true with probability p, and only while faults happen.
func (w *world) chance(p float64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.draw.Float64() < p && !w.well
}

// between draws a duration.
func (w *world) between(from, to time.Duration) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return from + time.Duration(w.draw.Int64N(int64(to-from)))
}

func (w *world) saw(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen[what]++
}

// spawn starts a process.
func (w *world) spawn() {
	p := &proc{w: w, name: fmt.Sprintf("w%d", len(w.procs))}
	g, err := dedupe.New(dedupe.Options{Store: p, Owner: p.name, NewRun: w.newRun, AfterCrash: w.afterCrash, Slots: 3},
		dedupe.Work[simQuery]{Run: p.run, GaveUp: func(q simQuery, run string, _ int) dedupe.Outcome {
			return dedupe.Outcome{Answer: []byte(q.key + " " + q.question + " gave up " + run), Keep: 10 * time.Second, Failed: true}
		}})
	if err != nil {
		w.t.Fatal(err)
	}
	p.group = g
	w.mu.Lock()
	w.procs = append(w.procs, p)
	w.mu.Unlock()
	w.store.mu.Lock()
	w.store.hear = append(w.store.hear, p.hear)
	w.store.mu.Unlock()
}

func (w *world) newRun() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.runs++
	return fmt.Sprintf("run%d", w.runs)
}

// play lets asks come and faults happen, heals, and waits.
func (w *world) play() {
	var askers sync.WaitGroup
	for range 60 {
		askers.Go(func() {
			time.Sleep(w.between(0, faulty))
			w.ask()
		})
	}
	for range 3 {
		if w.chance(0.6) {
			askers.Go(func() {
				time.Sleep(w.between(time.Second, faulty))
				w.kill()
			})
		}
	}
	askers.Wait()
	w.mu.Lock()
	w.well = true
	w.mu.Unlock()
	settle(healed)
	w.check()
	close(w.end)
	for _, p := range w.procs {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		if err := p.group.Close(ctx); err != nil && !p.isDead() {
			w.errorf("close %s: %v", p.name, err)
		}
		cancel()
		w.seen["takeover"] += int(p.group.Stats().Takeovers.Load())
		w.seen["fenced"] += int(p.group.Stats().Fenced.Load())
	}
}

// ask lets an asker come to a living process.
func (w *world) ask() {
	w.mu.Lock()
	a := &simAsk{simQuery: simQuery{key: fmt.Sprintf("k%d", w.draw.IntN(4)), question: "q"}, stored: time.Now(), maxAge: -1,
		until: time.Now().Add(20*time.Second + time.Duration(w.draw.Int64N(int64(8*time.Minute))))}
	if w.draw.Float64() < 0.3 {
		a.maxAge = time.Duration(w.draw.Int64N(int64(20 * time.Second)))
	}
	if w.draw.Float64() < 0.03 {
		a.question = "another"
	}
	w.asks = append(w.asks, a)
	w.seen["asked"]++
	w.mu.Unlock()
	w.join(a)
}

// join brings an asker to one of the living.
func (w *world) join(a *simAsk) {
	w.mu.Lock()
	var alive []*proc
	for _, p := range w.procs {
		if !p.dead {
			alive = append(alive, p)
		}
	}
	p := alive[w.draw.IntN(len(alive))]
	a.at = p
	w.mu.Unlock()
	p.group.Join(a.key, &dedupe.Ask[simQuery]{Query: a.simQuery, Question: []byte(a.question), Stored: a.stored, MaxAge: a.maxAge,
		Until: a.until, Tell: func(v dedupe.Verdict) { w.hearVerdict(a, p, v) }})
}

// kill ends a process in the middle of what it does; another takes its place,
// and whom it had not told comes again after a while.
func (w *world) kill() {
	w.mu.Lock()
	p := w.procs[w.draw.IntN(len(w.procs))]
	if p.dead {
		w.mu.Unlock()
		return
	}
	p.dead = true
	w.seen["died"]++
	for _, c := range w.calls {
		if c.to.IsZero() && c.run != "" && p.owns(c) {
			c.excused = true
		}
	}
	var again []*simAsk
	for _, a := range w.asks {
		if a.at == p && a.told == 0 {
			again = append(again, a)
		}
	}
	w.mu.Unlock()
	w.spawn()
	time.Sleep(w.between(2*time.Second, 12*time.Second))
	for _, a := range again {
		w.join(a)
	}
}

func (p *proc) isDead() bool {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	return p.dead
}

// hear takes in a change: lost, late, or at once.
func (p *proc) hear(e dedupe.Entry) {
	switch {
	case p.isDead() || p.w.chance(0.1):
	case p.w.chance(0.1):
		late := p.w.between(0, 3*time.Second)
		go func() { time.Sleep(late); p.group.Observe(e) }()
	default:
		p.group.Observe(e)
	}
}

// Put implements dedupe.Store over a bad link.
func (p *proc) Put(ctx context.Context, key string, rec *dedupe.Record, terms dedupe.Terms) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, terms.Within)
	defer cancel()
	if err := p.reach(ctx); err != nil {
		return 0, err
	}
	if p.w.chance(0.02) {
		return 0, dedupe.ErrConflict // a cluster says so while another write is under way
	}
	seq, err := p.w.store.Put(ctx, key, rec, terms)
	if err == nil && p.w.chance(0.05) {
		return 0, errLost
	}
	return seq, err
}

// Get implements dedupe.Store over a bad link.
func (p *proc) Get(ctx context.Context, key string) (dedupe.Entry, error) {
	if err := p.reach(ctx); err != nil {
		return dedupe.Entry{}, err
	}
	if p.w.chance(0.03) { // its answer is lost
		<-ctx.Done()
		return dedupe.Entry{}, ctx.Err()
	}
	return p.w.store.Get(ctx, key)
}

// reach is the way to the store: slow, now and then cut, and closed to the dead.
func (p *proc) reach(ctx context.Context) error {
	if err := wait(ctx, p.w.between(0, 20*time.Millisecond)); err != nil {
		return err
	}
	if p.isDead() || p.w.chance(0.05) {
		return errLost
	}
	return nil
}

// run is the work: attempts under a renewed lease, which end as they may.
func (p *proc) run(ctx context.Context, l *dedupe.Lease, q simQuery) (dedupe.Outcome, error) {
	w := p.w
	answer := []byte(q.key + " " + q.question + " " + l.Run())
	for attempt := 1; ; attempt++ {
		if attempt > 1 {
			if err := l.Renew(ctx, attempt, nil); err != nil {
				return dedupe.Outcome{}, err
			}
		}
		if w.chance(0.05) {
			w.saw("late")
			time.Sleep(w.between(5*time.Second, 25*time.Second)) // frozen before the request leaves
		}
		if err := l.Check(); err != nil {
			w.saw("lapsed")
			return dedupe.Outcome{}, err
		}
		again, err := p.call(ctx, l, q)
		switch {
		case err != nil:
			return dedupe.Outcome{}, err
		case !again:
			return dedupe.Outcome{Answer: answer, Keep: 15 * time.Second}, nil
		case attempt == 4:
			w.saw("failed")
			return dedupe.Outcome{Answer: answer, Keep: 10 * time.Second, Failed: true}, nil
		}
	}
}

var errNothing = errors.New("nothing came of it")

// call is one attempt: how long it takes and how it ends is drawn.
func (p *proc) call(ctx context.Context, l *dedupe.Lease, q simQuery) (again bool, err error) {
	w := p.w
	c := w.begin(p, q.key, l.Run())
	if w.chance(0.05) {
		w.saw("frozen")
		w.mu.Lock()
		c.excused = true
		w.mu.Unlock()
		time.Sleep(w.between(11*time.Second, 20*time.Second)) // heeds nobody
	}
	within, cancel := context.WithDeadline(ctx, l.Deadline())
	defer cancel()
	cut := wait(within, w.between(time.Millisecond, 9*time.Second))
	again = w.chance(0.3) || cut != nil
	w.done(c, !again)
	if p.isDead() {
		<-w.end
		return false, errNothing
	}
	if w.chance(0.02) {
		w.saw("panicked")
		panic("drawn")
	}
	if ctx.Err() != nil || w.chance(0.02) {
		w.saw("released")
		return false, errNothing
	}
	return again, nil
}
