// Every header name we put on a NATS message or read from one. NATS compares them letter by letter.

package messages

// Headers of our own: what the front door stores with a request (of many in one message it stands in that) and what tells readers of a reply, an event or a dead letter about it.
const (
	HeaderReplyTo = "Protocol-Reply-To" // the checked reply subject of a stored request
	HeaderID      = "Protocol-Id"       // the asker's id
	HeaderPartner = "Protocol-Partner"  // 16 digits
	HeaderDoor    = "Protocol-Door"     // by which door it came in: DoorQuery or DoorSubmit; not in a stored request, whose subject says it
	HeaderSubject = "Protocol-Subject"  // the subject it came in on
	HeaderToken   = "Protocol-Token"    // the ask token, where it is not the message's own id
	HeaderRun     = "Protocol-Run"      // the run that answered: of a durable reply, an event
	HeaderOutcome = "Protocol-Outcome"  // of a durable reply, a JSON reply or an event
	HeaderReason  = "Protocol-Reason"   // why a dead letter is dead
	HeaderStored  = "Protocol-Stored"   // when it was first stored, unix milliseconds, if that was in another message

	HeaderNotBefore = "Protocol-Not-Before" // of a waiting query: when it is asked again, unix milliseconds
	HeaderTries     = "Protocol-Tries"      // how often it was tried
	HeaderLastCode  = "Protocol-Last-Code"  // what came of it last
	HeaderRedriven  = "Protocol-Redriven"   // how often a dead letter was sent again
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
