// Member: the parts put together, from one incarnation to the next.

package member

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"protocolq/worker/fleet"
	"protocolq/worker/flight"
	"protocolq/worker/journal"
	"protocolq/worker/memory"
	"protocolq/worker/outbox"
)

// Member is a worker's part in its fleet. Its methods are safe for concurrent use.
type Member struct {
	o       Options
	log     *slog.Logger
	begun   time.Time // zero of the member's monotonic clock
	loop    *flight.Loop
	texts   *texts
	answers *memory.Bodies[*journal.Answer]
	watch   *watcher
	queries queries
	minAge  time.Duration
	ctx     context.Context // of what reads the log; set by Run

	current atomic.Pointer[incarnation] // written by the goroutine of Run
	closed  atomic.Bool                 // no ask is taken any more
	fill    atomic.Int64                // thousandths of the log's room
	rejoins atomic.Uint64               // how often the process has gone on as another member
	full    atomic.Bool                 // as much is remembered as may be

	ready     chan struct{} // closed when the log has been read up to the own join
	readyOnce sync.Once
	leaving   context.Context // ends when the process is to go on as no other member
	leave     func()
	left      chan struct{} // closed when no batch is written any more
	fetches   chan struct{} // one for each reading of the log
	fetching  sync.WaitGroup
	toFetch   toFetch
	pinging   sync.Map // members that are being asked whether they are there

	stateMu sync.RWMutex // held by the loop's goroutine to change state, by others to read it
	state   *fleet.State // replaced by the loop's goroutine

	// What follows is the loop's goroutine's.

	runs       runs
	stages     map[journal.Ref]*stage // duties that are given and not told
	corrupt    []outbox.Duty          // batches that nobody can read, to be given
	unread     []journal.Written      // own batches that are acknowledged and not applied
	tail       tail
	unowed     bool          // there are duties that the outbox was not given
	owedAt     time.Duration // when it was given them last
	oweNext    time.Duration // when texts are to be read again; 0: none are
	joinedAs   journal.Member
	forgetUpTo uint64 // position of the newest forget entry; 0: nothing from before it is left
	forgetBeat time.Duration
	replay     struct {
		until uint64        // batches below were stored before this process joined
		ahead time.Duration // of the server's clock before the own
	}

	mu        sync.Mutex // guards what follows
	kept      []waiting  // entries that wait for a writer
	over      bool       // there will be none
	told      []journal.Ref
	toldSince time.Time
}

var (
	errNotThere = errors.New("not in the log")
	errNotYet   = errors.New("member: not in the fleet yet")
)

func isNotThere(err error) bool { return errors.Is(err, errNotThere) }

// New makes a Member. It starts nothing.
func New(o Options) (*Member, error) {
	if err := o.defaults(); err != nil {
		return nil, err
	}
	m := &Member{
		o: o, log: o.Logger, begun: time.Now(), texts: newTexts(o.Log, o.Texts), answers: memory.NewBodies(o.Answers,
			answerSize),
		ready: make(chan struct{}), left: make(chan struct{}), fetches: make(chan struct{}, mostFetches),
		state: fleet.New(o.Fleet, 1), runs: newRuns(), stages: map[journal.Ref]*stage{}, minAge: minAge,
	}
	m.watch = newWatcher(o.Watch, m.now())
	m.leaving, m.leave = context.WithCancel(context.Background())
	i, err := m.newIncarnation(0, time.Time{})
	if err != nil {
		return nil, fmt.Errorf("member: %w", err)
	}
	m.current.Store(i)
	if o.Flights.MinAge > 0 {
		m.minAge = o.Flights.MinAge
	}
	o.Flights.Ahead = m.oweAhead
	m.loop, err = flight.NewLoop(flight.LoopOptions{
		Flights: o.Flights, Turns: o.Turns, Texts: m.texts, Call: o.Call, CallTime: o.CallTime, Now: m.now,
		Member: flight.Member{Waker: i.writer, Fence: func() error { return errNotYet }},
	}, m.state, i.own)
	return m, err
}

// now is the member's monotonic clock.
func (m *Member) now() time.Duration { return time.Since(m.begun) }

// Ready is closed when the fleet's log has been read up to this member's join: from then on asks
// can be taken.
func (m *Member) Ready() <-chan struct{} { return m.ready }

// ID is the id of the member that the process is now, as the log and the query log have it.
func (m *Member) ID() journal.Member { return m.current.Load().id }

// Fill is the share of the log's room that is in use, from 0 to 1; Crowded says that there is too
// little for a call to begin.
func (m *Member) Fill() float64 { return float64(m.fill.Load()) / 1000 }

// Crowded reports whether the log has too little room for a call to begin.
func (m *Member) Crowded() bool { return m.fill.Load() >= beginsStop }

// Resume says that a partner is asked for again: whoever waits for it is looked at now.
func (m *Member) Resume(partner string) {
	m.loop.Do(func(f *flight.Flights, now time.Duration) { f.Resume(partner, now) })
}

// Run is a member of the fleet until ctx ends, or until [Member.Leave] has sealed it (nil). An
// error says why it cannot be one.
func (m *Member) Run(ctx context.Context) error {
	work, stop := context.WithCancel(ctx)
	defer stop()
	parts, work := errgroup.WithContext(work)
	m.ctx = work
	parts.Go(func() error { return m.loop.Run(work) })
	parts.Go(func() error { return m.beats(work) })
	parts.Go(func() error { return m.keepLog(work) })
	err := m.live(work)
	close(m.left)
	stop()
	m.end()
	ended := parts.Wait()
	m.fetching.Wait() // nobody begins another any more
	if ended != nil && !errors.Is(ended, context.Canceled) {
		return ended
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// end tells those whose entries no writer took.
func (m *Member) end() {
	m.mu.Lock()
	kept := m.kept
	m.kept, m.over = nil, true
	m.mu.Unlock()
	for _, w := range kept {
		w.done(ErrClosed)
	}
}

// Stats are a member's figures.
type Stats struct {
	Members    int           // of the fleet
	InFlight   int           // runs that it has begun and not ended
	Parked     int           // asks that wait without a call under way
	Remembered int           // answers, some of them expired
	Keys       int           // that it decides about
	Position   uint64        // of the log, up to which it has read
	Lease      time.Duration // for how long calls may still begin; 0 also where none has for a while
	Rejoins    uint64        // times that the process went on as another member, its lease lost
}

// Stats gives the figures as they are now; of a member that has not read the log yet there are
// none.
func (m *Member) Stats() (s Stats) {
	select {
	case <-m.ready:
	default:
		return s
	}
	m.loop.Do(func(f *flight.Flights, _ time.Duration) {
		s = Stats{Members: len(m.state.Live()), Keys: f.Keys(), Position: m.state.Applied(), InFlight: f.Open(),
			Parked: f.Parked(), Remembered: m.state.Answers().Len()}
	})
	s.Rejoins, s.Lease = m.rejoins.Load(), m.current.Load().left()
	return s
}
