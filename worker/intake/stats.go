// The doors' figures for operators.

package intake

import (
	"sync"
	"sync/atomic"
	"time"

	"protocolq/messages"
)

// counters are monotonic. The doors write them.
type counters struct {
	queries, submitted, redelivered, forgets, remembered, refused, overloaded, late, letters atomic.Uint64

	outcomes map[messages.Outcome]*atomic.Uint64 // its keys never change
	codes    map[string]*atomic.Uint64           // of replies, our own; its keys never change

	mu      sync.Mutex // guards replied
	replied replied
}

// answered counts a reply to an asker that awaits it, and how long that took.
func (c *counters) answered(r *messages.Result, took time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.replied.number++
	c.replied.took += max(0, took)
	if r.Status() != 0 {
		c.replied.errors++
		c.replied.lastError = r.Code
	}
}

func (c *counters) repliedTo() replied {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.replied
}

func newCounters() *counters {
	c := &counters{outcomes: map[messages.Outcome]*atomic.Uint64{}, codes: map[string]*atomic.Uint64{}}
	for _, code := range messages.Codes() {
		c.codes[code] = new(atomic.Uint64)
	}
	for _, o := range messages.Outcomes() {
		c.outcomes[o] = new(atomic.Uint64)
	}
	return c
}

// reply counts a reply that left from here.
func (c *counters) reply(r *messages.Result) {
	if n := c.outcomes[r.Outcome]; n != nil {
		n.Add(1)
	}
	if n := c.codes[r.Code]; n != nil {
		n.Add(1)
	}
	switch r.Code {
	case messages.Overloaded:
		c.overloaded.Add(1)
	case messages.DeadlinePassed:
		c.late.Add(1)
	}
}

// Stats are the figures of the doors, without replies to journalled asks.
type Stats struct {
	Queries     uint64            `json:"queries"`     // from the query door
	Submitted   uint64            `json:"submitted"`   // from the stream, counted at each delivery
	Redelivered uint64            `json:"redelivered"` // deliveries of these that were not the first
	Forgets     uint64            `json:"forgets"`     // requests to forget a person
	Remembered  uint64            `json:"remembered"`  // replied to from memory
	Refused     uint64            `json:"refused"`     // wrong messages
	Overloaded  uint64            `json:"overloaded"`  // replies with this code, because the ask was not journalled
	Late        uint64            `json:"late"`        // deadlines that passed before the ask was journalled
	Letters     uint64            `json:"letters"`     // dead letters written
	Lost        uint64            `json:"lost"`        // dead letters and replies of the query door, never stored
	Outcomes    map[string]uint64 `json:"outcomes"`    // replies by outcome
	Codes       map[string]uint64 `json:"codes"`       // replies by our own code
	Pending     int               `json:"pending"`     // not journalled yet
	Bytes       int               `json:"pending_bytes"`
}

func (c *counters) stats() Stats {
	s := Stats{Queries: c.queries.Load(), Submitted: c.submitted.Load(), Redelivered: c.redelivered.Load(),
		Forgets:    c.forgets.Load(),
		Remembered: c.remembered.Load(), Refused: c.refused.Load(), Overloaded: c.overloaded.Load(),
		Late:    c.late.Load(),
		Letters: c.letters.Load(), Outcomes: map[string]uint64{}, Codes: map[string]uint64{}}
	for o, n := range c.outcomes {
		s.Outcomes[string(o)] = n.Load()
	}
	for code, n := range c.codes {
		if n := n.Load(); n > 0 {
			s.Codes[code] = n
		}
	}
	return s
}
