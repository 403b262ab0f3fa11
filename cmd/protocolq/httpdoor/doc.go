// What the HTTP door is, from a caller's request to its answer.

// Package httpdoor is the door for programs that do not speak NATS: they ask over HTTP, and the
// door asks the workers in the name of the asker whose token the request carries.
//
//	 POST /v1/queries                                   protocol.query.<partner>.<asker>
//	caller ─► token ─► rate ─► read and check ─► await ───────────────────────────────► workers
//	       ◄───────────── Result, or a problem ◄──────── answer, or the wait is over
//
// It decides nothing about a query: the workers do that (bounds of fields, deadlines, fairness,
// memory, masks). They know each HTTP asker by name, like any other.
package httpdoor
