// Figures for operators: the data of the NATS service's STATS.

package worker

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"

	"protocolq/gateway/mapi"
	"protocolq/messages"
	"protocolq/worker/outbox"
	"protocolq/worker/partner"
)

// maxCodes bounds the codes that are counted by name: the gateway's table and our own have about 70
// together. Further codes are counted as "other".
const maxCodes = 128

// bounds are the upper ends of the histogram's buckets, in milliseconds.
var bounds = [...]int64{5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000}

// counters count the calls and the replies of one worker. Its methods are safe for concurrent use.
type counters struct {
	mu       sync.Mutex // guards the rest
	codes    map[string]uint64
	outcomes map[string]uint64
	sources  map[string]uint64
	own      map[string]uint64 // replies by our own code
	retries  map[string]uint64
	partners map[string]uint64 // calls by partner, for partners that it asks for
	calls    uint64
	sumMs    int64
	buckets  [len(bounds) + 1]uint64
	failing  time.Time // since when no call has been answered; zero: the last one was
	failed   string    // code of the last call without an answer
}

func newCounters() *counters {
	return &counters{codes: map[string]uint64{}, outcomes: map[string]uint64{}, sources: map[string]uint64{},
		own: map[string]uint64{}, retries: map[string]uint64{}, partners: map[string]uint64{}}
}

// call counts a call, by its partner, code and duration.
func (c *counters) call(partner, code string, took time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.partners[partner]++
	ms, i := took.Milliseconds(), 0
	for i < len(bounds) && ms > bounds[i] {
		i++
	}
	c.buckets[i]++
	c.calls++
	c.sumMs += ms
	switch w, known := Lookup(code); {
	case code == "" || !known || w.Class != mapi.Temp:
		c.failing, c.failed = time.Time{}, ""
	case c.failing.IsZero():
		c.failing, c.failed = time.Now(), code
	default:
		c.failed = code
	}
	if code != "" {
		count(c.codes, code)
	}
}

// count counts by code. It holds at most maxCodes codes.
func count(codes map[string]uint64, code string) {
	if _, known := codes[code]; !known && len(codes) >= maxCodes {
		code = "other"
	}
	codes[code]++
}

// reply counts a reply to an ask that was journalled.
func (c *counters) reply(r *messages.Result, from messages.Source) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.outcomes[string(r.Outcome)]++
	if from != "" {
		c.sources[string(from)]++
	}
	if _, ours := messages.OutcomeOf(r.Code); ours {
		c.own[r.Code]++
	}
}

// Died is the reason for a call that is made again because the worker of the first one died.
const Died = "WORKER_DIED"

// run counts the repeated calls of a run that ended, by the result of the call before each.
func (c *counters) run(r *outbox.Run) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range r.Begins {
		if b := r.Begins[i].Begin; b.Attempt > 1 {
			count(c.retries, cmp.Or(b.Before.Code, Died))
		}
	}
}

// away says since when no call has been answered, and the code of the last one; zero: it was
// answered.
func (c *counters) away() (since time.Time, code string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.failing, c.failed
}

