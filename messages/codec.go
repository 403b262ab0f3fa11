// Bytes to messages, and back.

package messages

import (
	"bytes"
	"encoding/json"
	"fmt"
	"sync"
	"unicode/utf8"

	"github.com/vmihailenco/msgpack/v5"
)

// DecodeQuery reads a Query. contentType is the Content-Type header, "" if there is none. The
// encoding is the one to answer in, and is also returned with an error. The error is an *Error: the
// bytes, a field's kind or its value are wrong. Then the Query holds only fields that say where the
// refusal belongs and whom it is about (ID, Key, Partner, ReplyTo, UserEmail, AccountNo), if they
// are valid by themselves. v is 1 if it was absent, and user_email has no spaces around it.
func DecodeQuery(data []byte, contentType string) (Query, Encoding, error) {
	m := newMessage()
	defer m.free()
	readMessage(m, data, contentType)
	q := m.query()
	if q.V > Version { // any other unknown content is a consequence of that
		m.fault = q.badVersion()
	}
	if m.fault == nil {
		m.fault = q.check()
	}
	if m.fault != nil {
		q = q.legible()
		m.fault.address(q)
		return q, m.encoding, m.fault
	}
	return q, m.encoding, nil
}

// DecodeResult reads a Result, as DecodeQuery reads a Query, but skips unknown names.
func DecodeResult(data []byte, contentType string) (Result, Encoding, error) {
	m := newMessage()
	defer m.free()
	readMessage(m, data, contentType)
	r := m.result()
	if m.fault == nil {
		m.fault = r.check()
	}
	if m.fault != nil {
		if badID(r.ID) == "" {
			m.fault.ID = r.ID
		}
		return Result{}, m.encoding, m.fault
	}
	return r, m.encoding, nil
}

func (r *Result) check() *Error {
	switch {
	case r.V != Version:
		return bad("v", fmt.Sprintf("is %d; this program speaks version %d", r.V, Version))
	case r.Outcome == "":
		return bad("outcome", "is missing")
	case !r.Outcome.Valid():
		return bad("outcome", quoted(string(r.Outcome))+" is unknown")
	case r.Source != "" && !r.Source.Valid():
		return bad("source", quoted(string(r.Source))+" is unknown")
	case r.Verified != "" && r.Verified != VerifiedSign && r.Verified != UnsignedAnswer:
		return bad("verified", quoted(r.Verified)+" is unknown")
	}
	return nil
}

// Encode writes a Query, with v filled in. It fails only for what no reader would accept: an
// unknown encoding, text that is not UTF-8, more than 64 KiB. Check says whether the fields are
// valid.
func (q Query) Encode(e Encoding) ([]byte, error) {
	q.V = Version
	err := checkTexts(q.Meta, q.ID, q.Key, q.Partner, q.UserEmail, q.AccountNo, q.BizType, q.ReplyTo)
	if err != nil {
		return nil, fmt.Errorf("encode query: %w", err)
	}
	if e == MsgPack {
		return encodeMsgPack(func(enc *msgpack.Encoder) error { return q.EncodeMsgpack(enc) })
	}
	return encode(e, q)
}

// Encode writes a Result, with v filled in. It fails in the same cases as Query.Encode.
func (r Result) Encode(e Encoding) ([]byte, error) {
	r.V = Version
	err := checkTexts(r.Meta, r.ID, r.Key, r.Partner, r.Run, r.Question, string(r.Outcome), r.UserID, r.IsSuccess,
		r.Code, r.Message, string(r.Source), r.Verified)
	if err != nil {
		return nil, fmt.Errorf("encode result: %w", err)
	}
	if e == MsgPack {
		return encodeMsgPack(func(enc *msgpack.Encoder) error { return r.EncodeMsgpack(enc) })
	}
	return encode(e, r)
}

func checkTexts(meta map[string]string, texts ...string) error {
	for _, t := range texts {
		if !utf8.ValidString(t) {
			return fmt.Errorf("%s is not valid UTF-8", quoted(t))
		}
	}
	for name, t := range meta {
		if !utf8.ValidString(name) || !utf8.ValidString(t) {
			return fmt.Errorf("meta %s is not valid UTF-8", quoted(name))
		}
	}
	return nil
}

// encode writes encodings other than MessagePack.
func encode(e Encoding, from any) ([]byte, error) {
	if e != JSON {
		return nil, fmt.Errorf("encoding %s is unknown", quoted(string(e)))
	}
	data, err := encodeJSON(from)
	if err != nil {
		return nil, err
	}
	return bounded(data)
}

func bounded(data []byte) ([]byte, error) {
	if len(data) > MaxMessage {
		return nil, fmt.Errorf("message of %d bytes; at most %d", len(data), MaxMessage)
	}
	return data, nil
}

// usualMessage is enough for most Results, in bytes.
const usualMessage = 512

// written are buffers for messages, before each message is cut to its size.
var written = sync.Pool{New: func() any { return bytes.NewBuffer(make([]byte, 0, usualMessage)) }}

func encodeMsgPack(write func(*msgpack.Encoder) error) ([]byte, error) {
	b := written.Get().(*bytes.Buffer)
	defer written.Put(b)
	b.Reset()
	enc := msgpack.GetEncoder()
	defer msgpack.PutEncoder(enc)
	enc.Reset(b)
	enc.UseCompactInts(true)
	if err := write(enc); err != nil {
		return nil, fmt.Errorf("write MessagePack: %w", err)
	}
	data, err := bounded(b.Bytes())
	return bytes.Clone(data), err
}

func encodeJSON(from any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(from); err != nil {
		return nil, fmt.Errorf("write JSON: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
