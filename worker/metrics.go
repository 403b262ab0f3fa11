// What an operator counts; told by the micro service's STATS.

package worker

import (
	"sync"
	"sync/atomic"
	"time"

	"protocolq/messages"
)

// maxCodes bounds the codes that are counted by name: the gateway's table and
// our own have about 70; what comes beyond is counted as "other".
const maxCodes = 128

// bounds are the upper ends of the histogram's buckets, in milliseconds.
var bounds = [...]int64{5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000}

// metrics are the counters of one worker, each monotonic. Doors, runs and the
// replier write them, STATS reads them.
type metrics struct {
	Queries, Submitted, Refused, Dead, Overloaded, Redelivered atomic.Uint64

	mu       sync.Mutex // guards the maps and the histogram
	outcomes map[string]uint64
	sources  map[string]uint64
	codes    map[string]uint64
	calls    uint64
	sumMs    int64
	buckets  [len(bounds) + 1]uint64
}

func newMetrics() *metrics {
	return &metrics{outcomes: map[string]uint64{}, sources: map[string]uint64{}, codes: map[string]uint64{}}
}

// run counts the attempts of one run and what came of it.
func (m *metrics) run(attempts []Attempt, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, a := range attempts {
		m.calls++
		ms := a.Total / 1000
		m.sumMs += ms
		i := 0
		for i < len(bounds) && ms > bounds[i] {
			i++
		}
		m.buckets[i]++
		if a.Code != "" {
			m.code(a.Code)
		}
	}
	if err != nil {
		m.code("GIVEN_BACK")
	}
}

// reply counts one answered ask.
func (m *metrics) reply(r *messages.Result) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.outcomes[string(r.Outcome)]++
	if r.Source != "" {
		m.sources[string(r.Source)]++
	}
}

// code counts a code by its name; the caller holds mu.
func (m *metrics) code(c string) {
	if _, known := m.codes[c]; !known && len(m.codes) >= maxCodes {
		c = "other"
	}
	m.codes[c]++
}

// Stats is what STATS shows under data.
type Stats struct {
	Owner       string            `json:"owner"`
	Queries     uint64            `json:"queries"`   // through the front door
	Submitted   uint64            `json:"submitted"` // taken from the stream's other door
	Outcomes    map[string]uint64 `json:"outcomes"`  // replies by what they say
	Sources     map[string]uint64 `json:"sources"`   // replies by where the answer is from
	Codes       map[string]uint64 `json:"codes"`     // attempts by the gateway's code or the client's
	Refused     uint64            `json:"refused"`   // messages that were not right
	Dead        uint64            `json:"dead_letters"`
	Overloaded  uint64            `json:"overloaded"`
	Redelivered uint64            `json:"redelivered"`
	Gateway     Histogram         `json:"gateway_ms"`
	Claims      uint64            `json:"claims"`
	Takeovers   uint64            `json:"takeovers"`
	Fenced      uint64            `json:"fenced"`
	Released    uint64            `json:"released"`
	Parked      int               `json:"parked"`
	InFlight    int               `json:"in_flight"`
	StoreFill   float64           `json:"store_fill"` // share of the record stream's bytes in use
	LogFull     bool              `json:"log_full"`   // the query log takes no lines: no new calls
	LogLost     uint64            `json:"log_lost"`   // lines that never come into the query log: dropped, or refused for good
	RetryBudget float64           `json:"retry_budget"`
	UptimeMs    int64             `json:"uptime_ms"`
}

// Histogram counts calls of the gateway by how long they took.
type Histogram struct {
	Count   uint64   `json:"count"`
	SumMs   int64    `json:"sum"`
	UpTo    []int64  `json:"up_to"` // upper end of each bucket; one more bucket has no end
	Buckets []uint64 `json:"buckets"`
}

// Stats returns the counters as they are now.
func (w *Worker) Stats() Stats {
	m, g := w.metrics, w.group.Stats()
	s := Stats{Owner: w.owner, Queries: m.Queries.Load(), Submitted: m.Submitted.Load(), Refused: m.Refused.Load(),
		Dead: m.Dead.Load(), Overloaded: m.Overloaded.Load(), Redelivered: m.Redelivered.Load(),
		Claims: g.Claims.Load(), Takeovers: g.Takeovers.Load(), Fenced: g.Fenced.Load(), Released: g.Released.Load(),
		Parked: w.group.Parked(), InFlight: w.group.InFlight(), StoreFill: float64(w.fill.Load()) / 1000,
		UptimeMs: time.Since(w.begun).Milliseconds()}
	s.RetryBudget = w.budget.Left()
	s.LogFull, s.LogLost = w.lines.Full(), w.lines.Lost()
	m.mu.Lock()
	defer m.mu.Unlock()
	s.Outcomes, s.Sources, s.Codes = clone(m.outcomes), clone(m.sources), clone(m.codes)
	s.Gateway = Histogram{Count: m.calls, SumMs: m.sumMs, UpTo: bounds[:], Buckets: append([]uint64(nil), m.buckets[:]...)}
	return s
}

func clone(m map[string]uint64) map[string]uint64 {
	c := make(map[string]uint64, len(m))
	for k, v := range m {
		c[k] = v
	}
	return c
}
