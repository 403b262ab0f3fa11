// Package messages defines the messages on NATS: a Query comes in, one Result goes out. README.md
// beside it is the contract for askers in any language.
//
// A "protocol" (协议) is what the gateway calls a signed agreement: the account's holder lets a
// partner debit the account (charge_agent) and refund to it (refund_charge). A Query asks whether
// there is such an agreement, a Result says what the gateway answered. The package knows neither
// the gateway nor NATS itself.
//
// # On the wire
//
// Both messages are a flat map with names as keys, in MessagePack or in JSON. The Content-Type
// header says which; without it the first byte does. The answer comes in the encoding of the
// question. Rules for writers in any language: text is a str (never bin), numbers are integers (or
// floats without a fraction), times are unix milliseconds, a field without a value is left out (or
// nil), no extension types, fields are only ever added.
//
// A Query:
//
//	{"v":1, "id":"order-17", "partner":"2088001122334455", "user_email":"zhang@example.com", "account_no":"20881234567890123456"}
//
// Its Result:
//
//	{"v":1, "id":"order-17", "outcome":"signed", "charge_agent":true, "refund_charge":false, "source":"asked", "attempts":1, "retryable":false, …}
//
// # Reading
//
// A message from outside is walked without recursion before anything of it is kept: at most 64 KiB,
// 8 levels, 64 names in a map, no name twice, no byte after the end, valid UTF-8. Then each field
// is checked. Every refusal is an *Error that names the field and says what to do.
package messages
