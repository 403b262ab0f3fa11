// The append-only call log: evidence of what the gateway was asked.

package simulator

import (
	"sync"
	"time"
)

// Values of Call.Answer for calls without an answer.
const (
	noAnswer   = "none"        // a fault gave nothing readable
	clientLeft = "client-left" // the client left before the answer was due
)

// Call is one call as the gateway saw it. Times are unix microseconds. Ended is the time at which
// the answer was handed over, before the client can have read it.
type Call struct {
	N       uint64 `json:"n"` // from 1, in the order of the calls' ends
	Started int64  `json:"started"`
	Ended   int64  `json:"ended"`
	Partner string `json:"partner"`         // "unknown" if it is
	Key     string `json:"key"`             // the e-mail, the account number, or both with a space between
	Answer  string `json:"answer"`          // a code, a scenario, "none" or "client-left"
	Fault   string `json:"fault,omitempty"` // the fault of this call
	Conn    uint64 `json:"conn"`            // number of the connection, 0 if there was none
	// Conclusive says that the answer settles the question.
	Conclusive bool `json:"conclusive"`
	// Overlapping says that another call for the same account was in flight when this one began.
	Overlapping bool `json:"overlapping"`
	// After says that the call began after a conclusive answer for the account had ended.
	After bool `json:"after"`
}

// Stats sum up the calls since the start or the last reset.
type Stats struct {
	Calls      uint64 `json:"calls"`
	InFlight   int    `json:"in_flight"`
	Accounts   int    `json:"accounts"`   // distinct, of distinct partners
	Conclusive uint64 `json:"conclusive"` // conclusive answers
	Doubled    int    `json:"doubled"`    // accounts with more than one conclusive answer
	// conclusive answers beyond the first, over all accounts
	Doubles         uint64 `json:"doubles"`
	AfterConclusive uint64 `json:"after_conclusive"` // calls begun after a conclusive answer had ended
	Overlapping     uint64 `json:"overlapping"`      // calls begun while another for the same account was in flight
	Dropped         uint64 `json:"dropped"`          // oldest calls no longer in the log
	// calls for accounts beyond the bound: not counted as doubled or overlapping
	Untracked uint64            `json:"untracked"`
	By        map[string]uint64 `json:"by"`                 // by answer
	Faults    map[string]uint64 `json:"faults,omitempty"`   // by fault
	Partners  map[string]uint64 `json:"partners,omitempty"` // by partner
}

type accountKey struct{ partner, key string }

type account struct {
	calls, conclusive uint64
	inFlight          int
}

// callLog keeps the newest calls and the sums of all calls.
type callLog struct {
	mu         sync.Mutex // guards all below; held for lines
	keep       int
	calls      []Call // a ring once it is full
	oldest     int    // index in the ring
	last       uint64
	generation int // number of resets: a call from before a reset is not counted
	inFlight   int
	accounts   map[accountKey]*account
	sums       Stats
}

func newCallLog(keep int) *callLog {
	l := &callLog{keep: keep}
	l.reset()
	return l
}

// openCall is a call in flight. Only its handler uses it.
type openCall struct {
	Call
	account    *account // nil if the bound on accounts is reached
	index      uint64   // number of calls for that account before
	generation int
}

func (c *openCall) told(a reply) {
	c.Answer, c.Conclusive = a.label(), a.conclusive()
}

func (l *callLog) begin(q question, conn uint64) *openCall {
	if q.partner == nil { // unverified text: keep long and endless names out of memory
		q.partnerID, q.key = "unknown", q.key[:min(len(q.key), 100)]
	}
	c := &openCall{Call: Call{
		Started: time.Now().UnixMicro(), Partner: q.partnerID, Key: q.key, Answer: noAnswer, Conn: conn,
	}}
	l.mu.Lock()
	defer l.mu.Unlock()
	c.generation = l.generation
	l.inFlight++
	key := accountKey{q.partnerID, q.key}
	a := l.accounts[key]
	if a == nil {
		// At most as many accounts as calls are kept, so that a stream of new ones cannot fill the
		// memory.
		if len(l.accounts) >= l.keep {
			l.sums.Untracked++
			return c
		}
		a = &account{}
		l.accounts[key] = a
	}
	c.account, c.index = a, a.calls
	c.Overlapping, c.After = a.inFlight > 0, a.conclusive > 0
	a.calls++
	a.inFlight++
	return c
}

func (l *callLog) end(c *openCall) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c.generation != l.generation {
		return
	}
	c.Ended = time.Now().UnixMicro()
	l.inFlight--
	l.last++
	c.N = l.last
	if a := c.account; a != nil {
		a.inFlight--
		if c.Conclusive {
			a.conclusive++
			if a.conclusive == 2 {
				l.sums.Doubled++
			}
			if a.conclusive > 1 {
				l.sums.Doubles++
			}
		}
	}
	l.count(&c.Call)
	if len(l.calls) < l.keep {
		l.calls = append(l.calls, c.Call)
		return
	}
	l.calls[l.oldest] = c.Call
	l.oldest = (l.oldest + 1) % l.keep
	l.sums.Dropped++
}

// count adds a call to the sums; the caller holds mu.
func (l *callLog) count(c *Call) {
	l.sums.By[c.Answer]++
	l.sums.Partners[c.Partner]++
	if c.Fault != "" {
		l.sums.Faults[c.Fault]++
	}
	if c.Conclusive {
		l.sums.Conclusive++
	}
	if c.Overlapping {
		l.sums.Overlapping++
	}
	if c.After {
		l.sums.AfterConclusive++
	}
}
