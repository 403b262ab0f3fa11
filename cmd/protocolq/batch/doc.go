// Package batch asks a file of questions, one a line, and says one answer for each.
//
//	file ─► Reader ─► known by the State? ── yes ──────────────────────────────► Printer ─► stdout
//	                    │ no                                                        ▲
//	                    ▼                                                           │ in order, or as it comes
//	                  window ─► State: asked, on disk ─► ask ─► State: answered, on disk
//
// At most Options.Window lines are on their way at once. A line that cannot be asked is answered by
// its refusal and stops nothing. A line whose answer was lost with the process is not asked again
// by a later run with the same state, unless Options.AskAgain says so: who submits would be
// answered twice.
//
// The package knows no NATS: Options.Ask is whichever door the caller stands at.
package batch
