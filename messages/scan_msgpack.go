// The walk over MessagePack: without recursion, and without trusting any length.

package messages

import "math"

// walkMsgPack walks the whole message; s.fault says what was wrong with it.
func (s *scan) walkMsgPack() bool {
	if s.in == "" || !opensMap(s.in[0]) {
		return s.fail("is not a MessagePack map")
	}
	if !s.msgpackValue() {
		return false
	}
	for s.depth > 0 {
		lv := &s.levels[s.depth-1]
		if lv.items == 0 {
			s.shut()
			continue
		}
		lv.items--
		if lv.isMap && !s.msgpackName() {
			return false
		}
		if !s.msgpackValue() {
			return false
		}
	}
	return s.rest()
}

func (s *scan) msgpackName() bool {
	if s.depth == 1 {
		s.field = ""
	}
	c, ok := s.uint(1)
	if !ok {
		return s.short()
	}
	n := c & 0x1f
	switch {
	case c&0xe0 == 0xa0:
	case 0xd9 <= c && c <= 0xdb:
		if n, ok = s.uint(1 << (c - 0xd9)); !ok {
			return s.short()
		}
	default:
		return s.fail("a map has a name that is not text")
	}
	name, ok := s.take(n)
	return ok && s.checkText(name) && s.setName(name)
}

// msgpackValue reads one value, or the header of a map or list.
func (s *scan) msgpackValue() bool {
	c64, ok := s.uint(1)
	if !ok {
		return s.short()
	}
	c := byte(c64)
	switch {
	case c <= 0x7f:
		return s.put(field{kind: kindInt, num: int64(c)})
	case c >= 0xe0:
		return s.put(field{kind: kindInt, num: int64(int8(c))})
	case c <= 0x8f:
		return s.msgpackOpen(kindMap, uint64(c&0x0f))
	case c <= 0x9f:
		return s.msgpackOpen(kindList, uint64(c&0x0f))
	case c <= 0xbf:
		return s.msgpackText(uint64(c & 0x1f))
	case c == 0xc0:
		return s.put(field{kind: kindNil})
	case c == 0xc2, c == 0xc3:
		return s.put(field{kind: kindBool, num: int64(c & 1)})
	case c == 0xca, c == 0xcb:
		bits, ok := s.uint(4 << (c - 0xca))
		switch {
		case !ok:
			return s.short()
		case c == 0xca:
			return s.put(whole(float64(math.Float32frombits(uint32(bits)))))
		}
		return s.put(whole(math.Float64frombits(bits)))
	case 0xcc <= c && c <= 0xd3:
		return s.msgpackInt(c)
	case 0xc4 <= c && c <= 0xc6, 0xd9 <= c:
		return s.msgpackSized(c)
	}
	return s.fail("an extension type or a reserved byte (0x%02x); use text, integers, booleans and maps only", c)
}

// msgpackSized reads a value that has its length in 1, 2 or 4 bytes.
func (s *scan) msgpackSized(c byte) bool {
	width := 2 << (c & 1) // dc, de: 2; dd, df: 4
	switch {
	case c <= 0xc6:
		width = 1 << (c - 0xc4)
	case c <= 0xdb:
		width = 1 << (c - 0xd9)
	}
	n, ok := s.uint(width)
	switch {
	case !ok:
		return s.short()
	case c <= 0xc6:
		if _, ok := s.take(n); !ok {
			return false
		}
		return s.put(field{kind: kindBin})
	case c <= 0xdb:
		return s.msgpackText(n)
	case c <= 0xdd:
		return s.msgpackOpen(kindList, n)
	}
	return s.msgpackOpen(kindMap, n)
}

func (s *scan) msgpackText(n uint64) bool {
	text, ok := s.take(n)
	return ok && s.checkText(text) && s.put(field{kind: kindText, text: text})
}

// msgpackOpen accepts a count only if there are enough bytes for it: every value takes one, and
// every name one more.
func (s *scan) msgpackOpen(k kind, n uint64) bool {
	left := uint64(len(s.in) - s.pos)
	if k == kindMap {
		left /= 2
	}
	if n > left {
		return s.fail("the header of %s counts more values than there are bytes left", k)
	}
	return s.open(k, int(n))
}

func (s *scan) msgpackInt(c byte) bool {
	width := 1 << (c & 3)
	n, ok := s.uint(width)
	switch {
	case !ok:
		return s.short()
	case c <= 0xcf && n > 1<<63-1:
		return s.put(field{kind: kindBig})
	case c >= 0xd0: // keep the sign of the narrower kinds
		shift := 64 - 8*width
		return s.put(field{kind: kindInt, num: int64(n<<shift) >> shift})
	}
	return s.put(field{kind: kindInt, num: int64(n)})
}

// uint reads a big-endian number of that many bytes.
func (s *scan) uint(width int) (n uint64, ok bool) {
	if len(s.in)-s.pos < width {
		return 0, false
	}
	for _, b := range []byte(s.in[s.pos : s.pos+width]) {
		n = n<<8 | uint64(b)
	}
	s.pos += width
	return n, true
}

// take reads that many bytes; a false length is a fault.
func (s *scan) take(n uint64) (string, bool) {
	if n > uint64(len(s.in)-s.pos) {
		return "", s.short()
	}
	part := s.in[s.pos : s.pos+int(n)]
	s.pos += int(n)
	return part, true
}
