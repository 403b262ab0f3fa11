// A fleet under faults drawn from a seed, on a scheduler of its own: what happens depends on the
// seed alone.

package fleet_test

import (
	"container/heap"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"protocolq/worker/fleet"
	"protocolq/worker/journal"
)

var (
	oneSeed = flag.Uint64("sim.seed", 0, "run the simulation with this seed only, and print what happens")
	seeds   = flag.Uint64("sim.seeds", 100/slower, "run the simulation with so many seeds")
	first   = flag.Uint64("sim.first", 1, "run the simulation from this seed on")
	simFor  = flag.Duration("sim.for", 0, "run the simulation for so long, whatever -sim.seeds says")
)

func TestSimulation(t *testing.T) {
	sum, ran := map[string]int{}, 0
	from, to, end := *first, *first+*seeds, time.Now().Add(*simFor)
	if *oneSeed != 0 {
		from, to = *oneSeed, *oneSeed+1
	}
	for seed := from; seed < to || time.Now().Before(end); seed++ {
		w := newWorld(seed)
		w.trace = *oneSeed != 0
		w.play()
		ran++
		for k, n := range w.seen {
			sum[k] += n
		}
		if len(w.wrong) > 0 {
			t.Fatalf("seed %d (go test ./worker/fleet -run TestSimulation -sim.seed %d): %s", seed, seed, w.wrong[0])
		}
	}
	// A simulation in which nothing happens proves nothing.
	for _, what := range []string{
		"asked", "journalled twice", "stored again", "stored anew", "near", "told", "told twice", "called", "retried", "failed", "answered", "late answer", "void", "reran", "crashed", "poison",
		"served", "cooled", "deadline", "refresh", "died", "frozen", "cut off", "away", "leaderless", "joined", "rejoined", "sealed", "sealed itself",
		"request lost", "acknowledgement lost", "sent again", "gap", "carried ask", "carried begin", "carried answer", "purged", "fenced", "clock moved", "early", "stale read", "deaf", "sink away", "conflict", "recalled",
	} {
		if sum[what] == 0 && *oneSeed == 0 && ran >= 60 {
			t.Errorf("in no seed: %s", what)
		}
	}
	t.Log(ran, "seeds:", sum)
}

const (
	faulty = 80 * time.Second // how long faults happen
	healed = 60 * time.Second // how long after them everybody must have been told
	skew   = 10 * time.Second // the most that any wall clock is wrong
	keep   = 45 * time.Second // how long a conclusive answer is remembered
	beat   = 500 * time.Millisecond
)

func options(r *rand.Rand) fleet.Options {
	keep := time.Duration(8+r.IntN(16)) * time.Second
	return fleet.Options{Lease: 4 * time.Second, Grace: 2 * time.Second, Keep: keep, Lag: 25 * time.Second, Attempts: 4, Deaths: 2 + r.IntN(2), Fail: r.IntN(3) == 0}
}

const (
	callTime = 2 * time.Second
)

// world is one simulation.
type world struct {
	o              fleet.Options
	draw           *rand.Rand
	trace          bool
	now            time.Duration
	start          time.Time
	queue          events
	count          uint64        // of events
	submits, doors int           // one ask in so many is submitted, and so many processes are doors
	slow           time.Duration // the longest that a message takes as a rule
	worst          int           // once in how many times a member is struck at its worst moment
	focus          int           // how: see strike
	pace           time.Duration // the longest from one fault to the next
	well           bool          // no more faults

	// The log.
	log    []*journal.Batch // by position - 1, what is purged too
	stored []time.Duration  // and when
	first  uint64
	last   map[journal.Member]uint64 // of what is not purged
	away   time.Duration             // until when no server is reached
	mute   time.Duration             // until when no append is answered: there is no leader
	clock  time.Duration             // by how much the leader's clock is wrong

	// Who lives.
	procs []*proc
	peers map[journal.Member]*peer
	names int

	// What must hold.
	oracle *fleet.State // of all that was ever stored, at once
	calls  []*call
	asks   map[string]*simAsk // by name
	tokens map[string]*simAsk
	said   map[string]string // by name: what its asker was told
	as     map[string]string // and by which token
	runs   map[string]string // by run: its answer that counts
	open   map[journal.Key]string
	gone   map[journal.Member]bool // sealed
	keys   []journal.Key
	seen   map[string]int
	wrong  []string
}

func newWorld(seed uint64) *world {
	draw := rand.New(rand.NewPCG(seed, 11))
	w := &world{
		o: options(draw), draw: draw, start: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), first: 1, last: map[journal.Member]uint64{},
		peers: map[journal.Member]*peer{}, asks: map[string]*simAsk{}, tokens: map[string]*simAsk{}, said: map[string]string{}, as: map[string]string{}, runs: map[string]string{},
		open: map[journal.Key]string{}, gone: map[journal.Member]bool{}, seen: map[string]int{},
	}
	w.oracle = fleet.New(w.o, 1)
	w.submits, w.doors = []int{1, 2, 1000}[w.draw.IntN(3)], []int{1, 9}[w.draw.IntN(2)]
	w.slow = 8 * time.Millisecond
	if w.draw.IntN(3) == 0 {
		w.slow = 200 * time.Millisecond
	}
	w.worst = []int{6, 20, 100}[w.draw.IntN(3)]
	w.focus = w.draw.IntN(6)
	w.pace = w.between(500*time.Millisecond, 5*time.Second)
	for n := range 1 + draw.IntN(6) {
		w.keys = append(w.keys, journal.Key{byte(37 * n), byte(seed), byte(seed >> 8), 1, 2, 3, byte(n), 4, 5})
	}
	return w
}

