// Reads the result of a walk as the kinds of values that messages have. The first fault is kept
// with its field.

package messages

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"sync"
)

// pinned is the size above which texts are copied out of the message, so that a small Query does
// not keep 64 KiB in memory while it waits.
const pinned = 2 << 10

// message is what one walk found, and the first fault in it.
type message struct {
	scan
	encoding Encoding
}

// mostFields is more than any of our messages has.
const mostFields = 28

// unread are finished messages: the next walk reuses their memory.
var unread = sync.Pool{New: func() any {
	m := new(message)
	m.fields, m.names = make([]field, 0, mostFields), make([]string, 0, mostFields)
	return m
}}

func newMessage() *message { return unread.Get().(*message) }

// free forgets what m holds. Values that were read from it share no memory with it, except texts.
func (m *message) free() {
	fields, names := m.fields[:0], m.names[:0]
	if cap(fields) > mostFields || cap(names) > mostFields {
		return // from a sender with more fields
	}
	clear(fields[:cap(fields)])
	clear(names[:cap(names)])
	*m = message{}
	m.fields, m.names = fields, names
	unread.Put(m)
}

// readMessage walks data as contentType or else the first byte says. After a fault, the fields
// before it are still there.
func readMessage(m *message, data []byte, contentType string) {
	m.in = string(data[:min(len(data), MaxMessage)])
	sniffed, known := Sniff(data)
	m.encoding = sniffed
	if contentType != "" {
		told, ok := ParseEncoding(contentType)
		if ok {
			m.encoding, known = told, true
		} else {
			m.fail("Content-Type %s is unknown; send %s or %s", quoted(contentType), MsgPack, JSON)
		}
	}
	if len(data) > MaxMessage {
		m.fault = &Error{Code: TooLarge,
			Reason: fmt.Sprintf("the message is %d bytes long; at most %d", len(data), MaxMessage)}
	}
	switch {
	case len(data) == 0:
		m.fail("the message is empty; send a MessagePack map or a JSON object")
	case hasBOM(data):
		m.fail("the message begins with a byte order mark (BOM); send UTF-8 without one")
	case m.encoding != JSON && opensExtension(data[0]):
		m.fail("the message begins with a MessagePack extension; send a plain map (in msgpackr: useRecords false)")
	case m.encoding == MsgPack:
		m.walkMsgPack()
	case m.encoding == JSON:
		m.walkJSON()
	case !known:
		m.fail("the message is neither a MessagePack map nor a JSON object")
	}
	if m.encoding == "" {
		m.encoding = JSON // an answer in JSON is readable for people
	}
}

// hasBOM reports whether data begins with the byte order mark of UTF-8 or UTF-16, as many editors
// and .NET write it. No message may begin so.
func hasBOM(data []byte) bool {
	return bytes.HasPrefix(data, []byte("\xef\xbb\xbf")) || bytes.HasPrefix(data, []byte("\xfe\xff")) ||
		bytes.HasPrefix(data, []byte("\xff\xfe"))
}

// opensExtension reports whether a MessagePack message that begins with c is an extension type, as
// msgpackr writes for its records.
func opensExtension(c byte) bool { return 0xc7 <= c && c <= 0xc9 || 0xd4 <= c && c <= 0xd8 }

// refuse notes a fault of one field, unless there is an earlier one.
func (m *message) refuse(name, format string, args ...any) {
	if m.fault == nil {
		m.fault = &Error{Code: BadRequest, Field: name, Reason: fmt.Sprintf(format, args...)}
	}
}

// is reports whether f is of the wanted kind, and refuses it if not.
func (m *message) is(f *field, want kind) bool {
	if f.kind == want {
		return true
	}
	switch {
	case f.kind == kindBin:
		m.refuse(f.name, "is binary; send %s (in MessagePack a str)", want)
	case f.kind == kindFloat && want == kindInt:
		m.refuse(f.name, "is a float with a fraction, or from 2^53 on; send an integer")
	case want == kindText && f.kind == kindInt:
		m.refuse(f.name, "is an integer; send text (in JSON with quotes)")
	default:
		m.refuse(f.name, "is %s; send %s", f.kind, want)
	}
	return false
}

func (m *message) text(f *field) string {
	if !m.is(f, kindText) {
		return ""
	}
	return m.own(f.text)
}

// own copies a text out of a large message.
func (m *message) own(s string) string {
	if len(m.in) > pinned {
		return strings.Clone(s)
	}
	return s
}

func (m *message) integer(f *field) int64 {
	if !m.is(f, kindInt) {
		return 0
	}
	return f.num
}

// number is an integer that fits into an int on every platform.
func (m *message) number(f *field) int {
	n := m.integer(f)
	if n < math.MinInt32 || n > math.MaxInt32 {
		m.refuse(f.name, "%d is out of range", n)
		return 0
	}
	return int(n)
}

func (m *message) flag(f *field) *bool {
	if !m.is(f, kindBool) {
		return nil
	}
	b := f.num == 1
	return &b
}

// texts is the map of texts in meta.
func (m *message) texts(f *field) map[string]string {
	if !m.is(f, kindMap) || len(m.meta) == 0 {
		return nil
	}
	if len(m.meta) > maxMeta {
		m.refuse(f.name, "has %d entries; at most %d", len(m.meta), maxMeta)
		return nil
	}
	all := make(map[string]string, len(m.meta))
	for i := range m.meta {
		entry := &m.meta[i]
		if entry.kind == kindNil {
			continue
		}
		if entry.kind != kindText {
			m.refuse(f.name, "the value of %s is %s; send text", quoted(entry.name), entry.kind)
			return nil
		}
		all[m.own(entry.name)] = m.own(entry.text)
	}
	return all
}
