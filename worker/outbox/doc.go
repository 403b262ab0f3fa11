// Package outbox publishes what is owed because of the journal's entries, until it has arrived.
//
// An entry in the journal is a promise: a settled ask has a reply and a line, an answer has an
// event and a line, and a query that could not be answered has a dead letter. The package gets
// these duties, makes their messages, and publishes each until its stream has acknowledged it. It
// knows neither workers nor the fleet: the fold decides which duties there are, and which member
// has them.
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
// A sink that is unavailable does not hold up the others: each has its own queue, and while nothing
// gets through, one message at a time is tried. Nothing is dropped: an open duty stays, and
// [Outbox.Add] takes no more than its bound, which leaves the rest in the journal. Doing a duty
// twice is harmless, because the identities are the same: the Nats-Msg-Id and the database's key
// are the ask's token or the run.
package outbox