// play runs the simulation to its end, or to the first thing that must not be.
func (w *world) play() {
	for range 2 + w.draw.IntN(2) {
		w.spawn()
	}
	w.after(0, w.arrive)
	w.after(time.Second, w.fault)
	w.after(faulty, w.heal)
	for len(w.queue) > 0 && len(w.wrong) == 0 && w.now < faulty+healed {
		e := heap.Pop(&w.queue).(event)
		w.now = e.at
		e.do()
	}
	if len(w.wrong) == 0 {
		w.judge()
	}
}

// heal ends all faults.
func (w *world) heal() {
	w.well = true
	alive := w.alive()
	for _, p := range w.procs {
		p.frozen, p.cut, p.deaf = min(p.frozen, w.now), min(p.cut, w.now), min(p.deaf, w.now)
		w.after(0, p.reconnected)
	}
	w.away, w.mute, w.clock = min(w.away, w.now), min(w.mute, w.now), 0
	if alive == 0 {
		w.spawn()
	}
	w.logf("healed")
}

// alive is how many processes live and stay.
func (w *world) alive() (n int) {
	for _, p := range w.procs {
		if !p.dead && !p.draining {
			n++
		}
	}
	return n
}

// fault does something bad, and comes again.
func (w *world) fault() {
	if w.well {
		return
	}
	w.after(w.between(w.pace/10, w.pace), w.fault)
	var alive []*proc
	for _, p := range w.procs {
		if !p.dead {
			alive = append(alive, p)
		}
	}
	if len(alive) == 0 {
		w.spawn()
		return
	}
	p := alive[w.draw.IntN(len(alive))]
	switch n := w.draw.IntN(20); {
	case w.focus == 5 && n%2 == 0:
		w.deafen(p)
	case n < 3:
		w.die(p)
	case n < 7:
		w.freeze(p, w.between(time.Second, 12*time.Second))
	case n < 9:
		p.cut = w.now + w.between(time.Second, 9*time.Second)
		p.trouble(p.cut)
		w.note("cut off", "%s until %v", p.name, p.cut)
	case n < 10:
		w.away = max(w.away, w.now+w.between(4*time.Second, 9*time.Second))
		w.note("away", "until %v", w.away)
		for _, p := range w.procs {
			w.after(w.away-w.now, p.reconnected)
		}
	case n < 11:
		w.leaderless()
	case n < 13:
		w.clock = w.between(0, 2*skew) - skew
	case n < 15:
		p.wall = w.between(0, 2*skew) - skew
		w.note("clock moved", "%s by %v", p.name, p.wall)
	case n < 16 && len(alive) < 5:
		w.spawn()
	case n < 17:
		w.deafen(p)
	case n < 18:
		p.draining = true // and another comes, as in a rolling restart
		w.spawn()
	}
}

func (w *world) leaderless() {
	w.mute = max(w.mute, w.now+w.between(3*time.Second, 9*time.Second))
	w.note("leaderless", "until %v", w.mute)
}

func (w *world) deafen(p *proc) {
	p.deaf = w.now + w.between(time.Second, 40*time.Second)
	w.note("deaf", "%s until %v", p.name, p.deaf)
}

func (w *world) die(p *proc) {
	w.note("died", "%s", p.name)
	p.dead = true
	w.after(w.between(0, 6*time.Second), func() { w.spawn() })
}

func (w *world) freeze(p *proc, d time.Duration) {
	if w.draw.IntN(6) == 0 { // long enough for all that it has read to be purged
		d += 20 * time.Second
	}
	p.frozen = max(p.frozen, w.now+d)
	p.trouble(p.frozen)
	w.note("frozen", "%s until %v", p.name, p.frozen)
}

// event is something that happens at a time; of two at the same time the one put in first.
type event struct {
	at time.Duration
	n  uint64
	do func()
}

type events []event

func (e events) Len() int { return len(e) }
func (e events) Less(i, j int) bool {
	return e[i].at < e[j].at || e[i].at == e[j].at && e[i].n < e[j].n
}
func (e events) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)   { *e = append(*e, x.(event)) }
func (e *events) Pop() any {
	old := *e
	x := old[len(old)-1]
	*e = old[:len(old)-1]
	return x
}

func (w *world) after(d time.Duration, do func()) {
	w.count++
	heap.Push(&w.queue, event{w.now + d, w.count, do})
}

func (w *world) between(from, to time.Duration) time.Duration {
	return from + time.Duration(w.draw.Int64N(int64(to-from)))
}

// chance is true once in so many times, while there are faults.
func (w *world) chance(once int) bool { return !w.well && w.draw.IntN(once) == 0 }

func (w *world) note(what, format string, args ...any) {
	w.seen[what]++
	w.logf(what+": "+format, args...)
}

func (w *world) logf(format string, args ...any) {
	if w.trace {
		fmt.Fprintf(os.Stderr, "%10.3f  %s\n", w.now.Seconds(), fmt.Sprintf(format, args...))
	}
}

func (w *world) errorf(format string, args ...any) {
	w.wrong = append(w.wrong, fmt.Sprintf("after %v: ", w.now)+fmt.Sprintf(format, args...))
	w.logf("WRONG: "+format, args...)
}

// sorted are a map's keys in order: no order may be the runtime's.
func sorted[M ~map[string]V, V any](m M) []string { return slices.Sorted(maps.Keys(m)) }
