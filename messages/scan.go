// The walk over bytes from outside, for both encodings: what is kept of them, and the bounds that
// hold before anything is kept.

package messages

import (
	"fmt"
	"math"
	"unicode/utf8"
)

// Bounds of one message. They keep out what would kill a decoder: false lengths, endless depth,
// thousands of names.
const (
	MaxMessage = 64 << 10 // bytes; a longer message is refused unread
	maxDepth   = 8        // nested maps and lists, including the message itself
	maxNames   = 64       // names in one map: keeps the search for a duplicate short
)

// kind is the kind of a value on the wire, before it is known which kind is wanted.
type kind uint8

const (
	kindNil kind = iota + 1
	kindBool
	kindInt
	kindBig // an integer outside of int64
	kindFloat
	kindText
	kindBin
	kindMap
	kindList
)

func (k kind) String() string {
	return [...]string{"", "nil", "a boolean", "an integer", "an integer beyond 64 bits with sign", "a float", "text",
		"binary", "a map", "a list"}[k]
}

// field is one name and its value. For maps and lists only the kind is kept, except the entries of
// meta.
type field struct {
	name string
	text string // of kindText
	num  int64  // of kindInt; 0 or 1 of kindBool
	kind kind
}

// whole returns a float as an integer if it has no fraction: some languages have no other numbers.
// From 2^53 on a float does not distinguish neighboring integers, and stays a float.
func whole(f float64) field {
	if f == math.Trunc(f) && math.Abs(f) < 1<<53 {
		return field{kind: kindInt, num: int64(f)}
	}
	return field{kind: kindFloat}
}

// level is an open map or list during the walk.
type level struct {
	items int // MessagePack: values still to come; JSON: values met
	names int // where this map's names begin in scan.names
	isMap bool
}

// scan is the state of one walk. The texts in fields and meta are parts of in, or copies if JSON
// escapes had to be resolved.
type scan struct {
	in     string
	pos    int
	fault  *Error // the first one; it ends the walk
	fields []field
	meta   []field
	names  []string // of the open maps, read so far
	depth  int
	levels [maxDepth]level
	field  string // the message's field that the walk is in, "" outside
	name   string // the name in the innermost map whose value comes next
}

// fail notes the fault and returns false, for the caller to return.
func (s *scan) fail(format string, args ...any) bool {
	if s.fault == nil {
		s.fault = &Error{Code: BadRequest, Field: s.field, Reason: fmt.Sprintf(format, args...)}
	}
	return false
}

// short is the fault of a message that ends too early.
func (s *scan) short() bool { return s.fail("the message ends in the middle of a value") }

// setName sets the name of the next value, unless the open map already had it.
func (s *scan) setName(name string) bool {
	if s.depth == 1 {
		s.field = shown(name)
	}
	met := s.names[s.levels[s.depth-1].names:]
	if len(met) >= maxNames {
		return s.fail("a map has more than %d names", maxNames)
	}
	for _, m := range met {
		if m == name {
			return s.fail("the name %s comes twice", quoted(name))
		}
	}
	s.names = append(s.names, name)
	s.name = name
	return true
}

// put keeps a value if it may be needed.
func (s *scan) put(f field) bool {
	f.name = s.name
	switch {
	case s.depth == 1:
		s.fields = append(s.fields, f)
	case s.depth == 2 && s.field == "meta" && s.levels[1].isMap:
		s.meta = append(s.meta, f)
	}
	return true
}

// open begins a map or a list.
func (s *scan) open(k kind, items int) bool {
	if s.depth == maxDepth {
		return s.fail("more than %d levels of maps and lists", maxDepth)
	}
	if s.depth > 0 {
		s.put(field{kind: k})
	}
	s.levels[s.depth] = level{items: items, names: len(s.names), isMap: k == kindMap}
	s.depth++
	return true
}

// shut ends the innermost map or list.
func (s *scan) shut() {
	s.depth--
	s.names = s.names[:s.levels[s.depth].names]
}

// checkText refuses what is not UTF-8.
func (s *scan) checkText(text string) bool {
	if !utf8.ValidString(text) {
		return s.fail("a text is not valid UTF-8")
	}
	return true
}

// rest refuses bytes after the end of the message.
func (s *scan) rest() bool {
	if s.pos < len(s.in) {
		s.field = ""
		return s.fail("more bytes follow the end of the message; send one message only")
	}
	return true
}
