// Package flight is what the owner of a key does, from the asks that wait in the fold to the answer
// in the journal.
//
// The fold ([fleet.State]) says what may be written about a key now. [Decide] and [After] say what
// to do about it. [Flights] does it: it adds entries to the batch that is being composed, and makes
// the calls that a begin allows. It reads no clock, starts nothing and does no I/O, so that a
// simulation can drive it. A [Loop] is the one goroutine that owns it together with the fold.
// Calls, turns at a partner's gate and reads of the log run in other goroutines and report to it. A
// query and a result are bytes here.
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
// A key that rests or is queued is looked at again when something about it has changed in the log,
// or when one of its timers is due.
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
//	released, where no call was sent,                    │ │ another attempt may help, somebody
//	or failed                                            │ │ waits, attempts and budget allow it
//	  │                                                  │ ▼
//	  └──► answer in a batch ◄───────────────────────────┘ waiting, without a slot, for the longer
//	         │ acknowledged                                of backoff and Retry-After
//	         ▼                                             │ turn and slot
//	       told                                            └──► begin n+1 in a batch
//
// # Invariants
//
//   - No call is made before its begin is acknowledged. The outcome of attempt n is in begin n+1,
//     or in the answer.
//   - A slot is taken with a begin and given back when its call has ended. A run that waits for its
//     partner or between two attempts has no slot.
//   - While submitted asks use a partner's concurrency up, one turn is kept for askers that await
//     their reply (keeps): such an asker waits for no call of theirs, if one came lately.
//   - A call belongs to the key: it goes on when an asker leaves. But no call begins once all
//     askers have left.
//   - After a failure the key cools down for Options.Cooldown, or for as long as the gateway asks,
//     even if nobody waits any more.
//   - Deadlines have their own timers, independent of the key's run: an entry settles the ask as
//     soon as a batch can be composed.
//   - A sealed member goes on as a new one ([Flights.Rejoin]). The gateway's answer to a call that
//     was under way is journalled while its run is open; everything else is left to the next
//     owner.
package flight
