// Context: W3C's traceparent, and the identities of spans.

package tracing

import (
	"crypto/sha256"
	"encoding/hex"

	"protocolq/messages"
)

// spanContext is the content of a traceparent.
type spanContext struct {
	trace   [16]byte
	span    [8]byte
	sampled bool
}

// parse reads a traceparent. ok is false if there is none, or if it cannot be continued.
func parse(traceparent string) (c spanContext, ok bool) {
	if messages.UsableTrace(traceparent) == "" || traceparent[:2] == "ff" {
		return c, false
	}
	// Decoding these checked digits cannot fail.
	_, _ = hex.Decode(c.trace[:], []byte(traceparent[3:35]))
	_, _ = hex.Decode(c.span[:], []byte(traceparent[36:52]))
	flags, _ := hex.DecodeString(traceparent[53:])
	c.sampled = flags[0]&1 == 1
	return c, c.trace != [16]byte{} && c.span != [8]byte{}
}

func (c spanContext) String() string {
	flags := "00"
	if c.sampled {
		flags = "01"
	}
	return "00-" + hex.EncodeToString(c.trace[:]) + "-" + hex.EncodeToString(c.span[:]) + "-" + flags
}

// A span's id follows from what it describes, so that every worker of the fleet knows the parents
// of its spans. After a death two workers may send the same span, with the same id.
const (
	ofDoor  = "door"
	ofRun   = "run"
	ofCall  = "call"
	ofReply = "reply"
)

func spanID(kind, about string) (id [8]byte) {
	sum := sha256.Sum256([]byte(kind + "\x00" + about))
	copy(id[:], sum[:])
	return id
}

// traceID is the id of the trace that an ask begins.
func traceID(about string) (id [16]byte) {
	sum := sha256.Sum256([]byte("trace\x00" + about))
	copy(id[:], sum[:])
	return id
}
