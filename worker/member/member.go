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
	ctx     context.Context // for reading the log; set by Run

	current atomic.Pointer[incarnation] // written by the goroutine of Run
	closed  atomic.Bool                 // no more asks are taken
	fill    atomic.Int64                // thousandths of the log's room
	rejoins atomic.Uint64               // how often the process has gone on as another member
	full    atomic.Bool                 // no more answers may be remembered
	void    atomic.Bool                 // the fold is not true to the log: nothing is decided any more
	inFleet atomic.Bool                 // as the present member
	turned  atomic.Int64                // when the loop last went round, by the member's clock; 0: it does not run
	known   atomic.Int64                // when the log's state was last read, by the same clock

	ready     chan struct{} // closed when the log has been read up to the own join
	readyOnce sync.Once
	leaving   context.Context // ends when the process must not go on as another member
	leave     func()
	left      chan struct{} // closed when no more batches are written
	fetches   chan struct{} // one for each read of the log
	fetching  sync.WaitGroup
	toFetch   toFetch
	pinging   sync.Map // members that are being asked whether they are there

	unmeasured time.Time // when it was last said that the log's state is not read; only keepLog uses it

	stateMu sync.RWMutex // held by the loop's goroutine to change state, by others to read it
	state   *fleet.State // replaced by the loop's goroutine

	// What follows belongs to the loop's goroutine.

	runs       runs
	stages     map[journal.Ref]*stage // duties that are given to the outbox and not told
	corrupt    []outbox.Duty          // unreadable batches, to give to the outbox
	unread     []journal.Written      // own batches that are acknowledged and not applied
	tail       tail
	unowed     bool          // there are duties that the outbox does not have
	owedAt     time.Duration // when it last got them
	oweNext    time.Duration // when texts are to be read again; 0: none are
	joinedAs   journal.Member
	forgetUpTo uint64 // position of the newest forget entry; 0: nothing from before it is left
	forgetBeat time.Duration
	replay     struct {
		until uint64        // batches below were stored before this process joined
		ahead time.Duration // of the server's clock before the own
	}
	level time.Time // when the fold last had all that the log's leader had

	mu        sync.Mutex // guards what follows
	kept      []waiting  // entries that wait for a writer
	over      bool       // there will be no writer
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
		o: o, log: o.Logger, begun: time.Now(), texts: newTexts(o.Log, o.Texts),
		answers: memory.NewBodies(o.Answers, answerSize),
		ready:   make(chan struct{}), left: make(chan struct{}), fetches: make(chan struct{}, mostFetches),
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

// Ready is closed when the fleet's log has been read up to this member's join: from then on the
// member can take asks.
func (m *Member) Ready() <-chan struct{} { return m.ready }

// ID is the id of the process's present member, as in the log and the query log.
func (m *Member) ID() journal.Member { return m.current.Load().id }

// Fill is the share of the log's room that is in use, from 0 to 1.
func (m *Member) Fill() float64 { return float64(m.fill.Load()) / 1000 }

// Crowded reports whether the log has too little room for a call to begin.
func (m *Member) Crowded() bool { return m.fill.Load() >= beginsStop }

// Resume says that a partner's calls go on again: all keys that wait for it are looked at now.
func (m *Member) Resume(partner string) {
	select {
	case <-m.ready:
	default:
		return // nothing is decided yet, so nothing waits; and Run may never begin
	}
	m.loop.Do(func(f *flight.Flights, now time.Duration) { f.Resume(partner, now) })
}

// Run makes the process a member of the fleet until ctx ends, or until [Member.Leave] has sealed it
// (nil). An error says why it cannot be one.
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
	m.turned.Store(0)
	m.fetching.Wait() // no new ones begin
	m.answers.Wait()
	m.texts.loaded.Wait()
	if ended != nil && !errors.Is(ended, context.Canceled) {
		return ended
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// end calls done for the entries that no writer took.
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
	Lease      time.Duration // for how long calls may still begin; also 0 if none has for a while
	Rejoins    uint64        // times that the process went on as another member, its lease lost
}

// Stats gives the present figures; they are zero until the member has read the log.
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
