// What an operator counts: the data of the NATS service's STATS.

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

// maxCodes bounds the codes that are counted by name: the gateway's table and our own have about
// 70; what comes beyond is counted as "other".
const maxCodes = 128

// bounds are the upper ends of the histogram's buckets, in milliseconds.
var bounds = [...]int64{5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000}

// counters count the calls and the replies of one worker. Its methods are safe for concurrent use.
type counters struct {
	mu       sync.Mutex // guards what follows
	codes    map[string]uint64
	outcomes map[string]uint64
	sources  map[string]uint64
	own      map[string]uint64 // replies by our own code
	retries  map[string]uint64
	partners map[string]uint64 // calls by partner, of those that it asks for
	calls    uint64
	sumMs    int64
	buckets  [len(bounds) + 1]uint64
	failing  time.Time // since when no call has been answered; zero: the last one was
	failed   string    // the code of the last call that was not
}

func newCounters() *counters {
	return &counters{codes: map[string]uint64{}, outcomes: map[string]uint64{}, sources: map[string]uint64{},
		own: map[string]uint64{}, retries: map[string]uint64{}, partners: map[string]uint64{}}
}

// call counts a call, by its partner, its code and how long it took.
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

// count counts by a code, of which there are no more than maxCodes.
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

// Died is why a call was made again whose worker died over it.
const Died = "WORKER_DIED"

// run counts the calls of a run that ended which were made again, by what came of the one before.
func (c *counters) run(r *outbox.Run) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range r.Begins {
		if b := r.Begins[i].Begin; b.Attempt > 1 {
			count(c.retries, cmp.Or(b.Before.Code, Died))
		}
	}
}

// away says since when no call has been answered, and what came of the last; zero: it was.
func (c *counters) away() (since time.Time, code string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.failing, c.failed
}

// Stats is what STATS shows under data.
type Stats struct {
	Member    string            `json:"member"`    // its id at present, as log show has it
	Queries   uint64            `json:"queries"`   // by the query door
	Submitted uint64            `json:"submitted"` // out of the stream of submitted ones
	Outcomes  map[string]uint64 `json:"outcomes"`  // replies by what they say
	Sources   map[string]uint64 `json:"sources"`   // replies by where the answer is from
	Codes     map[string]uint64 `json:"codes"`     // calls by the gateway's code or the client's
	Own       map[string]uint64 `json:"own_codes"` // replies by the worker's own code
	// calls made again, by the code of the call before or WORKER_DIED
	Retries map[string]uint64 `json:"retries"`
	Refused uint64            `json:"refused"`      // messages that were not right
	Dead    uint64            `json:"dead_letters"` // of the doors
	// dead letters and refusals of the doors that are in the local log alone
	Lost       uint64 `json:"lost"`
	Overloaded uint64 `json:"overloaded"`
	// of the fleet, that could not be read, each time that they were met
	Foreign     uint64    `json:"foreign_records"`
	Redelivered uint64    `json:"redelivered"`
	Gateway     Histogram `json:"gateway_ms"`
	Paused      bool      `json:"paused"`   // by operators: nothing new is taken in
	Members     int       `json:"members"`  // of the fleet
	Keys        int       `json:"keys"`     // that this worker decides about
	Position    uint64    `json:"position"` // of the log, up to which it has read
	// for how long calls may still begin; 0 also where none has for a while
	LeaseMs    int64              `json:"lease_ms"`
	Partners   map[string]Partner `json:"partners"`
	Pending    int                `json:"pending"` // asks of the doors that are not journalled yet
	Parked     int                `json:"parked"`
	InFlight   int                `json:"in_flight"`
	Slots      int                `json:"slots"`       // calls that may be in flight at once
	LeasesLost uint64             `json:"leases_lost"` // times that it went on as another member
	Halted     []string           `json:"halted"`      // partners that are not asked for at present
	// Halts say of each of them since when, by whom and why.
	Halts map[string]partner.Halt `json:"halts"`
	// calls under way for longer than a second: the five that have taken longest
	Slow        []SlowCall   `json:"slow"`
	Remembered  int          `json:"remembered"`
	Outbox      outbox.Stats `json:"outbox"`
	JournalFill float64      `json:"journal_fill"` // share of the journal's bytes in use
	LogFull     bool         `json:"log_full"`     // the query log takes no lines: they wait
	// lines that never come into the query log: dropped, or refused for good
	LogLost     uint64  `json:"log_lost"`
	RetryBudget float64 `json:"retry_budget"`
	UptimeMs    int64   `json:"uptime_ms"`
}

// Partner is what a worker says of one that it asks for.
type Partner struct {
	Calls       uint64 `json:"calls"`                 // of this worker
	Rate        int    `json:"rate,omitempty"`        // calls a second over the fleet, at most; 0: no limit
	Concurrency int    `json:"concurrency,omitempty"` // calls at once over the fleet, at most; 0: no limit
}

// Histogram counts calls of the gateway by how long they took.
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
