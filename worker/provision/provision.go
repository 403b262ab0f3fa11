// How the streams and consumers that a fleet needs are made, and what differs from them.

// Package provision declares the streams and consumers of a fleet and makes them. A running worker
// does not need the rights for that: its own user provisions once, and again whenever the
// declaration changes.
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
	// Replicas are the copies of each stream: 1 on a server alone, 3 in a cluster. 0 leaves them as
	// they are; a stream that is made then has as many as those that are there, or 1.
	Replicas int
	AckWait  time.Duration // 12 s: how long what a worker or a recorder takes may be unacknowledged
	// JournalBytes is the room of the workers' log: twice what waits, is under way and is
	// remembered, and 64 MiB. At 80 % of it no call begins, at 90 % no query is taken. 0 leaves it
	// as it is; 1 GiB when it is made.
	JournalBytes int64
	// Readers are given consumers of their own.
	Readers Readers
	// Update changes what differs, where the server allows it.
	Update bool
	// Less lets Update take from streams what they may hold, too: copies, bytes, messages, age.
	// Without it that stays, and is reported.
	Less bool

	// unscheduled leaves out what needs a server with message schedules.
	unscheduled bool
}

// For is o on the server of a connection: where that has no message schedules, nothing that needs
// them is declared.
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

// Report says what Apply found and did, one line per stream and consumer.
type Report struct {
	Items []Item
}

// Item is one stream or consumer.
type Item struct {
	Name        string       `json:"name"`
	Action      Action       `json:"action"`
	Differences []Difference `json:"differences,omitempty"`
	// Remove is a command of the NATS CLI that removes what nothing uses any more.
	Remove string `json:"remove,omitempty"`
}

// Action is what was done about an item.
type Action string

// The actions.
const (
	Created Action = "created"
	AsIs    Action = "as declared"
	Differs Action = "differs" // also after it was made or changed: see Difference.Changed
	Updated Action = "updated"
	Carried Action = "carried over"         // a record, into the stream that it is in now
	Unused  Action = "used no more"         // a stream of an earlier version, see Item.Remove
	Foreign Action = "answers in our place" // a stream of somebody else
	Anew    Action = "must be made anew"    // a stream with a setting that no server changes; it stays as it is
	Taken   Action = "another reads that"   // left out: the page in the browser can watch nobody then
	Newer   Action = "needs NATS 2.12"      // left out: the server has no message schedules
)

// Difference is one setting that is not as declared.
type Difference struct {
	Setting  string `json:"setting"`
	Have     string `json:"have"`
	Declared string `json:"declared"`
	Changed  bool   `json:"changed,omitempty"` // it was, and is as declared now
}

// Differs reports whether anything is left that is not as declared.
func (r Report) Differs() bool {
	for _, i := range r.Items {
		switch i.Action {
		case Differs, Foreign, Anew:
			return true
		}
	}
	return false
}

// Apply makes what is missing and reports what differs; with o.Update it changes that, too. Doing
// it again changes nothing. Where the streams of an earlier version are there it takes over from
// them, see [ErrWaiting] and [ErrTakeOver], and reports which of them are used no more.
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
		err = old.empty(ctx) // until they were narrowed they took queries
	}
	if err == nil { // else nobody is to remove them yet
		r.Items = append(r.Items, old.items...)
	}
	return r, err
}
