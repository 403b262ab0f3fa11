// One simulated fleet: what is drawn from its seed, and what is known of it.

package simtest

import (
	"fmt"
	"math/rand/v2"
	"os"
	"time"

	"protocolq/worker/fleet"
	"protocolq/worker/journal"
)

const (
	// Faulty is how long faults happen.
	Faulty = 80 * time.Second
	// Calm is from when on no process stands still.
	Calm = 113 * time.Second
	// Healed is how long after the faults every ask must have been answered.
	Healed = 60 * time.Second
	// CallTime is the longest that a call takes.
	CallTime = 2 * time.Second

	skew = 10 * time.Second // the most that any wall clock is wrong
	beat = 500 * time.Millisecond
)

// Options are in what one simulation differs from another.
type Options struct {
	// Runs makes what a new member decides with. Former is that of the member that its process was
	// before, nil: it was none.
	Runs func(m *Member, former Runs) Runs
	// Asked is given each new ask before a door has it; nil: there is nothing to add.
	Asked func(*Ask)
	// ShortAsks gives some asks less than 200 ms.
	ShortAsks bool
	// Damages has batches damaged on their way into the log.
	Damages bool
	// Forgets has persons forgotten.
	Forgets bool
	// StoredAgain has senders store again what was not acknowledged, under the same message id.
	StoredAgain bool
	// FoldAnew has a member that missed what is purged fold anew, and some worlds be about that.
	// Otherwise it goes on as another member.
	FoldAnew bool
}

// World is one simulation, from [New] to [World.Play].
type World struct {
	clock

	// Fleet is what all folds are made with.
	Fleet fleet.Options
	// Draw draws from the seed.
	Draw *rand.Rand
	// Keys are what is asked for.
	Keys []journal.Key
	// Seen is how often each thing happened.
	Seen map[string]int
	// LastAsk is when the last ask comes.
	LastAsk time.Duration
	// Worst is once in how many times a member is struck at its worst moment, Focus is how (0 to 5).
	Worst, Focus int

	o              Options
	seed           uint64
	start          time.Time
	submits, doors int           // one ask in so many is submitted, and so many processes are doors
	slow           time.Duration // the longest that a message takes as a rule
	pace           time.Duration // the longest from one fault to the next
	well           bool          // no more faults
	names          int

	// The log.
	log    []*journal.Batch // by position - 1, what is purged too
	stored []time.Duration  // and when
	first  uint64
	last   map[journal.Member]uint64 // of what is not purged
	away   time.Duration             // until when no server is reached
	mute   time.Duration             // until when no append is answered: there is no leader
	wrong  time.Duration             // by how much the leader's clock is wrong

	// Who lives.
	processes []*Process
	members   map[journal.Member]*Member

	// What must hold.
	oracle  *fleet.State // of all that was ever stored, at once
	calls   []Call
	asks    map[string]*Ask // by name
	tokens  map[string]*Ask
	replies map[string]string // by name: what its asker was answered
	as      map[string]string // and under which token
	answers map[string]string // by run: its answer that counts
	roots   map[string]string // by run: the first that it follows, itself where it follows none
	made    map[string]int    // calls, by such a first run
	open    map[journal.Key]string
	gone    map[journal.Member]bool          // sealed
	asked   map[string]journal.Hash          // by run: its question
	forgot  map[journal.Hash]uint64          // the newest entry that forgets a person
	ends    map[journal.Ref]time.Duration    // by answer that was copied: the earliest end that a copy says
	damaged map[journal.Member]time.Duration // when a damaged batch sealed it; perhaps it still writes
	faults  []string
}

// New draws a world from a seed.
func New(seed uint64, o Options) *World {
	draw := rand.New(rand.NewPCG(seed, 11))
	w := &World{
		Fleet: options(draw), Draw: draw, Seen: map[string]int{}, LastAsk: Faulty + 3*time.Second,
		o: o, seed: seed, start: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), first: 1,
		last: map[journal.Member]uint64{}, members: map[journal.Member]*Member{},
		asks: map[string]*Ask{}, tokens: map[string]*Ask{}, replies: map[string]string{}, as: map[string]string{},
		answers: map[string]string{}, roots: map[string]string{}, made: map[string]int{},
		open: map[journal.Key]string{}, gone: map[journal.Member]bool{}, damaged: map[journal.Member]time.Duration{},
		asked: map[string]journal.Hash{}, forgot: map[journal.Hash]uint64{},
		ends: map[journal.Ref]time.Duration{},
	}
	w.oracle = fleet.New(w.Fleet, 1)
	w.submits, w.doors = []int{1, 2, 1000}[draw.IntN(3)], []int{1, 9}[draw.IntN(2)]
	w.slow = 8 * time.Millisecond
	if draw.IntN(3) == 0 {
		w.slow = 200 * time.Millisecond
	}
	w.Worst = []int{6, 20, 100}[draw.IntN(3)]
	w.Focus = draw.IntN(6)
	return w
}

func options(r *rand.Rand) fleet.Options {
	keep := time.Duration(8+r.IntN(16)) * time.Second
	return fleet.Options{
		Lease: 4 * time.Second, Grace: 2 * time.Second, Keep: keep, Lag: 25 * time.Second,
		Attempts: 4, Deaths: 2 + r.IntN(2), Fail: r.IntN(3) == 0,
	}
}

// Play runs the simulation to its end, or to the first thing that must not be, which it returns.
func (w *World) Play() (wrong string) {
	w.pace = w.Between(500*time.Millisecond, 5*time.Second)
	for n := range 1 + w.Draw.IntN(6) {
		w.Keys = append(w.Keys, journal.Key{byte(37 * n), byte(w.seed), byte(w.seed >> 8), 1, 2, 3, byte(n), 4, 5})
	}
	for range 2 + w.Draw.IntN(2) {
		w.spawn()
	}
	w.After(0, w.arrive)
	w.After(time.Second, w.fault)
	w.After(Faulty, w.heal)
	for len(w.faults) == 0 && w.now < Faulty+Healed && w.next() {
	}
	if len(w.faults) == 0 {
		w.judge()
	}
	if len(w.faults) > 0 {
		return w.faults[0]
	}
	return ""
}

// Well reports whether all faults have ended.
func (w *World) Well() bool { return w.well }

// Between draws a time.
func (w *World) Between(from, to time.Duration) time.Duration {
	return from + time.Duration(w.Draw.Int64N(int64(to-from)))
}

// Chance is true once in so many times, while there are faults.
func (w *World) Chance(once int) bool { return !w.well && w.Draw.IntN(once) == 0 }

// Name is a new name.
func (w *World) Name(prefix string) string {
	w.names++
	return fmt.Sprint(prefix, w.names)
}

// Note counts something that happened, and prints it where one seed is run.
func (w *World) Note(what, format string, args ...any) {
	w.Seen[what]++
	w.logf(what+": "+format, args...)
}

// Errorf says that something is that must not be.
func (w *World) Errorf(format string, args ...any) {
	w.faults = append(w.faults, fmt.Sprintf("after %v: ", w.now)+fmt.Sprintf(format, args...))
	w.logf("WRONG: "+format, args...)
}

func (w *World) logf(format string, args ...any) {
	if Traced() {
		fmt.Fprintf(os.Stderr, "%10.3f  %s\n", w.now.Seconds(), fmt.Sprintf(format, args...))
	}
}
