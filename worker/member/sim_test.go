// A fleet under faults drawn from a seed, with everything real but the network, the gateway and
// what publishes. A bubble's clock drives it: nearly the same happens each time.

package member_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"protocolq/worker/fleet"
	"protocolq/worker/flight"
	"protocolq/worker/journal"
	"protocolq/worker/journal/journaltest"
	"protocolq/worker/member"
	"protocolq/worker/simtest"
)

func TestSimulation(t *testing.T) {
	simtest.Simulation{
		Package: "./worker/member", Seeds: 80,
		Play: func(t *testing.T, seed uint64) (seen map[string]int, wrong string) {
			if !t.Run(fmt.Sprint(seed), func(t *testing.T) { seen = simulate(t, seed) }) {
				wrong = "see above"
			}
			return seen, wrong
		},
		Must: []string{
			"asked", "replied", "called", "failed", "killed", "frozen", "left", "started", "no leader", "faults", "full", "corrupt", "forget",
			"purged", "rewound", "refused duty", "rejoined", "remembered", "corrupt given",
		},
	}.Run(t)
}

const (
	faulty  = 60 * time.Second // how long faults happen
	healing = 90 * time.Second // until everything has come to rest
)

// simSettings make the log's tail short-lived.
var simSettings = fleet.Options{
	Lease: 12 * time.Second, Grace: 2 * time.Second, Keep: 30 * time.Second, Lag: 2 * time.Second, Attempts: 4, Deaths: 3,
}

// sim is one history.
type sim struct {
	t     *testing.T
	rand  *rand.Rand
	log   *journaltest.Log
	begun time.Time

	mu       sync.Mutex // guards what follows
	drawn    *rand.Rand // of the members' goroutines
	seen     map[string]int
	members  []*simMember // all that were ever started
	world    *world       // for signs
	asks     map[string]*simAsk
	calls    []*simCall
	history  []journal.Message // all that was ever stored, since the log was made
	answers  map[string]bool   // runs that have an answer in the log
	runs     map[string]int    // given, by run
	rewound  bool              // some of the log is gone: what was in it may be asked again
	spoil    bool              // the next batch of a member is changed on its way
	spoiled  map[journal.Member]bool
	void     map[string]bool // tokens and runs in batches that do not count
	deaths   int
	tokens   int
	rewindAt time.Duration
}

type simAsk struct {
	token    string
	key      byte
	accepted bool
	by       *simMember    // by whose door
	at       time.Duration // accepted
	replies  []simReply
	door     journal.Door
}

type simReply struct {
	by   string
	what string // of what settles it
}

type simCall struct {
	by       string
	key      byte
	from, to time.Duration
	attempt  int
}

// simMember is a worker.
type simMember struct {
	*member.Member
	s      *sim
	one    *one // signs
	name   string
	conn   *journaltest.Conn
	cancel context.CancelFunc
	done   chan struct{}
	err    error
	gone   bool // killed or left; guarded by sim.mu

	// guarded by sim.mu
	known  map[journal.Ref]bool // false: given and not done
	refuse bool                 // the outbox has no room
	away   bool                 // it has, and publishes nothing
}

// simulate plays a seed, and returns how often each thing happened.
func simulate(t *testing.T, seed uint64) (seen map[string]int) {
	synctest.Test(t, func(t *testing.T) {
		s := &sim{t: t, rand: rand.New(rand.NewPCG(seed, 1)), drawn: rand.New(rand.NewPCG(seed, 2)), log: journaltest.New(seed), begun: time.Now(),
			seen: map[string]int{}, asks: map[string]*simAsk{}, answers: map[string]bool{}, runs: map[string]int{}, spoiled: map[journal.Member]bool{}, void: map[string]bool{},
			world: &world{t: t, serving: map[journal.Member]*one{}}}
		s.log.OnStored(s.stored)
		s.play()
		seen = s.seen
	})
	return seen
}

func (s *sim) now() time.Duration { return time.Since(s.begun) }

func (s *sim) trace(format string, a ...any) {
	if simtest.Traced() {
		s.t.Logf("%v "+format, append([]any{s.now()}, a...)...)
	}
}

// play is faults for a while, then rest, then the checks.
func (s *sim) play() {
	for range 2 + s.rand.IntN(2) {
		s.start()
	}
	rewinds := s.rand.IntN(6) == 0
	for s.now() < faulty {
		time.Sleep(time.Duration(s.rand.IntN(400)) * time.Millisecond)
		if s.rand.IntN(12) == 0 {
			s.fault(rewinds)
		} else {
			s.ask()
		}
	}
	s.heal()
	time.Sleep(healing)
	s.rest()
	for _, m := range s.living() {
		s.leave(m)
	}
	s.check()
}

// living are the members that are there.
func (s *sim) living() (all []*simMember) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.members {
		if !m.gone {
			all = append(all, m)
		}
	}
	return all
}

