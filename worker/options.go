// The parts of a worker, and its bounds.

package worker

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/nats-io/nats.go"

	"protocolq/messages"
	"protocolq/worker/intake"
	"protocolq/worker/outbox"
	"protocolq/worker/partner"
	"protocolq/worker/querylog"
	"protocolq/worker/retry"
)

// Options are a worker's parts and settings. The zero value of a setting is its default; parts
// without one are needed.
type Options struct {
	NATS     *nats.Conn     // main connection: the journal, the streams, signs of life
	Reply    *nats.Conn     // the service and all replies; its user may publish nothing else
	Gateway  Asker          // needed
	Names    messages.Names // needed
	API      string         // "$JS.API": prefix of the JetStream API
	Partners []string       // needed: the partners that the gateway client can sign for
	// DefaultPartner is the partner of a query that names none; "": such a query is refused.
	DefaultPartner string
	ReplyAllow     []string // prefixes a reply may go to; Names.DefaultReplies
	OwnInboxes     []string // inbox prefixes of this fleet's own connections: never replied to

	Slots       int           // 256: calls at once
	Parked      int           // 50,000: asks of the doors that are not in the journal yet
	ParkedBytes int           // 64 MiB: their messages
	Window      time.Duration // 24 h: how long the answer to a given key is remembered
	Freshness   time.Duration // 60 s: the same for a key derived from the question
	Cooldown    time.Duration // 30 s: how long a key is left alone after a failure, if the gateway does not want longer
	MinAge      time.Duration // 2 s: the tightest max_age_ms that counts
	AskPatience time.Duration // 30 s: how long an awaiting ask without a deadline lives
	Patience    time.Duration // 24 h: the same for a submitted one
	// 12 s: after this time the calls of a sealed worker have surely ended; longer than
	// fleet.ShortestLease
	Lease       time.Duration
	CallTime    time.Duration // 8 s: the most that a call takes
	Grace       time.Duration // 15 s: how long calls in progress may take after Run's ctx has ended
	AfterCrash  AfterCrash    // Rerun
	Retry       retry.Policy
	RetryBudget int                       // 10: retries at once, beyond one per ten calls
	Remembered  int                       // 2,000,000: answers remembered at once
	Limits      map[string]partner.Limits // by partner, for the whole fleet; no entry: no limits
	CloudEvents bool                      // events carry the CloudEvents headers, too

	LogHasher *querylog.Hasher // masks the query log, with the fleet's keys; nil: no query log is written

	// Called is called after each call of the gateway. Many goroutines call it; may be nil.
	Called func(Call)

	Traces Traces // follows queries; nil: nothing does

	Version string       // of the program, for service info; "0.0.0"
	Ready   func()       // called once when all doors are open; may be nil
	Logger  *slog.Logger // discarded when nil
}

// Traces follows queries, and is called at the end of each part of their way. None of its methods
// may block.
type Traces interface {
	intake.Traces
	// Ran gets a run whose answer is in the journal. After a death it may get the same run again.
	Ran(run *outbox.Run, r *messages.Result)
	// Replied gets a reply to an ask that was journalled; made is when the reply was due.
	Replied(r *messages.Result, of *outbox.Ask, made time.Time)
}

// Call is one call of the gateway that has ended.
type Call struct {
	Partner string
	Code    string // "" for an answer without a code
	Took    time.Duration
	Trace   string // trace context of the ask that caused it, or ""
}

// AfterCrash says what happens to a call whose worker died during it.
type AfterCrash string

// The choices.
const (
	Rerun AfterCrash = "rerun" // the call is made once more: a query only reads
	Fail  AfterCrash = "fail"  // waiting askers get CRASHED, for good
)

func (o *Options) check() error {
	var faults []error
	need := func(ok bool, what string) {
		if !ok {
			faults = append(faults, fmt.Errorf("worker: %s", what))
		}
	}
	need(o.NATS != nil && o.Reply != nil, "NATS and Reply connections are needed")
	need(o.Gateway != nil, "a gateway is needed")
	need(o.Names.Prefix() != "", "Names are needed")
	need(len(o.Partners) > 0, "at least one partner is needed")
	need(o.DefaultPartner == "" ||
		slices.Contains(o.Partners, o.DefaultPartner), "the default partner is not among the partners")
	need(o.AfterCrash == "" || o.AfterCrash == Rerun ||
		o.AfterCrash == Fail, fmt.Sprintf("AfterCrash %q is neither rerun nor fail", o.AfterCrash))
	for _, p := range o.Partners {
		need(messages.IsPartner(p), fmt.Sprintf("%q is not a partner id: every query for it would be refused", p))
	}
	for _, p := range o.ReplyAllow {
		if err := o.Names.CheckAllowed(p); err != nil {
			faults = append(faults, fmt.Errorf("worker: %w", err))
		}
	}
	return errors.Join(faults...)
}

func (o *Options) defaults() {
	o.API = cmp.Or(o.API, "$JS.API")
	orDefault(&o.Slots, 256)
	orDefault(&o.Parked, 50_000)
	orDefault(&o.ParkedBytes, 64<<20)
	orDefault(&o.Window, 24*time.Hour)
	orDefault(&o.Freshness, time.Minute)
	orDefault(&o.Cooldown, 30*time.Second)
	orDefault(&o.MinAge, 2*time.Second)
	orDefault(&o.AskPatience, 30*time.Second)
	orDefault(&o.Patience, 24*time.Hour)
	orDefault(&o.Lease, 12*time.Second)
	orDefault(&o.CallTime, 8*time.Second)
	orDefault(&o.Grace, 15*time.Second)
	orDefault(&o.RetryBudget, 10)
	orDefault(&o.Remembered, 2_000_000)
	if o.ReplyAllow == nil {
		o.ReplyAllow = o.Names.DefaultReplies()
	}
	if o.Version == "" {
		o.Version = "0.0.0"
	}
	if o.Ready == nil {
		o.Ready = func() {}
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
