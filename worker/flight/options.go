// What flights are given: by whom calls are made, let through and journalled, and how much of what.

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
	// Try lets a call begin now, where that takes no wait and nothing has to be asked. leave is
	// called when the call has ended.
	Try(partner string) (leave func(), ok bool)
	// Enter waits for a call's turn elsewhere and hands the answer to [Flights.Entered].
	Enter(partner string)
}

// Caller makes calls.
type Caller interface {
	// Fence says why no call may begin now; nil: it may. It is asked again as the first byte
	// leaves.
	Fence() error
	// Call begins a call elsewhere. Its outcome is handed to [Flights.Ended].
	Call(Request)
}

// Journal is the log to who decides.
type Journal interface {
	// Wake has a batch composed soon, with [Flights.Decide].
	Wake()
	// Read reads the answer at a place elsewhere and hands it to [Flights.Read].
	Read(at journal.Ref)
}

// Draft is the batch that is being composed.
type Draft interface {
	Entries() []journal.Entry
	// Add adds an entry that decides about a key. With journal.ErrNoRoom it is decided again with
	// the next batch; with any other error it can be in none.
	Add(e journal.Entry, k journal.Key) error
}

// Budget bounds how often calls are tried again: a limit.Budget.
type Budget interface {
	Called()
	Retry() bool
}

// Request is one call that is to be made.
type Request struct {
	Key     journal.Key
	Run     string
	Attempt int
	Partner string
	// Ask is the ask whose query is asked; nil: it stands at At.
	Ask *journal.Ask
	At  journal.Ref
}

// Words are the codes that asks are given of our own.
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
	// Result is the encoded Result of one of Words, after so many calls; needed.
	Result func(code string, attempts int) []byte
	// Budget bounds how often calls are tried again; nil: Attempts alone does.
	Budget Budget
	// Ahead is given the asks that may be told of an own answer at a place before it is applied;
	// nil: nobody is told then.
	Ahead func(asks []*fleet.Ask, e *journal.Answer, at journal.Ref)

	// Logger is given what an operator has to know; nil: nobody is.
	Logger *slog.Logger

	// Attempts are 5, the calls for one question, as in fleet.Options.
	Attempts int
	// Slots are 256: calls at once.
	Slots int
	// Share is 8: one slot in so many is given to the submitted door before the awaiting one.
	Share int
	// Cooldown is 30 s, for which a key is left alone after a failure.
	Cooldown time.Duration
	// Longest is 10 s, for which the gateway may want to be left alone while a run stays open.
	Longest time.Duration
	// MinAge is 2 s: an answer that is younger serves whatever age an asker limits it to.
	MinAge time.Duration
	// AskPatience is 30 s, for which an awaiting ask without a deadline waits, Patience 24 h, the
	// same for a submitted one.
	AskPatience, Patience time.Duration
	// Looks are 4096: the keys that are looked at for one batch, as the fold waits meanwhile.
	Looks int
	// Parked is 100,000, the asks that wait without a call under way, of which one asker has half
	// at most.
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
