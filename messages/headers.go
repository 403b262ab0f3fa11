// Every header name we put on a NATS message or read from one. NATS compares them letter by letter.

package messages

// Headers of our own: what a dead letter says of its ask, what goes with it when it is asked again,
// and what tells readers of a reply or an event about it.
const (
	HeaderReplyTo = "Protocol-Reply-To"    // where the answer goes: of a dead letter, and of what is asked again
	HeaderID      = "Protocol-Id"          // the asker's id
	HeaderPartner = "Protocol-Partner"     // 16 digits
	HeaderDoor    = "Protocol-Door"        // by which door it came in: DoorQuery or DoorSubmit
	HeaderSubject = "Protocol-Subject"     // the subject it came in on
	HeaderToken   = "Protocol-Token"       // the ask token, where it is not the message's own id
	HeaderRun     = "Protocol-Run"         // the run that answered: of a durable reply, an event
	HeaderOutcome = "Protocol-Outcome"     // of a durable reply, a JSON reply or an event
	HeaderReason  = "Protocol-Reason"      // why a dead letter is dead
	HeaderBodySum = "Protocol-Body-Sha256" // of the whole body, in hex, where a dead letter holds a part of it
	HeaderStored  = "Protocol-Stored"      // when the ask was stored, unix milliseconds

	HeaderTries    = "Protocol-Tries"     // how often it was tried
	HeaderLastCode = "Protocol-Last-Code" // what came of it last
	HeaderRedriven = "Protocol-Redriven"  // how often a dead letter was sent again
)

// Values of HeaderDoor.
const (
	DoorQuery  = "query"
	DoorSubmit = "submit"
)

// Headers that others defined.
const (
	HeaderContentType      = "Content-Type"
	HeaderMsgID            = "Nats-Msg-Id"
	HeaderServiceError     = "Nats-Service-Error"      // NATS services: the message of an error reply
	HeaderServiceErrorCode = "Nats-Service-Error-Code" // NATS services: its code
	Traceparent            = "traceparent"             // W3C trace context, carried through
)
