// What a worker is made of, and the bounds it keeps.

package worker

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/nats-io/nats.go"

	"protocolq/messages"
	"protocolq/worker/dedupe"
	"protocolq/worker/partner"
	"protocolq/worker/querylog"
	"protocolq/worker/retry"
)

// Options are a worker's parts and settings. The zero value of a setting is its
// default; parts without one are needed.
type Options struct {
	NATS     *nats.Conn     // main connection: streams, records, acknowledgements
	Reply    *nats.Conn     // the service and all replies; its user may publish nothing else
	Gateway  Asker          // needed
	Names    messages.Names // needed
	Partners []string       // needed: the partners that the gateway client can sign for
	// DefaultPartner is that of a query which names none; "": such a query is refused.
	DefaultPartner string
	ReplyAllow     []string // prefixes a reply may go to; Names.DefaultReplies
	OwnInboxes     []string // inbox prefixes of this fleet's own connections: never replied to

	Slots       int           // 256: runs at once
	Parked      int           // 50,000: asks that wait at once
	ParkedBytes int           // 64 MiB: their messages
	Storing     int           // 8,192: asks of the front door that wait to be sent into the stream
	Window      time.Duration // 24 h: how long the answer to a given key is remembered
	Freshness   time.Duration // 60 s: the same for a key derived from the question
	Cooldown    time.Duration // 30 s: how long a key is left alone after a failure, if the gateway does not want longer
	MinAge      time.Duration // 2 s: no max_age_ms is taken to be tighter
	AskPatience time.Duration // 30 s: how long an awaiting ask without a deadline lives
	Patience    time.Duration // 24 h: the same for a submitted one
	Lease       time.Duration // 12 s
	Grace       time.Duration // 15 s: how long runs under way may take after Run's ctx has ended
	AfterCrash  dedupe.AfterCrash
	Retry       retry.Policy
	RetryBudget int                       // 10: retries at once, beyond one per ten calls
	Limits      map[string]partner.Limits // by partner, over the whole fleet; none where there is no entry
	CloudEvents bool                      // events carry the CloudEvents headers, too

	LogHasher *querylog.Hasher // masks what the query log holds, equal in the fleet; nil: no query log is written

	Version string       // of the program, for service info; "0.0.0"
	Ready   func()       // called once when all doors are open; may be nil
	Logger  *slog.Logger // discarded when nil
}

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
	need(o.DefaultPartner == "" || slices.Contains(o.Partners, o.DefaultPartner), "the default partner is not among the partners")
	for _, p := range o.Partners {
		need(messages.IsPartner(p), fmt.Sprintf("%q is no partner id: every query for it would be refused", p))
	}
	for _, p := range o.ReplyAllow {
		if err := o.Names.CheckAllowed(p); err != nil {
			faults = append(faults, fmt.Errorf("worker: %w", err))
		}
	}
	return errors.Join(faults...)
}

func (o *Options) defaults() {
	orDefault(&o.Slots, 256)
	orDefault(&o.Parked, 50_000)
	orDefault(&o.ParkedBytes, 64<<20)
	orDefault(&o.Storing, 8192)
	orDefault(&o.Window, 24*time.Hour)
	orDefault(&o.Freshness, time.Minute)
	orDefault(&o.Cooldown, 30*time.Second)
	orDefault(&o.MinAge, 2*time.Second)
	orDefault(&o.AskPatience, 30*time.Second)
	orDefault(&o.Patience, 24*time.Hour)
	orDefault(&o.Lease, 12*time.Second)
	orDefault(&o.Grace, 15*time.Second)
	orDefault(&o.RetryBudget, 10)
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
