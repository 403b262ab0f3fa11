// Package outbox publishes what is owed because of the journal's entries, until it is where it
// belongs.
//
// An entry in the journal is a promise: a settled ask has a reply and a line, an answer an event
// and a line, and what could not be answered a dead letter. The package is given such duties, makes
// their messages and publishes each until its stream has acknowledged it. It knows no worker and no
// fleet: which duties there are, and whose they are, the fold decides.
//
//	          Add                                  ┌─► inbox reply ─► connection, flushed ─┐
//	journal ──────► Duty ──► owed ──► one queue ───┼─► durable reply ─► REPLIES ───────────┤
//	   ▲            (ask, run,        for each     ├─► event ─► EVENTS ────────────────────┤
//	   │             corrupt batch)   sink         ├─► run line, ask line ─► Lines ─► LOG ─┤
//	   │                                           └─► dead letter ─► DEAD ────────────────┤
//	   └── told ◄── Done(refs): all that a duty owed is acknowledged ◄─────────────────────┘
//
// The life of one message:
//
//	        ┌──────── wait 50 ms, 100 ms, … 2 s ◄── not acknowledged, stream full or away
//	        ▼                                            │
//	made ─► ready ─► on its way ─────────────────────────┼─► acknowledged
//	        ▲                                            │
//	        └── cut (event, dead letter) ◄── refused for good ──► a reply becomes a dead letter
//
// Nothing waits for a sink that is away: each has its own queue, and while nothing gets through it
// is tried with one message at a time. Nothing is dropped: what is not done stays, and [Outbox.Add]
// takes no more than a bound, which leaves the rest in the journal. Doing a duty twice harms
// nobody, as identities are the same: the Nats-Msg-Id and the database's key are the ask's token or
// the run.
package outbox
