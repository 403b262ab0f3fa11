// The page to read first: what happens to a query, and in which packages.

// Package worker answers queries: it is the one place where messages meet the gateway.
//
//	 nc.Request                                     js.Publish
//	asker ─► protocol.query ─► intake             asker ─► protocol.submit ─► SUBMITTED ─► intake
//	                            │ remembered? reply                                        │
//	                            ▼                                                          ▼
//	                  member ─► JOURNAL: ask, begin, answer, settled, told, in one order for all
//	                            │ every member reads it and folds it into the same state
//	                            ▼
//	                          flight: the key's owner begins a run ─► call ─► gateway ─► "answer" in the journal
//	                            │
//	                            ▼
//	                          outbox: reply · event · lines of the query log · dead letter ─► "told" in the journal
//
// An ask is one type from door to reply, [journal.Ask]. A door (package intake) reads a message and
// refuses it, replies from memory, or writes it into the journal. Every member of the fleet
// (package member) reads the journal and so knows the same: who asks for which key, which run is
// open, what is remembered (package fleet). The key's owner decides what happens to it (package
// flight) and asks the gateway once (call.go), when the partner's limits allow it (turns.go).
// Replies, events, lines and dead letters are owed because of an entry; each is published until its
// stream has it (package outbox).
//
// No answer is given before it is in the journal, and every answer in the journal is given,
// whichever worker dies. worker/README.md says what may die when, and what is lost then.
package worker

import (
	"context"

	"protocolq/worker/intake"
	"protocolq/worker/journal"
	"protocolq/worker/member"
)

// component is one part that runs for as long as the worker does. Its error ends the worker.
type component struct {
	name string
	run  func(context.Context) error
}

// components are all parts, in the order in which a query meets them.
func (w *Worker) components() []component {
	return []component{
		{"doors", w.doors.Run},                // queries are refused, answered from memory, or journalled
		{"intake record", w.pause.Run},        // whether operators have paused the intake
		{"member of the fleet", w.member.Run}, // the journal, its fold, and the decisions of a key's owner
		// replies, events, lines and dead letters, until their streams have them
		{"outbox", w.outbox.Run},
		{"query log", w.lines.Run},            // lines into their stream
		{"partner gate", w.gate.Run},          // rates, concurrency and halts, shared by the fleet
		{"publisher", forever(w.streams.Run)}, // acknowledgements of streams, on the main connection
		{"replies", forever(w.replies.Run)},   // acknowledgements of durable replies, on the connection for replies
		{"connections", w.awaitClosed},        // without connections nothing can be sent
	}
}

// forever is a part whose end is not an error.
func forever(run func(context.Context)) func(context.Context) error {
	return func(ctx context.Context) error { run(ctx); return nil }
}

// remembered is what the doors know of the fleet's memory.
type remembered struct{ *member.Member }

// Remembered implements [intake.Memory].
func (r remembered) Remembered(a *journal.Ask) (intake.Kept, bool) {
	k, ok := r.Member.Remembered(a)
	return intake.Kept{Answer: k.Answer, At: k.At}, ok
}
