// Reading an envelope: headers of a message from a door are an asker's; all others are the fleet's
// own.

package messages

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxHeader bounds one value. The longest value that the fleet writes is the subject by which a
// query came.
const maxHeader = 4 << 10 // bytes

// ParseEnvelope reads the envelope of a message that was found on a subject under the prefix.
// header is the message's header; a nats.Header is one. The error is an *Error with BadRequest and
// the header's name as its field (no name for the content type, for which DecodeQuery reports the
// same, and for the subject). It says that a header that is read was repeated, is too long or is
// invalid. The envelope then holds everything else, so that the message can still be refused or
// shown.
//
// In a message that came by a door, an invalid id or trace counts as absent.
func (n Names) ParseEnvelope(subject string, header map[string][]string, body []byte) (Envelope, error) {
	e := Envelope{Body: body}
	p := envelopeParser{header: header}
	switch door, partner, _ := n.takeApart(subject); {
	case door != "":
		e.Subject, e.Partner, e.Door = subject, partner, door
		e.ContentType = p.contentType()
		e.ID, e.Trace = UsableID(p.asked(HeaderMsgID)), UsableTrace(p.asked(Traceparent))
		e.Redriven, _ = natural(p.asked(HeaderRedriven))
	case below(subject, n.root):
		p.ours(&e)
	default:
		p.fail("", "it was found on a subject that is none of the workers'")
	}
	e.Asker = n.AskerOf(e.Subject)
	if p.fault != nil {
		return e, p.fault
	}
	return e, nil
}

// envelopeParser reads headers and keeps the first fault.
type envelopeParser struct {
	header map[string][]string
	fault  *Error
}

func (p *envelopeParser) fail(name, reason string) {
	if p.fault == nil {
		p.fault = &Error{Code: BadRequest, Field: name, Reason: reason}
	}
}

// fitsHeader reports whether a text can be the value of a header.
func fitsHeader(v string) bool {
	return utf8.ValidString(v) && !strings.ContainsFunc(v, unicode.IsControl)
}

// one is the value of a header, "" if there is none.
func (p *envelopeParser) one(name string) string {
	v := p.header[name]
	switch {
	case len(v) == 0:
		return ""
	case len(v) > 1:
		p.fail(name, "is given "+strconv.Itoa(len(v))+" times; give it once")
		return ""
	case len(v[0]) > maxHeader:
		p.fail(name, "is "+strconv.Itoa(len(v[0]))+" bytes long; at most "+strconv.Itoa(maxHeader))
		return ""
	}
	return v[0]
}

// asked is a header that an asker may have set to anything.
func (p *envelopeParser) asked(name string) string {
	if v := p.header[name]; len(v) > 0 && len(v[0]) <= maxHeader {
		return v[0]
	}
	return ""
}

// contentType is the content type if it names an encoding. A wrong one is returned as it is;
// DecodeQuery refuses it.
func (p *envelopeParser) contentType() string {
	v := p.one(HeaderContentType)
	if _, ok := ParseEncoding(v); !ok && v != "" {
		p.fail("", "Content-Type "+quoted(v)+" is unknown; send "+string(MsgPack)+" or "+string(JSON))
	}
	return v
}

// ours reads what the fleet itself wrote.
func (p *envelopeParser) ours(e *Envelope) {
	if len(p.header) == 0 {
		return
	}
	for _, t := range e.texts() {
		switch v := p.one(t.name); {
		case !fitsHeader(v):
			p.fail(t.name, "has a character that cannot be in a header")
		default:
			*t.value = v
		}
	}
	for _, n := range e.numbers() {
		v := p.one(n.name)
		number, ok := natural(v)
		if !ok && v != "" {
			p.fail(n.name, quoted(v)+" is no number from 0 on")
		}
		*n.value = number
	}
	if e.ContentType != "" {
		e.ContentType = p.contentType()
	}
	e.Trace = UsableTrace(e.Trace)
	if e.Token == "" {
		e.Token = e.MsgID
	}
	for _, f := range [...]struct {
		name  string
		value *string
		right bool
	}{
		{HeaderDoor, &e.Door, e.Door == "" || e.Door == DoorQuery || e.Door == DoorSubmit},
		{HeaderPartner, &e.Partner, badPartner(e.Partner) == ""},
		{HeaderID, &e.ID, UsableID(e.ID) == e.ID},
		{HeaderOutcome, (*string)(&e.Outcome), e.Outcome == "" || e.Outcome.Valid()},
		{HeaderServiceErrorCode, &e.ErrorCode, e.ErrorCode == "" || isDigits(e.ErrorCode)},
	} {
		if !f.right {
			p.fail(f.name, quoted(*f.value)+" is none")
			*f.value = ""
		}
	}
}

// natural reads decimal digits without a sign or a leading zero.
func natural(s string) (int64, bool) {
	if !isDigits(s) || s[0] == '0' && s != "0" {
		return 0, false
	}
	v, err := strconv.ParseInt(s, 10, 64)
	if err != nil { // more than 63 bits
		return 0, false
	}
	return v, true
}
