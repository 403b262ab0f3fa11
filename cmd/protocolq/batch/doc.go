// Package batch asks a file of questions, one on each line, and gives one answer for each.
//
//	file ─► Reader ─► known by the State? ── yes ──────────────────────────────► Printer ─► stdout
//	                    │ no                                                        ▲
//	                    ▼                                                           │ in order, or as it comes
//	                  window ─► State: asked, on disk ─► ask ─► State: answered, on disk
//
// At most Options.Window lines are on their way at once. A line that cannot be asked gets its
// refusal as the answer, and the others go on. If an answer was lost with the process, a later run
// with the same state does not ask that line again, unless Options.AskAgain says so: a submitted
// question would be answered twice.
//
// The package does not know NATS: Options.Ask asks by the door that the caller uses.
package batch