// Stats is what STATS shows under data.
type Stats struct {
	Member    string            `json:"member"`    // its id at present, as in log show
	Queries   uint64            `json:"queries"`   // at the query door
	Submitted uint64            `json:"submitted"` // from the stream of submitted queries
	Outcomes  map[string]uint64 `json:"outcomes"`  // replies by their outcome
	Sources   map[string]uint64 `json:"sources"`   // replies by the source of the answer
	Codes     map[string]uint64 `json:"codes"`     // calls by the gateway's code or the client's
	Own       map[string]uint64 `json:"own_codes"` // replies by the worker's own code
	// calls made again, by the code of the call before or WORKER_DIED
	Retries map[string]uint64 `json:"retries"`
	Refused uint64            `json:"refused"`      // faulty messages
	Dead    uint64            `json:"dead_letters"` // of the doors
	// dead letters and refusals of the doors that only the local log has
	Lost       uint64 `json:"lost"`
	Overloaded uint64 `json:"overloaded"`
	// unreadable records of the fleet, counted each time they are read
	Foreign     uint64    `json:"foreign_records"`
	Redelivered uint64    `json:"redelivered"`
	Gateway     Histogram `json:"gateway_ms"`
	Paused      bool      `json:"paused"`   // by operators: nothing new is accepted
	Members     int       `json:"members"`  // of the fleet
	Keys        int       `json:"keys"`     // whose owner is this worker
	Position    uint64    `json:"position"` // in the log, up to which it has read
	// for how long calls may still begin; 0 also if none has begun for a while
	LeaseMs    int64              `json:"lease_ms"`
	Partners   map[string]Partner `json:"partners"`
	Pending    int                `json:"pending"` // asks of the doors that are not journalled yet
	Parked     int                `json:"parked"`
	InFlight   int                `json:"in_flight"`
	Slots      int                `json:"slots"`       // calls that may run at once
	LeasesLost uint64             `json:"leases_lost"` // times that it went on as another member
	Halted     []string           `json:"halted"`      // partners that are halted
	// Halts say for each of them since when, by whom and why.
	Halts map[string]partner.Halt `json:"halts"`
	// calls in progress for longer than a second: the five longest
	Slow        []SlowCall   `json:"slow"`
	Remembered  int          `json:"remembered"`
	Outbox      outbox.Stats `json:"outbox"`
	JournalFill float64      `json:"journal_fill"` // share of the journal's bytes in use
	LogFull     bool         `json:"log_full"`     // the query log accepts no lines: they wait
	// lines that never reach the query log: dropped, or refused for good
	LogLost     uint64  `json:"log_lost"`
	RetryBudget float64 `json:"retry_budget"`
	UptimeMs    int64   `json:"uptime_ms"`
}

// Partner is what a worker says of one partner that it asks for.
type Partner struct {
	Calls       uint64 `json:"calls"`                 // of this worker
	Rate        int    `json:"rate,omitempty"`        // calls a second over the fleet, at most; 0: no limit
	Concurrency int    `json:"concurrency,omitempty"` // calls at once over the fleet, at most; 0: no limit
}

// Histogram counts calls of the gateway by duration.
type Histogram struct {
	Count   uint64   `json:"count"`
	SumMs   int64    `json:"sum"`
	UpTo    []int64  `json:"up_to"` // upper end of each bucket; one more bucket has no end
	Buckets []uint64 `json:"buckets"`
}

// Stats returns the figures as they are now.
func (w *Worker) Stats() Stats {
	d, m, c := w.doors.Stats(), w.member.Stats(), w.counters
	s := Stats{Member: string(w.member.ID()), Queries: d.Queries, Submitted: d.Submitted, Refused: d.Refused,
		Foreign: w.foreign.n.Load(), Dead: d.Letters, Lost: d.Lost, Overloaded: d.Overloaded,
		Redelivered: d.Redelivered, Pending: d.Pending, Outbox: w.outbox.Stats(), Members: m.Members, Keys: m.Keys,
		Position: m.Position, LeaseMs: m.Lease.Milliseconds(), InFlight: m.InFlight,
		Parked: m.Parked, Slots: w.o.Slots, LeasesLost: m.Rejoins, Halts: w.gate.Halted(),
		Slow: w.underWay.slow(time.Now()), Remembered: m.Remembered, JournalFill: w.member.Fill(),
		LogFull: w.lines.Full(), LogLost: w.lines.Lost(),
		RetryBudget: w.budget.Left(), UptimeMs: time.Since(w.begun).Milliseconds()}
	s.Halted = slices.Sorted(maps.Keys(s.Halts))
	_, s.Paused = w.pause.Paused()
	c.mu.Lock()
	defer c.mu.Unlock()
	s.Codes, s.Outcomes, s.Sources = maps.Clone(c.codes), maps.Clone(c.outcomes), maps.Clone(c.sources)
	s.Own, s.Retries = maps.Clone(c.own), maps.Clone(c.retries)
	s.Partners = make(map[string]Partner, len(w.o.Partners))
	for _, p := range w.o.Partners {
		s.Partners[p] = Partner{Calls: c.partners[p], Rate: w.o.Limits[p].Rate, Concurrency: w.o.Limits[p].Concurrency}
	}
	for code, n := range d.Codes {
		s.Own[code] += n
	}
	for o, n := range d.Outcomes {
		if n > 0 {
			s.Outcomes[o] += n
		}
	}
	if d.Remembered > 0 {
		s.Sources[string(messages.Remembered)] += d.Remembered
	}
	s.Gateway = Histogram{Count: c.calls, SumMs: c.sumMs, UpTo: bounds[:],
		Buckets: append([]uint64(nil), c.buckets[:]...)}
	return s
}
