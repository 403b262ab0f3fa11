// What a member needs.

package member

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"protocolq/worker/fleet"
	"protocolq/worker/flight"
	"protocolq/worker/journal"
	"protocolq/worker/outbox"
)

// Log is the journal, and how long a batch of it may be.
type Log interface {
	journal.Log
	// Limit is how many bytes a batch may have.
	Limit(ctx context.Context) (int, error)
}

// Duties publishes what is owed: an outbox.Outbox.
type Duties interface {
	// Add takes a duty; false: there is no room, and it is added again later.
	Add(outbox.Duty) bool
	// Told says that these entries are told in the log.
	Told(entries ...journal.Ref)
	// Disown says that the log was replaced, so that entries are not what they were: duties under way
	// are published, but not reported as done.
	Disown()
}

// Signs are signs of life, which no stream stores.
type Signs interface {
	// Beat shows that a member is live.
	Beat(journal.Member) error
	// Follow calls each with each beat, from one goroutine, until stop is called.
	Follow(each func(journal.Member)) (stop func(), err error)
	// Serve answers pings of a member, while it is well, until stop is called.
	Serve(of journal.Member, well func() bool) (stop func(), err error)
	// Ping asks a member whether it is there. answered: it is; mute: its subject has no responders;
	// neither: that is not known.
	Ping(ctx context.Context, of journal.Member) (answered, mute bool)
}

// Options are what a [Member] needs; the zero value of a setting is its default.
type Options struct {
	Log    Log    // needed
	Signs  Signs  // needed
	Duties Duties // needed
	// NewID gives the id of an incarnation, unique in space and time; needed.
	NewID func() journal.Member
	// Fleet are the settings of the fold, alike in the whole fleet; needed.
	Fleet fleet.Options
	// CallTime is how long a call takes at most; needed. The lease has to be longer than
	// [fleet.ShortestLease].
	CallTime time.Duration
	// Flights, Turns and Call are what a key's owner needs, see [flight.LoopOptions].
	Flights flight.Options
	Turns   flight.Turns
	Call    flight.Call
	// RetryAfter is when calls for a partner may go on that one of our codes holds up; nil: 0.
	RetryAfter func(partner, code string) time.Duration
	// Note says more about one of our codes to a person, such as who halted the partner; nil: nothing
	// more.
	Note func(partner, code string) string
	// Time gets the time of the server's clock, and of the own one at that moment; nil: not called.
	Time func(server, own time.Time)

	Watch fleet.WatchOptions
	// Beat is 500 ms: how often a member shows that it is live.
	Beat time.Duration
	// Texts are 8 MiB: batches read recently, kept in memory. Answers are 16 MiB: the texts of
	// remembered answers kept in memory.
	Texts, Answers int
	// Tail is 64 MiB: how far the log may exceed twice its live part before its tail is copied forward
	// and the rest purged.
	Tail int64
	// Remembered bounds the remembered answers: 2,000,000.
	Remembered int
	Logger     *slog.Logger // discarded when nil
}

func (o *Options) defaults() error {
	if o.Log == nil || o.Signs == nil || o.Duties == nil || o.NewID == nil || o.CallTime <= 0 {
		return errors.New("member: Log, Signs, Duties, NewID and CallTime are needed")
	}
	if o.Beat <= 0 {
		o.Beat = 500 * time.Millisecond
	}
	if o.Texts <= 0 {
		o.Texts = 8 << 20
	}
	if o.Answers <= 0 {
		o.Answers = 16 << 20
	}
	if o.Tail <= 0 {
		o.Tail = 64 << 20
	}
	if o.Remembered <= 0 {
		o.Remembered = 2_000_000
	}
	if o.RetryAfter == nil {
		o.RetryAfter = func(string, string) time.Duration { return 0 }
	}
	if o.Note == nil {
		o.Note = func(string, string) string { return "" }
	}
	if o.Time == nil {
		o.Time = func(time.Time, time.Time) {}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return nil
}
