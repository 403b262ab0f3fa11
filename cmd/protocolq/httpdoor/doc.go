// What the HTTP door is, from a caller's request to its answer.

// Package httpdoor is the door for programs that do not speak NATS: they ask over HTTP, and the
// door asks the workers as the asker whose token the request carries.
//
//	 POST /v1/queries                                   protocol.query.<partner>.<asker>
//	caller ─► token ─► rate ─► read and check ─► await ───────────────────────────────► workers
//	       ◄───────────── Result, or a problem ◄──────── answer, or the wait is over
//
// It decides nothing about a query: bounds of fields, deadlines, fairness, memory and masks are the
// workers', who know each HTTP asker by name as they know any other.
package httpdoor
