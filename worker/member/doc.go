// Package member is a worker's part in its fleet: what it reads from the journal, what it writes
// into it, and which other members live.
//
// A worker is one member after another: an incarnation begins with its first batch in the journal
// and ends with its seal. The fold and the reader continue from one incarnation to the next. The
// writer, the fence, and decisions that are not applied yet belong to one incarnation.
//
//	doors ──Ask──► writer ──batches──► JOURNAL ──► reader ──► fold ──changes──► flights (what a key's owner does)
//	                 ▲                                         │
//	                 ├── begins, answers, settled ◄── flights ◄┤
//	                 ├── told ◄── outbox ◄────────── duties ◄──┤ what this member owes
//	                 ├── beats while a call is under way       │
//	                 └── copies of the tail ◄──────────────────┘
//
//	live ──► sealed by others because it was silent ──► live under a new id, with all that is not journalled
//	  │
//	  └──► the log was replaced, or purged beyond the reader ──► the fold is dropped and built again
//
// One goroutine owns the fold: that of [flight.Loop]. Doors look up remembered answers under a lock
// that is held only briefly.
package member
