// What flights need: the parts that make, admit and journal calls, and the limits.

package flight

import (
	"errors"
	"log/slog"
	"time"

	"protocolq/worker/fleet"
	"protocolq/worker/journal"
)

// Gate says when calls for a partner may begin.
type Gate interface {
	// Try lets a call begin now if that needs no wait and no request. leave is called when the call
	// has ended.
	Try(partner string) (leave func(), ok bool)
	// May reports whether a turn that was kept may be used: nothing has stopped calls meanwhile.
	May(partner string) bool
	// Enter waits for a call's turn in another goroutine and hands the answer to [Flights.Entered].
	Enter(partner string)
}

// Caller makes calls.
type Caller interface {
	// Fence says why no call may begin now; nil: a call may. It is called again when the first byte
	// leaves.
	Fence() error
	// Call makes a call in another goroutine. Its outcome is handed to [Flights.Ended].
	Call(Request)
}

// Journal is the log, as far as decisions need it.
type Journal interface {
	// Wake has a batch composed soon, with [Flights.Decide].
	Wake()
	// Read reads the answer at a place in another goroutine and hands it to [Flights.Read].
	Read(at journal.Ref)
}

// Draft is the batch that is being composed.
type Draft interface {
	Entries() []journal.Entry
	// Add adds an entry that decides about a key. After journal.ErrNoRoom the key is decided about
	// again for the next batch; after any other error the entry fits into no batch.
	Add(e journal.Entry, k journal.Key) error
}

// Budget bounds how often calls are tried again: a limit.Budget.
type Budget interface {
	Called()
	Retry() bool
}

// Request is one call to make.
type Request struct {
	Key     journal.Key
	Run     string
	Attempt int
	Partner string
	// Ask is the ask whose query is asked; nil: it is in the log at At.
	Ask *journal.Ask
	At  journal.Ref
}

// Words are our own codes that asks get.
type Words struct{ Deadline, Conflict, Cooling, Overloaded, Crashed, Forgotten string }

// Options are what [Flights] need. The zero value of a setting is its default.
type Options struct {
	Gate    Gate    // needed
	Caller  Caller  // needed
	Journal Journal // needed
	Words   Words   // needed
	// NewRun gives a new run's id, unique in space and time; needed.
	NewRun func() string
	// Waits gives the waits of one run, see retry.Policy.Waits; needed.
	Waits func() func() time.Duration
	// Result is the encoded Result for one of Words, after a number of calls; needed.
	Result func(code string, attempts int) []byte
	// Budget bounds how often calls are tried again; nil: only Attempts does.
	Budget Budget
	// Ahead gets the asks that an own answer at a place lets be told before it is applied; nil: none
	// are told before.
	Ahead func(asks []*fleet.Ask, e *journal.Answer, at journal.Ref)

	// Logger gets what an operator has to know; nil: it is discarded.
	Logger *slog.Logger

	// Attempts are 5, the calls for one question, as in fleet.Options.
	Attempts int
	// Slots are 256: calls at once.
	Slots int
	// Share is 8: while asks wait at both doors, one of so many slots goes to the submitted door.
	Share int
	// Cooldown is 30 s, for which a key cools down after a failure.
	Cooldown time.Duration
	// Longest is 10 s, the longest wait that the gateway may ask for without ending a run.
	Longest time.Duration
	// MinAge is 2 s: an answer that is younger serves whatever age an asker limits it to.
	MinAge time.Duration
	// AskPatience is 30 s, for which an awaiting ask without a deadline waits, Patience 24 h, the
	// same for a submitted one.
	AskPatience, Patience time.Duration
	// Looks are 4096: the most keys to look at for one batch, because the fold waits meanwhile.
	Looks int
	// Parked is 100,000, the asks that may wait without a call under way. One asker may have half.
	Parked int
}

func (o *Options) defaults() error {
	if o.Gate == nil || o.Caller == nil || o.Journal == nil || o.NewRun == nil || o.Waits == nil || o.Result == nil ||
		o.Words == (Words{}) {
		return errors.New("flight: Gate, Caller, Journal, Words, NewRun, Waits and Result are needed")
	}
	orDefault(&o.Attempts, 5)
	orDefault(&o.Slots, 256)
	orDefault(&o.Share, 8)
	orDefault(&o.Cooldown, 30*time.Second)
	orDefault(&o.Longest, 10*time.Second)
	orDefault(&o.MinAge, 2*time.Second)
	orDefault(&o.AskPatience, 30*time.Second)
	orDefault(&o.Patience, 24*time.Hour)
	orDefault(&o.Looks, 4096)
	orDefault(&o.Parked, 100_000)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Ahead == nil {
		o.Ahead = func([]*fleet.Ask, *journal.Answer, journal.Ref) {}
	}
	return nil
}

func orDefault[T int | time.Duration](v *T, d T) {
	if *v == 0 {
		*v = d
	}
}
