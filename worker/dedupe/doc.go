// Package dedupe runs one piece of work per key, across processes, and tells
// everybody who asked what came of it.
//
// It is singleflight with a memory and with fencing. One record per key lives
// in a [Store] that can compare and swap; the record's sequence number is the
// fencing token. Every process hears every change of every record (see
// [Group.Observe]) and keeps the newest in a bounded local memory.
//
// A key's life:
//
//		absent ──► running ──► done ──(its time ends)──► absent
//		             │  ▲ ▲
//		             │  │ └── released ◄── running   the holder gave the key back: free at once
//		             ▼  │
//		           suspect ──► done                 the holder was silent for a whole lease
//
//	  - running: a holder has claimed the key and works. It renews the claim
//	    before each further attempt and stores the answer over it.
//	  - suspect: another process watched one and the same revision for a whole
//	    lease on its own monotonic clock. For the grace time the true holder may
//	    still store; then the key is taken over.
//	  - released: nothing is known to have happened since the claim; claimed anew
//	    without any wait.
//	  - done: an answer, served to whoever asks until its time ends.
//
// The answer before the last (prev) rides along through a refresh, so that whoever accepts
// its age is answered at once, and a refresh that fails loses nothing.
//
// What remains open is what no store can know: a holder that died between its
// claim and its store may or may not have acted. [Options.AfterCrash] decides
// whether the work is run again or the askers are told that the outcome is
// unknown.
package dedupe
