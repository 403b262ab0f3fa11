// What a member is given.

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
	// Add takes a duty; false: there is no room, and it is given again later.
	Add(outbox.Duty) bool
	// Told says that the log has these entries told.
	Told(entries ...journal.Ref)
	// Disown says that entries are no longer what they were, as the log is another: what is under
	// way is published, and not said to be done.
	Disown()
}

// Signs are signs of life, which no stream keeps.
type Signs interface {
	// Beat shows that a member lives.
	Beat(journal.Member) error
	// Follow hands each beat to each, from one goroutine, until stop is called.
	Follow(each func(journal.Member)) (stop func(), err error)
	// Serve answers pings of a member until stop is called.
	Serve(journal.Member) (stop func(), err error)
	// Ping asks a member whether it is there. answered: it is; mute: the servers know nobody who
	// serves its subject; neither: nobody can tell.
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
	// RetryAfter is when a partner may be asked for again that is not asked for now because of a
	// code of ours; nil: 0.
	RetryAfter func(partner, code string) time.Duration
	// Note says more of one of our codes to a person, such as who halted the partner; nil: nothing
	// is said.
	Note func(partner, code string) string
	// Time is given what the server's clock shows, and when by the own; nil: nobody is.
	Time func(server, own time.Time)

	Watch fleet.WatchOptions
	// Beat is 500 ms: how often a member shows that it lives.
	Beat time.Duration
	// Texts are 8 MiB: batches read lately whose entries are at hand. Answers are 16 MiB: those
	// remembered whose text is.
	Texts, Answers int
	// Tail is 64 MiB: how far the log may exceed twice what lives in it before its tail is copied
	// forward and the rest purged.
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
