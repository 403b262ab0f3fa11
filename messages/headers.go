// Every header name on NATS messages that we write or read. NATS compares names letter by letter.

package messages

// Our own headers: what a dead letter says about its ask, what is sent along when it is asked
// again, and what tells readers about a reply or an event.
const (
	HeaderReplyTo = "Protocol-Reply-To"    // where the answer goes: in a dead letter, and when it is asked again
	HeaderID      = "Protocol-Id"          // the asker's id
	HeaderPartner = "Protocol-Partner"     // 16 digits
	HeaderDoor    = "Protocol-Door"        // by which door it came: DoorQuery or DoorSubmit
	HeaderSubject = "Protocol-Subject"     // the subject by which it came
	HeaderToken   = "Protocol-Token"       // the ask token, if it is not the message's own id
	HeaderRun     = "Protocol-Run"         // the run that answered: in a durable reply, an event
	HeaderOutcome = "Protocol-Outcome"     // in a durable reply, a JSON reply or an event
	HeaderReason  = "Protocol-Reason"      // the reason for a dead letter
	HeaderBodySum = "Protocol-Body-Sha256" // of the whole body, in hex, if a dead letter holds only a part of it
	HeaderStored  = "Protocol-Stored"      // when the ask was stored, unix milliseconds

	HeaderTries    = "Protocol-Tries"     // how many times it was tried
	HeaderLastCode = "Protocol-Last-Code" // code of the last try
	HeaderRedriven = "Protocol-Redriven"  // how many times a dead letter was sent again
)

// Values of HeaderDoor.
const (
	DoorQuery  = "query"
	DoorSubmit = "submit"
)

// Headers that others have defined.
const (
	HeaderContentType      = "Content-Type"
	HeaderMsgID            = "Nats-Msg-Id"
	HeaderServiceError     = "Nats-Service-Error"      // NATS services: the message of an error reply
	HeaderServiceErrorCode = "Nats-Service-Error-Code" // NATS services: its code
	Traceparent            = "traceparent"             // W3C trace context, carried through
)
