// Package journal is the log of a fleet: what its members decide, in one order for all.
//
// A member is one incarnation of a worker. What it decides it writes as entries ([Entry]), many in
// a batch ([Batch]). Each batch is one message on the member's own subject, and all subjects are in
// one stream. Every member reads every batch in the stream's order and folds it into the same
// state. This package does not know what the state is: a query and a result are bytes. The life of
// a batch:
//
//	Append(ask) ─► queue ─┐
//	                      ├─► composed ─► sent ───────────────► acknowledged ─► Stored, done ─► the next one
//	Wake ─► Decide ───────┘   number n,    │ expecting the            ▲
//	                          read X       │ batch n-1 to be the      │ n is there
//	                                       │ member's last            │
//	                                       └─ refused, or nothing ─► the last batch, read at the leader
//	                                          for 500 ms              │      ▲
//	                                                                  │ n-1  └── not known yet: read again
//	                                                                  ├─► the same batch again
//	                                                                  │ a seal
//	                                                                  ├─► ErrSealed: the member ends
//	                                                                  │ older, or none, for 12 s
//	                                                                  └─► ErrRewound: the log was replaced
//
//	stream   … │ m7 41 │ m2 9 │ m7 42 │ m2 sealed by m7 │ m9 1 │ …   one order, one cursor for each [Reader]
//
// Invariants:
//
//   - A member has one batch on its way at a time. An entry that comes alone is sent at once;
//     entries that come meanwhile form the next batch.
//   - Decisions are made when a batch is composed ([WriterOptions.Decide]), never before. The head
//     says which position had been applied then. A member that joined after that position sees
//     from it whether a decision about its keys may still be on its way.
//   - The member's lease counts from the first sending of a batch ([Written.FirstSent]), however
//     often it is sent again.
//   - A seal is the member's last batch. Another member may write it ([SealOther]) after the last
//     batch that it has read. If that fails, the member has written meanwhile and is live. If it
//     succeeds, nothing from that member is ever stored again.
//   - A reader closes a gap with the messages themselves, or with a reply that gives a later
//     message as the next one. A reply that a message does not exist proves nothing: the server
//     that replies may be behind.
//
// A batch may be corrupt: that raises an alarm and seals its writer there ([ErrCorrupt]). A batch
// may come from a newer worker: entries from kind 128 on, and fields at the end, are skipped. If a
// reader does not understand anything else, it leaves the fleet ([ErrNewer]).
//
// The log is on NATS ([JetStream]) or, in tests, in memory (package journaltest).
package journal
