// Package fleet folds the journal into what all members of a fleet agree on, and decides from it
// who may do what.
//
// # The fold
//
// The log is one order of batches. [State.Apply] takes one after the other and gives a state that
// is the same for everybody who has applied as many: who is a member, which asks wait, which run of
// each key is open, what is remembered, what is owed. Nothing else is ever asked of another member.
// Clocks enter as arguments and touch only what is each observer's own: when an ask is due, an
// answer expires, a dead member's calls have surely ended.
//
// A member's decisions are functions of its state ([State.Turn], [State.Owes], [State.Purge],
// [State.Carry]). They are taken while the batch is composed that they go into ([Own.Draft]) and
// count from then on for the member itself ([Own.Touches]), for others from where the batch lies in
// the log.
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
//	       ▲                                 └─(no attempt left, or not to be run again)─ answer: crashed
//	       └──── failed ◄── running
//
// An ask is waiting, settled (by an answer, or by the owner's settled entry), and told; then it is
// forgotten. The token of one that may be delivered again stays known.
//
// # Two members never both begin a key
//
// Say A decides its begin at position p1 and it is stored at q1, B decides at p2 and it is stored
// at q2 behind q1, both are first begins, and B has not read A's: p2 < q1. If p1 ≤ p2, A is live at
// p2, as it stores something later; A ranks highest at p1 and B at p2, so B joined in between. B is
// complete, so a head of A at or before p2 says that A had read B's join, which lies behind p1.
// That head is older than A's begin, so the begin was decided later still: its p1 lies behind the
// join. A contradiction. If p2 < p1, the same holds with the names changed. It takes: an order of
// any two members for each key that no third one changes; heads that never claim to have read more
// than what any decision still to be stored was based on; nothing stored after a seal. The same
// argument orders the copies that owners write of a key's entries.
//
// # Who dies, what is lost
//
//	a door before its ask is acknowledged     an asker who waits asks again; what was submitted is delivered again
//	anybody between ask and begin             the owner begins: no call more than without the death
//	the owner between begin and answer        one more attempt once lease and grace have passed, or crashed
//	the owner after the answer                the key's next owner tells what is not told
//	an acknowledgement                        the batch is found in the log by its member and number
//	an owner that stands still or is cut off  its calls begin no more before its lease ends; it is sealed; on waking it joins as
//	                                          another, and its answer counts while its run is open
//	two that seal, a sealer, a joiner         whatever the log says happened
//	the servers, or their leader              nobody is suspected: silence counts only while the own batches are acknowledged
//	all members                               the first that comes replays the log, seals those before it, and owns all keys
//	the log's tail                            it is purged only where the fold of what is left equals the fold of all
//
// What stays: a member that stands still between the fence and the first byte of its call may call
// while the next one does.
package fleet
