// The encoding of a message, by its Content-Type header or its first byte.

package messages

import "strings"

// Encoding is the encoding of a message, spelled as its Content-Type. The zero value is not an
// encoding.
type Encoding string

// The encodings.
const (
	MsgPack Encoding = "application/msgpack"
	JSON    Encoding = "application/json"
)

// ParseEncoding reads a Content-Type header: application/msgpack, application/x-msgpack or
// application/json. It ignores parameters and case, and takes nothing that no header may have: a
// dead letter has the header, too.
func ParseEncoding(contentType string) (Encoding, bool) {
	if contentType == string(MsgPack) { // the usual spelling, without the cost of the rest
		return MsgPack, true
	}
	name, _, _ := strings.Cut(contentType, ";")
	name = strings.TrimSpace(name)
	switch {
	case !fitsHeader(contentType):
	case strings.EqualFold(name, string(JSON)):
		return JSON, true
	case strings.EqualFold(name, string(MsgPack)), strings.EqualFold(name, "application/x-msgpack"):
		return MsgPack, true
	}
	return "", false
}

// Sniff finds the encoding by the first byte: { after any spaces is JSON, the header of a map is
// MessagePack.
func Sniff(data []byte) (Encoding, bool) {
	if len(data) > 0 && opensMap(data[0]) {
		return MsgPack, true
	}
	for _, b := range data {
		switch b {
		case ' ', '\t', '\n', '\r':
		case '{':
			return JSON, true
		default:
			return "", false
		}
	}
	return "", false
}

// opensMap reports whether a MessagePack message that begins with c is a map.
func opensMap(c byte) bool { return c&0xf0 == 0x80 || c == 0xde || c == 0xdf }

// Byte is the encoding as one byte, as it is stored with a query: 1 for MessagePack, 2 for JSON, 0
// for neither.
func (e Encoding) Byte() uint8 {
	switch e {
	case MsgPack:
		return 1
	case JSON:
		return 2
	}
	return 0
}

// EncodingOf is the encoding of such a byte: JSON for 2, otherwise MessagePack.
func EncodingOf(b uint8) Encoding {
	if b == JSON.Byte() {
		return JSON
	}
	return MsgPack
}
