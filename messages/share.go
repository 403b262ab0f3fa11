// A Result for many askers: what is the same for all of them is written once.

package messages

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/vmihailenco/msgpack/v5"
)

// Shared is an encoded Result without the parts that belong to a single asker. It is safe for
// concurrent use.
type Shared struct {
	encoding Encoding
	told     int // MessagePack: number of fields in parts
	// parts come before id, before retry_after_ms, before answered_at_ms and before meta.
	parts [4][]byte
}

// Own is the part of a Result that belongs to a single asker.
type Own struct {
	ID           string            // as in Result.ID
	RetryAfterMs int64             // as in Result.RetryAfterMs
	Source       Source            // as in Result.Source
	AnsweredAtMs int64             // as in Result.AnsweredAtMs
	Meta         map[string]string // as in Result.Meta
}

// With is the Result for one asker.
func (r Result) With(o Own) Result {
	r.ID, r.RetryAfterMs, r.Source, r.AnsweredAtMs, r.Meta = o.ID, o.RetryAfterMs, o.Source, o.AnsweredAtMs, o.Meta
	return r
}

// Share writes what is the same for all askers. It leaves the fields of Own out of r. It fails in
// the same cases as Encode.
func (r Result) Share(e Encoding) (*Shared, error) {
	r.ID, r.RetryAfterMs, r.Source, r.AnsweredAtMs, r.Meta = "", 0, "", 0, nil
	whole, err := r.Encode(e) // everything that Encode checks
	if err != nil {
		return nil, err
	}
	r.V = Version
	s := &Shared{encoding: e}
	if e == JSON {
		s.cut(whole)
		return s, nil
	}
	groups := [...]func(*mapWriter){func(w *mapWriter) { w.number("v", int64(r.V)) }, r.answer, r.calls, r.kept}
	for i, group := range groups {
		var b bytes.Buffer
		w := mapWriter{enc: msgpack.NewEncoder(&b)}
		w.enc.UseCompactInts(true)
		if group(&w); w.err != nil {
			return nil, fmt.Errorf("write MessagePack: %w", w.err)
		}
		s.parts[i], s.told = b.Bytes(), s.told+w.n
	}
	return s, nil
}

// cut cuts a JSON Result at the places of an asker's own fields. No value can contain a name with
// its quotes: they are escaped there.
func (s *Shared) cut(whole []byte) {
	rest := bytes.TrimSuffix(whole, []byte("}"))
	to := func(part int, at int) { s.parts[part], rest = rest[:at:at], rest[at:] }
	retryable := []byte(`,"retryable":`)
	to(0, bytes.IndexByte(rest, ','))
	at := bytes.Index(rest, retryable) + len(retryable)
	to(1, at+len(strconv.FormatBool(rest[at] == 't')))
	for _, name := range []string{`,"expires_at_ms":`, `,"verified":`} {
		if at := bytes.Index(rest, []byte(name)); at >= 0 {
			to(2, at)
			break
		}
	}
	if s.parts[2] == nil {
		to(2, len(rest))
	}
	to(3, len(rest))
}

// Encode writes the Result of one asker: the same bytes as Result.Encode for all its fields. It
// fails in the same cases.
func (s *Shared) Encode(o Own) (data []byte, err error) {
	if err := checkTexts(o.Meta, o.ID, string(o.Source)); err != nil {
		return nil, fmt.Errorf("encode result: %w", err)
	}
	if s.encoding == JSON {
		data, err = s.encodeJSON(&o)
	} else {
		data, err = s.encodeMsgPack(&o)
	}
	if err == nil && len(data) > MaxMessage {
		err = fmt.Errorf("message of %d bytes; at most %d", len(data), MaxMessage)
	}
	if err != nil {
		return nil, err
	}
	return data, nil
}

func (s *Shared) encodeMsgPack(o *Own) ([]byte, error) {
	w, size := mapWriter{n: s.told}, 0
	for i, part := range s.parts {
		o.fields(&w, i)
		size += len(part)
	}
	b := bytes.NewBuffer(make([]byte, 0, size+128))
	enc := msgpack.GetEncoder()
	defer msgpack.PutEncoder(enc)
	enc.Reset(b)
	enc.UseCompactInts(true)
	w = mapWriter{enc: enc, err: enc.EncodeMapLen(w.n)}
	for i, part := range s.parts {
		b.Write(part)
		o.fields(&w, i)
	}
	if w.err != nil {
		return nil, fmt.Errorf("write MessagePack: %w", w.err)
	}
	return b.Bytes(), nil
}

// fields writes the own fields that follow a shared part.
func (o *Own) fields(w *mapWriter, part int) {
	switch part {
	case 0:
		w.text("id", o.ID)
	case 1:
		w.number("retry_after_ms", o.RetryAfterMs)
		w.text("source", string(o.Source))
	case 2:
		w.number("answered_at_ms", o.AnsweredAtMs)
	case 3:
		w.texts("meta", o.Meta)
	}
}

func (s *Shared) encodeJSON(o *Own) ([]byte, error) {
	b := bytes.NewBuffer(make([]byte, 0, len(s.parts[0])+len(s.parts[1])+len(s.parts[2])+len(s.parts[3])+160))
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	var fault error
	value := func(name string, v any) {
		b.WriteString(name)
		if err := enc.Encode(v); err != nil {
			fault = fmt.Errorf("write JSON: %w", err)
		}
		b.Truncate(b.Len() - 1) // the line end
	}
	number := func(name string, v int64) {
		if v != 0 {
			b.WriteString(name)
			b.Write(strconv.AppendInt(b.AvailableBuffer(), v, 10))
		}
	}
	b.Write(s.parts[0])
	if o.ID != "" {
		value(`,"id":`, o.ID)
	}
	b.Write(s.parts[1])
	number(`,"retry_after_ms":`, o.RetryAfterMs)
	if o.Source != "" {
		value(`,"source":`, o.Source)
	}
	b.Write(s.parts[2])
	number(`,"answered_at_ms":`, o.AnsweredAtMs)
	b.Write(s.parts[3])
	if len(o.Meta) > 0 {
		value(`,"meta":`, o.Meta)
	}
	b.WriteByte('}')
	return b.Bytes(), fault
}
