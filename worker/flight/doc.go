// Package flight is what the owner of a key does: from the asks that wait for it in the fold to the
// answer in the journal.
//
// The fold ([fleet.State]) says what may be written about a key now, [Decide] and [After] what to
// do about it, [Flights] do it: they add entries to the batch that is being composed, and make the
// calls that a begin allows. They read no clock, start nothing and do no I/O, so that a simulation
// can drive them. A [Loop] is the one goroutine that owns them together with the fold, and those
// that wait for it: calls, turns at a partner's gate, reads of the log. A query and a result are
// bytes here.
//
// # A key
//
//	         somebody waits, the member owns it
//	absent ────────────► looked at ──► settled: an answer is remembered, a conflict, a deadline,
//	                      │   ▲  ▲              a partner that is held, too many are parked
//	                      │   │  └─── resting: another's run is open, a cut one's calls may go on,
//	                Queue ▼   │                the cool-down (of submitted asks)
//	                     queued, without a slot: for its partner's turn, then for a slot
//	                      │
//	                      ▼
//	                     a run
//
// What rests or is queued is looked at again when something of it has changed in the log, or when a
// time of it has come.
//
// # A run
//
//	begin in a batch
//	  │ acknowledged
//	  ▼
//	ready ◄───────────────── the fence had shut ─────────┐
//	  │ the log and the fence allow it                   │
//	  ├─────────────────────► calling ───────────────────┤
//	  │ all have left                                    ▼
//	  ▼                                                ended
//	released, where no call was sent,                    │ │ another attempt may mend it, somebody
//	or failed                                            │ │ waits, attempts and budget allow it
//	  │                                                  │ ▼
//	  └──► answer in a batch ◄───────────────────────────┘ waiting, without a slot, for the longer
//	         │ acknowledged                                of backoff and Retry-After
//	         ▼                                             │ turn and slot
//	       told                                            └──► begin n+1 in a batch
//
// # What holds
//
//   - No call without its begin, acknowledged. What came of attempt n stands in begin n+1, or in
//     the answer.
//   - A slot is taken with a begin and given back when its call has ended. Who waits for a
//     partner or between two attempts has none.
//   - A call belongs to the key: no asker's leaving ends it. But none begins for askers who have
//     all left.
//   - A failure keeps its key cool for Options.Cooldown, or for as long as the gateway asks, though
//     nobody waits any more.
//   - Deadlines are timers of their own, whatever the key's run does: an entry settles the ask
//     as soon as a batch can be composed.
//   - A member that is sealed goes on as another ([Flights.Rejoin]): the gateway's word on a
//     call that was under way is journalled while its run is open, anything else is left to the
//     next owner.
package flight
