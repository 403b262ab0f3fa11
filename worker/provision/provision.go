// How the streams and consumers of a fleet are made, and how existing ones differ from them.

// Package provision declares the streams and consumers of a fleet and makes them. A running worker
// does not need the rights for that: a user with these rights provisions once, and again whenever
// the declaration changes.
package provision

import (
	"context"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"protocolq/messages"
)

// Options say how a fleet is laid out. The zero value is one server on its own.
type Options struct {
	Names messages.Names
	// Replicas are the copies of each stream: 1 on a single server, 3 in a cluster. With 0 they stay
	// as they are; a stream that is then made gets as many as the existing ones have, or 1.
	Replicas int
	AckWait  time.Duration // 12 s: how long a message of a worker or a recorder may be unacknowledged
	// JournalBytes is the size of the workers' log: twice what waits, is in progress and is
	// remembered, plus 64 MiB. At 80 % of it no call begins, at 90 % no query is accepted. With 0 it
	// stays as it is; a new log gets 1 GiB.
	JournalBytes int64
	// Readers get consumers of their own.
	Readers Readers
	// Update changes what differs, if the server allows it.
	Update bool
	// Less lets Update also reduce what streams may hold: copies, bytes, messages, age. Without it
	// such differences stay, and are reported.
	Less bool

	// unscheduled leaves out what needs a server with message schedules.
	unscheduled bool
}

// For returns o for the server of a connection: if that server has no message schedules, nothing
// that needs them is declared.
func (o Options) For(nc *nats.Conn) Options {
	o.unscheduled = !HasSchedules(nc)
	return o
}

func (o *Options) defaults() {
	if o.Replicas <= 0 {
		o.Replicas = 1
	}
	if o.AckWait <= 0 {
		o.AckWait = 12 * time.Second
	}
	if o.JournalBytes <= 0 {
		o.JournalBytes = 1 << 30
	}
}

// Report says what Apply found and did, with one line for each stream and consumer.
type Report struct {
	Items []Item
}

// Item is one stream or consumer.
type Item struct {
	Name        string       `json:"name"`
	Action      Action       `json:"action"`
	Differences []Difference `json:"differences,omitempty"`
	// Remove is a command of the NATS CLI that removes a stream that is no longer used.
	Remove string `json:"remove,omitempty"`
}

// Action is what was done for an item.
type Action string

// The actions.
const (
	Created Action = "created"
	AsIs    Action = "as declared"
	Differs Action = "differs" // even after it was made or changed: see Difference.Changed
	Updated Action = "updated"
	Carried Action = "carried over"         // a record, into its present stream
	Unused  Action = "used no more"         // a stream of an earlier version, see Item.Remove
	Foreign Action = "answers in our place" // a stream of another program
	Anew    Action = "must be made anew"    // a stream with a setting that no server changes; it stays unchanged
	Taken   Action = "another reads that"   // left out: then the page in the browser can watch nobody
	Newer   Action = "needs NATS 2.12"      // left out: the server has no message schedules
)

// Difference is one setting that differs from the declared one.
type Difference struct {
	Setting  string `json:"setting"`
	Have     string `json:"have"`
	Declared string `json:"declared"`
	Changed  bool   `json:"changed,omitempty"` // it differed, and is as declared now
}

// Differs reports whether any difference is left.
func (r Report) Differs() bool {
	for _, i := range r.Items {
		switch i.Action {
		case Differs, Foreign, Anew:
			return true
		}
	}
	return false
}

// Apply makes what is missing and reports what differs; with o.Update it changes that, too. A
// second Apply changes nothing. If there are streams of an earlier version, Apply takes over from
// them, see [ErrWaiting] and [ErrTakeOver], and reports which of them are no longer used.
func Apply(ctx context.Context, js jetstream.JetStream, o Options) (r Report, err error) {
	old, err := findRetired(ctx, js, o)
	if err != nil {
		return r, err
	}
	if err := CheckServer(js.Conn()); err != nil {
		return r, err
	}
	o = o.For(js.Conn())
	if err := old.narrow(ctx); err != nil {
		return Report{old.held()}, err
	}
	if err := r.apply(ctx, js, o); err != nil {
		return r, err
	}
	if o.unscheduled {
		r.Items = append(r.Items, Item{Name: o.Names.Stream(messages.Watches), Action: Newer})
	}
	foreign, err := FindForeign(ctx, js, o.Names)
	r.Items = append(r.Items, foreign...)
	if err != nil {
		return r, err
	}
	carried, err := old.carry(ctx)
	r.Items = append(r.Items, carried...)
	if err == nil {
		err = old.empty(ctx) // before they were narrowed they captured queries
	}
	if err == nil { // else nobody may remove them yet
		r.Items = append(r.Items, old.items...)
	}
	return r, err
}
