// Package journal is the log of a fleet: what its members decide, in one order for all.
//
// A member is one incarnation of a worker. What it decides it writes as entries ([Entry]), many in
// a batch ([Batch]), each batch one message on the member's own subject of one stream. Everybody
// reads every batch in the stream's order and folds it into the same state; what is folded, and
// how, is not known here: a query and a result are bytes. The life of a batch:
//
//	Append(ask) ─► queue ─┐
//	                      ├─► composed ─► sent ───────────────► acknowledged ─► Stored, done ─► the next one
//	Wake ─► Decide ───────┘   number n,    │ expecting the            ▲
//	                          read X       │ batch n-1 to be the      │ n is there
//	                                       │ member's last            │
//	                                       └─ refused, or nothing ─► the last batch, read at the leader
//	                                          heard for 500 ms        │      ▲
//	                                                                  │ n-1  └── not known yet: read again
//	                                                                  ├─► the same batch again
//	                                                                  │ a seal
//	                                                                  ├─► ErrSealed: the member is over
//	                                                                  │ older, or none, for 12 s
//	                                                                  └─► ErrRewound: the log is another
//
//	stream   … │ m7 41 │ m2 9 │ m7 42 │ m2 sealed by m7 │ m9 1 │ …   one order, one cursor for each [Reader]
//
// What holds of it:
//
//   - One batch is on its way at a time. An entry that comes alone is sent at once; what comes
//     meanwhile is the next batch.
//   - Decisions are made when a batch is composed ([WriterOptions.Decide]), never before: the head
//     says which position had been applied then, and whoever joined after that knows by it whether
//     a decision about its keys may still be on its way.
//   - The member's lease counts from a batch's first sending ([Written.FirstSent]), however often
//     it was sent again.
//   - A seal is the member's last batch. Another may write it ([SealOther]) over the last batch
//     that it has read: either the member has written meanwhile and lives, or nothing of it is ever
//     stored again.
//   - A reader closes a gap by the messages themselves, or by an answer that gives a later one from
//     there on. That nobody has what is missing proves nothing: who answers may be behind.
//
// What is read may be corrupt, which is an alarm and seals its writer there ([ErrCorrupt]), or of a
// newer worker: entries from kind 128 on are passed over, as are fields at the end; of anything
// else this reader does not know the meaning, and leaves ([ErrNewer]).
//
// The log lies on NATS ([JetStream]) or, in tests, in memory (package journaltest).
package journal
