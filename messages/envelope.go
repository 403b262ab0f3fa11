// Envelope: what a message says outside its body, in its subject and its headers.

package messages

import "strconv"

// Envelope is everything that a message on NATS says outside its body. ParseEnvelope reads one,
// Header writes one. A field with its zero value is absent and has no header.
//
//	came by a door (query, submit): subject ──► Door, Partner, Asker
//	                                headers ──► ContentType, ID, Trace, Redriven
//	written by the fleet:           headers ──► every field
//
// The headers of a message that came by a door are from its asker, who may put anything there. Only
// those that an asker may set are read. The reply subject of NATS itself is not a header; the door
// puts it into ReplyTo.
type Envelope struct {
	// Subject is where the asker sent the query.
	Subject string
	// Door is DoorQuery or DoorSubmit.
	Door string
	// Partner is the partner in the subject, or in the header. It is used for a query without a
	// partner.
	Partner string
	// Asker is the token after the partner in Subject, present if permissions distinguish askers.
	Asker string

	// ContentType is the body's, as it was spelled; "" if the first byte decides.
	ContentType string
	// ID is the asker's, at most 128 characters. It is used for a query without an id.
	ID string
	// ReplyTo is where the answer goes; CheckReply decides whether it may.
	ReplyTo string
	// Trace is a W3C traceparent.
	Trace string

	// MsgID is the identity of the message in its stream, which drops a second one.
	MsgID string
	// Token is the identity of the ask.
	Token string
	// StoredMs is when the ask was stored, unix milliseconds.
	StoredMs int64
	// Tries is how many times the ask was tried.
	Tries int64
	// Redriven is how many times a dead letter was sent again.
	Redriven int64
	// LastCode is the code of the last try.
	LastCode string
	// Why is the reason for a dead letter, in words.
	Why string
	// BodySum is the SHA-256 sum of the whole body in hex, for a dead letter that holds only a part of
	// it.
	BodySum string

	// Run is the run that answered.
	Run string
	// Outcome is the outcome of the run.
	Outcome Outcome
	// ErrorCode and ErrorMessage are from a NATS service's error reply; the code is digits.
	ErrorCode    string
	ErrorMessage string

	Body []byte
}

// Query decodes the body by ContentType, or else by its first byte. See DecodeQuery.
func (e *Envelope) Query() (Query, Encoding, error) { return DecodeQuery(e.Body, e.ContentType) }

// texts are the fields that are headers without conversion. Token is left out if it is the
// message's own identity.
func (e *Envelope) texts() [16]text {
	return [...]text{
		{HeaderContentType, &e.ContentType}, {HeaderMsgID, &e.MsgID}, {HeaderToken, &e.Token},
		{HeaderReplyTo, &e.ReplyTo}, {HeaderSubject, &e.Subject}, {HeaderID, &e.ID},
		{HeaderPartner, &e.Partner}, {HeaderDoor, &e.Door}, {Traceparent, &e.Trace},
		{HeaderLastCode, &e.LastCode}, {HeaderReason, &e.Why}, {HeaderBodySum, &e.BodySum}, {HeaderRun, &e.Run},
		{HeaderOutcome, (*string)(&e.Outcome)}, {HeaderServiceErrorCode, &e.ErrorCode},
		{HeaderServiceError, &e.ErrorMessage},
	}
}

// numbers are the fields that are headers in decimal digits.
func (e *Envelope) numbers() [3]number {
	return [...]number{
		{HeaderStored, &e.StoredMs}, {HeaderTries, &e.Tries}, {HeaderRedriven, &e.Redriven},
	}
}

type text struct {
	name  string
	value *string
}

type number struct {
	name  string
	value *int64
}

// Header writes the headers, or returns nil if there is nothing to say, as each header costs the
// server and every reader time. Asker is the end of Subject and has no header.
func (e *Envelope) Header() map[string][]string {
	var h map[string][]string
	add := func(name, value string) {
		if h == nil {
			h = map[string][]string{}
		}
		h[name] = []string{value}
	}
	for _, t := range e.texts() {
		if *t.value != "" && (t.name != HeaderToken || e.Token != e.MsgID) {
			add(t.name, *t.value)
		}
	}
	for _, n := range e.numbers() {
		if *n.value > 0 {
			add(n.name, strconv.FormatInt(*n.value, 10))
		}
	}
	return h
}

// UsableID returns an id from a header if a Query may have it, else "": the id goes into the query
// that is stored, which every worker must be able to read again.
func UsableID(id string) string {
	if badID(id) != "" {
		return ""
	}
	return id
}

// UsableTrace returns a trace context if its form is valid, else "": two hex digits, 32, 16 and 2,
// joined by dashes.
func UsableTrace(v string) string {
	if len(v) != 55 {
		return ""
	}
	for i := range len(v) {
		c := v[i]
		dash := i == 2 || i == 35 || i == 52
		if dash != (c == '-') || !dash && (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return ""
		}
	}
	return v
}
