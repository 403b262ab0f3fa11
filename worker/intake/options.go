// What the doors need from other parts.

package intake

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"protocolq/messages"
	"protocolq/worker/journal"
	"protocolq/worker/querylog"
)

// Journal writes what came in by the doors into the log.
type Journal interface {
	// Ask journals an ask. done is called once, from another goroutine: with nil when the ask is
	// stored, with an error when it certainly never will be. An error of Ask itself says that the ask
	// is not taken, and done is never called; [journal.ErrInvalid] is permanent, any other error is
	// temporary. q is the query of a. Neither is changed after the call. unwanted, which must not
	// block, is called before the ask is written: the ask is left out if its asker has had a reply.
	Ask(a *journal.Ask, q *messages.Query, unwanted func() bool, done func(error)) error
	// Forget journals that a person is to be forgotten. done is as in Ask.
	Forget(person journal.Hash, done func(error)) error
}

// Memory is the remembered answers and asks. Its methods do not block.
type Memory interface {
	// Remembered is the answer that serves the ask now, without its own entry: conclusive, to the same
	// question, and fresh enough. ok is false if there is none, if its body is not in memory, or if
	// there is a final answer for the ask's ID. a has no Query and no Persons yet.
	Remembered(a *journal.Ask) (m Kept, ok bool)
	// Knows reports whether the ask with this token, or with a near one, is journalled.
	Knows(token string, near journal.Near) bool
}

// Kept is a remembered answer, and its first place in the log.
type Kept struct {
	Answer *journal.Answer
	At     journal.Ref
}

// Consumers finds durable consumers: a jetstream.JetStream.
type Consumers interface {
	Consumer(ctx context.Context, stream, consumer string) (jetstream.Consumer, error)
	// Conn is the connection that their messages come on.
	Conn() *nats.Conn
	Options() jetstream.JetStreamOptions
}

// Stream stores messages in their stream: a publish.Publisher whose Run runs.
type Stream interface {
	// Go stores m and calls done once, when the server has answered or within has passed; done must
	// not block. If Go itself gives an error, done is never called.
	Go(m *nats.Msg, within time.Duration, done func(sequence uint64, err error)) error
}

// Lines takes the lines of asks that are replied to here: a [querylog.Publisher].
type Lines interface {
	PublishRemembered(q *messages.Query, a querylog.Ask)
}

// Options are what the [Doors] need. The zero value of a setting is its default; parts without one
// are needed.
type Options struct {
	// Reply is the connection of the query door and of replies to inboxes.
	Reply     *nats.Conn
	Consumers Consumers
	Journal   Journal
	Memory    Memory
	Letters   Stream // dead letters
	Replies   Stream // durable replies
	Lines     Lines
	Traces    Traces // nil: no tracing

	Names    messages.Names
	Partners []string // those that the gateway can be asked for
	// DefaultPartner is the partner of a query that names none; "": such a query is refused.
	DefaultPartner string
	ReplyAllow     []string // prefixes that a reply may go to; Names.DefaultReplies
	OwnInboxes     []string // inbox prefixes of the fleet's own connections: never replied to

	// Paused reports whether the intake is paused, so that only remembered answers are given, and
	// after how long an asker should ask again: [Switch.Paused]. It is called for each ask; nil:
	// never.
	Paused func() (after time.Duration, paused bool)

	// Person is the keyed hash of an e-mail address or account number, as it was spelled, by which the
	// person can be forgotten; nil: nobody can be.
	Person   func(string) journal.Hash
	Patience time.Duration // 24 h: the longest deadline
	// AskPatience is 30 s, for which an asker without a deadline waits for the journal.
	AskPatience time.Duration
	MinAge      time.Duration // 2 s: a smaller max_age_ms counts as this

	Most      int // 50,000: asks at once that are not journalled yet, half of them one asker's
	MostBytes int // 64 MiB: their messages, half of them one asker's

	Version string       // of the program, for service info; "0.0.0"
	Owner   string       // of this worker, for service info
	Stats   func() any   // what STATS shows; [Doors.Stats]
	Logger  *slog.Logger // discarded when nil
}

func (o *Options) check() error {
	switch {
	case o.Reply == nil || o.Consumers == nil || o.Journal == nil || o.Memory == nil || o.Letters == nil ||
		o.Replies == nil || o.Lines == nil:
		return errors.New("intake: Reply, Consumers, Journal, Memory, Letters, Replies and Lines are needed")
	case o.Names.Prefix() == "" || len(o.Partners) == 0:
		return errors.New("intake: Names and at least one partner are needed")
	case o.DefaultPartner != "" && !slices.Contains(o.Partners, o.DefaultPartner):
		return errors.New("intake: the default partner is not among the partners")
	}
	var faults []error
	for _, p := range o.Partners {
		if !messages.IsPartner(p) {
			faults = append(faults,
				fmt.Errorf("intake: %q is not a partner id: all queries for it would be refused", p))
		}
	}
	for _, p := range o.ReplyAllow {
		if err := o.Names.CheckAllowed(p); err != nil {
			faults = append(faults, fmt.Errorf("intake: %w", err))
		}
	}
	return errors.Join(faults...)
}

func (o *Options) defaults() {
	orDefault(&o.Patience, 24*time.Hour)
	orDefault(&o.AskPatience, 30*time.Second)
	orDefault(&o.MinAge, 2*time.Second)
	orDefault(&o.Most, 50_000)
	orDefault(&o.MostBytes, 64<<20)
	if o.ReplyAllow == nil {
		o.ReplyAllow = o.Names.DefaultReplies()
	}
	if o.Paused == nil {
		o.Paused = func() (time.Duration, bool) { return 0, false }
	}
	if o.Version == "" {
		o.Version = "0.0.0"
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
}

func orDefault[T int | time.Duration](v *T, d T) {
	if *v <= 0 {
		*v = d
	}
}