func (s *sim) any() *simMember {
	all := s.living()
	if len(all) == 0 {
		return s.start()
	}
	return all[s.rand.IntN(len(all))]
}

// start starts a worker.
func (s *sim) start() *simMember {
	s.mu.Lock()
	name := fmt.Sprintf("m%d", len(s.members))
	x := &simMember{s: s, name: name, conn: s.log.Connect(s.faults(0)), known: map[journal.Ref]bool{}, done: make(chan struct{})}
	x.one = &one{w: s.world, name: name, conn: x.conn}
	s.members = append(s.members, x)
	s.seen["started"]++
	s.mu.Unlock()
	n, runs := 0, 0
	var err error
	logger := slog.New(slog.DiscardHandler)
	if simtest.Traced() {
		logger = slog.New(slog.NewTextHandler(s.t.Output(), nil)).With("of", name)
	}
	x.Member, err = member.New(member.Options{
		Logger: logger,
		Log:    log{x.conn}, Signs: x.one, Duties: x, Fleet: simSettings, CallTime: 8 * time.Second, Turns: x.one, Call: x.call,
		NewID: func() journal.Member {
			if n++; n > 2 {
				s.count("rejoined")
			}
			return journal.Member(fmt.Sprintf("%s-%d", name, n))
		},
		Texts: 20_000, Tail: 3000,
		Flights: flight.Options{
			Words:  flight.Words{Deadline: "DEADLINE", Conflict: "CONFLICT", Cooling: "COOLING", Overloaded: "OVERLOADED", Crashed: "CRASHED", Forgotten: "FORGOTTEN"},
			NewRun: func() string { runs++; return fmt.Sprintf("%s-r%d", name, runs) },
			Result: func(code string, _ int) []byte { return []byte(code) },
			Waits:  func() func() time.Duration { return func() time.Duration { return 300 * time.Millisecond } },
			Slots:  8, AskPatience: 20 * time.Second, Patience: 40 * time.Second, Cooldown: 2 * time.Second, Attempts: 4,
		},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(s.t.Context())
	x.cancel = cancel
	go func() {
		defer close(x.done)
		x.err = x.Run(ctx)
	}()
	s.trace("start %s", name)
	return x
}

func (s *sim) count(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen[what]++
}

// faults are what goes wrong on a connection, more or less.
func (s *sim) faults(often float64) journaltest.Faults {
	r := s.rand.Float64() * often
	return journaltest.Faults{
		Delay: time.Duration(1+s.rand.IntN(20)) * time.Millisecond, LoseRequest: r / 5, LoseReply: r / 5, Refuse: r / 5, LoseFollowed: r / 3,
		Late: r / 3, Twice: r / 3, LateBy: 2 * time.Second, Behind: int(r * 6),
	}
}

// ask has a door journal an ask.
func (s *sim) ask() {
	x := s.any()
	s.mu.Lock()
	s.tokens++
	token := fmt.Sprintf("t%d", s.tokens)
	if again := s.asks[fmt.Sprintf("t%d", s.tokens-1-s.rand.IntN(4))]; again != nil && again.door == journal.Submit && s.rand.IntN(5) == 0 {
		token = again.token // it is delivered again
	}
	a := s.asks[token]
	if a == nil {
		a = &simAsk{token: token, key: byte(s.rand.IntN(12)), door: journal.Await}
		if s.rand.IntN(2) == 0 {
			a.door = journal.Submit
		}
		s.asks[token] = a
	}
	s.mu.Unlock()
	e := &journal.Ask{Token: token, Key: journal.Key{a.key, a.key}, Question: journal.Hash{a.key, 1}, Query: []byte{a.key, 'q'}, Door: a.door,
		Partner: "p", Asker: "a", MaxAge: -1, Reply: "_INBOX.x", Persons: [2]journal.Hash{{1, a.key}}}
	switch s.rand.IntN(4) {
	case 0:
		e.Left = time.Duration(200+s.rand.IntN(8000)) * time.Millisecond
	case 1:
		e.MaxAge = time.Duration(s.rand.IntN(5)) * time.Second
	}
	select {
	case <-x.Ready():
	default:
		return
	}
	if _, ok := x.Remembered(e); ok {
		s.count("remembered")
	}
	_ = x.Knows(token, journal.Near{})
	s.count("asked")
	err := x.Ask(e, nil, nil, func(err error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if err == nil && !a.accepted {
			a.accepted, a.at, a.by = true, s.now(), x
		}
		if err != nil && !errors.Is(err, member.ErrClosed) {
			s.t.Errorf("ask %s by %s: %v", token, x.name, err)
		}
	})
	if err != nil && !errors.Is(err, member.ErrClosed) && !errors.Is(err, journal.ErrFull) {
		s.t.Errorf("ask %s by %s: %v", token, x.name, err)
	}
}
