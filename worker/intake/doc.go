// Package intake is the two doors of a worker. Each query comes in here and is written into the
// journal, or is replied to at once if it needs no entry.
//
//	asker awaits                                    asker goes, operator
//	protocol.query[.<partner>[.<asker>]]            protocol.submit[.<partner>[.<asker>]]
//	     │ NATS service                             protocol.redrive.<partner>  protocol.forget
//	     ▼                                               │ stream SUBMITTED, pull
//	decode ──── wrong ────► reply, or dead letter        ▼
//	     │                        ▲      └──── wrong ──── decode ── journalled already ──► ack
//	     ▼                        │                      │
//	remembered? ──► reply         │                      │
//	     │ no                     │                      │
//	     ▼                        │                      ▼
//	pending ── no room ──► reply OVERLOADED         pending ── no room ──► nothing more is pulled
//	     │                        ▲                      │
//	     ▼                        │                      │
//	its asker's turn              │                      │
//	     │                        │                      │
//	     ▼                        │                      ▼
//	Journal.Ask ── not taken ─────┤                 Journal.Ask ── not taken ──► tried again
//	     │                        │                      │
//	     ├── away until its time is over                 ├── never stored ──► comes again
//	     ▼                                               ▼
//	stored: `accepted`, where the reply             stored: ack
//	goes elsewhere; else nothing
//
// The reply to a journalled ask is never sent here: the owner of its key owes it. A submitted query
// is acknowledged when it is in the journal, or when its refusal is stored; until then it is
// redelivered, so that a full stream of dead letters loses nothing. A query that comes by the query
// door is stored nowhere until it is in the journal: its asker may send it again.
//
// While the stream of durable replies is more than half full, an asker whose own take more than an
// eighth of it is not let in: an asker that waits is answered OVERLOADED, and submitted queries
// stay in their stream.
//
// While operators have paused the intake ([Pause]), nothing new is journalled: an asker that waits
// is answered PAUSED, unless the answer is remembered, and submitted queries stay in their stream.
//
// An ask has three identities. Its token is that of its arrival: a message that the stream delivers
// twice is one ask. Its idempotency key says what is asked once; if the subject names the asker, a
// given key is that asker's own. Its id, together with the asker, recalls a final answer.
package intake
