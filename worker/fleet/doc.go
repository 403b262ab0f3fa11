// Package fleet folds the journal into the state that all members of a fleet agree on, and decides
// from it who may do what.
//
// # The fold
//
// The log is one order of batches. [State.Apply] applies one after the other. The state is the same
// for all members that have applied the same number: who is a member, which asks wait, which run of
// each key is open, what is remembered, what is owed. Members need nothing else from each other.
// Times are arguments. They affect only what each observer decides for itself: when an ask is due,
// when an answer expires, when the calls of a dead member have surely ended.
//
// A member's decisions are functions of its state ([State.Turn], [State.Owes], [State.Purge],
// [State.Carry]). They are made while the batch is composed that will hold them ([Own.Draft]). From
// then on they count for the member itself ([Own.Touches]); for others they count from the batch's
// position in the log.
//
// # A key's life
//
//	        ask               begin                 answer
//	absent ─────► waiting ───────────► running ───────────────► remembered ──(its time)──► absent
//	                 ▲  ▲                │   │                      │ serves later asks by a
//	                 │  │  released      │   │ its writer is sealed │ settled entry
//	                 │  └────────────────┘   ▼                      │
//	                 │                      cut ◄─ a late answer still counts
//	                 │                       │
//	   cool-down ────┘                       ├─(lease and grace)─ a begin that follows it: running
//	       ▲                                 └─(no attempt left, not to be run again, nobody waits)─ answer: crashed
//	       └──── failed ◄── running
//
// An ask is waiting, then settled (by an answer, or by the owner's settled entry), then told, then
// forgotten. If it may be delivered again, its token stays known.
//
// While a run is open, its question is the key's, even if an ask with another question is before it
// in the log: the run's member had not read that ask yet. Asks with another question conflict.
//
// # Two members never both begin a key
//
// Suppose that A decides its begin at position p1 and it is stored at q1, B decides at p2 and it is
// stored at q2 after q1, both are first begins, and B has not read A's: p2 < q1.
//
// If p1 ≤ p2, A is live at p2, because it stores something later. A ranks highest at p1 and B at
// p2, so B joined in between. B is complete, so a head of A at or before p2 says that A had read
// B's join, which is after p1. That head is older than A's begin, so the begin was decided later
// still: p1 is after the join. This is a contradiction. If p2 < p1, the same argument applies with
// the names exchanged.
//
// The proof needs three things. The order of two members for a key does not depend on a third
// member. A head never claims to have read more than every decision still to be stored was based
// on. Nothing is stored after a seal. The same argument orders the copies that owners write of a
// key's entries.
//
// # What dies, and what is lost
//
//	a door before its ask is acknowledged     the asker asks again; a submitted query is redelivered
//	any member between ask and begin          the owner begins; the death costs no extra call
//	the owner between begin and answer        one more attempt after lease and grace, or CRASHED
//	the owner after the answer                the key's next owner publishes what is not told
//	an acknowledgement                        the batch is found in the log by its member and number
//	an owner that freezes or is cut off       it begins no call near the end of its lease; it is
//	                                          sealed; on waking it joins as a new member, and its
//	                                          late answer counts while its run is open
//	two sealers, a sealer, a joiner           the log says what happened
//	the servers, or their leader              no member is suspected: silence counts only while the
//	                                          member's own batches are acknowledged
//	all members                               the first to come replays the log, seals those before
//	                                          it, and owns all keys
//	the log's tail                            it is purged only if the fold of the rest equals the
//	                                          fold of everything
//
// One gap remains: a member that freezes between the fence and the first byte of its call may call
// while the next owner does.
package fleet
