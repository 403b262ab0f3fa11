// Reading: one value after the other, believing no length.

package pack

import (
	"errors"
	"fmt"
	"unicode/utf8"
)

// maxDepth is how many maps and lists in each other are too many in a value that is passed over.
const maxDepth = 8

var (
	errShort = errors.New("ends in the middle of a value")
	errKind  = errors.New("is of another kind")
	errDeep  = fmt.Errorf("has %d or more levels of maps and lists", maxDepth)
)

// Reader reads values one after the other. The first fault stays, after which every value read is
// zero; so a reader of many values may look at Err once, at the end. It takes no memory beyond what
// the values read have in the input.
type Reader struct {
	data []byte
	at   int
	err  error
}

// NewReader reads from the beginning of data, which must not change meanwhile.
func NewReader(data []byte) *Reader { return &Reader{data: data} }

// Err is the first fault, nil while there was none.
func (r *Reader) Err() error { return r.err }

// Fail makes err the fault, unless there was one before.
func (r *Reader) Fail(err error) {
	if r.err == nil {
		r.err = err
	}
	r.at = len(r.data)
}

// At is how many bytes have been read.
func (r *Reader) At() int { return r.at }

// Seek goes on reading after so many bytes, where a value begins.
func (r *Reader) Seek(at int) {
	if r.err == nil {
		r.at = at
	}
}

// Left is how many bytes have not been read.
func (r *Reader) Left() int { return len(r.data) - r.at }

func (r *Reader) take(n uint64) []byte {
	if n > uint64(r.Left()) {
		r.Fail(errShort)
		return nil
	}
	b := r.data[r.at : r.at+int(n) : r.at+int(n)]
	r.at += int(n)
	return b
}

// uint reads a number of so many bytes.
func (r *Reader) uint(width uint64) (n uint64) {
	for _, c := range r.take(width) {
		n = n<<8 | uint64(c)
	}
	return n
}

// head reads the first byte of a value. After a fault it is one that begins none.
func (r *Reader) head() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return neverUsed
}

const (
	nilHead   = 0xc0
	neverUsed = 0xc1 // the one head byte that MessagePack leaves without a meaning
)

// sized reads what has its length in front, in 1, 2 or 4 bytes; narrowest is the head byte of the
// first.
func (r *Reader) sized(head, narrowest byte) []byte {
	return r.take(r.uint(1 << (head - narrowest)))
}

// Text reads a text, which must be valid UTF-8.
func (r *Reader) Text() string { return string(r.TextBytes()) }

// TextBytes is Text whose bytes are those of the input, not a copy.
func (r *Reader) TextBytes() []byte {
	var b []byte
	switch c := r.head(); {
	case c&0xe0 == 0xa0:
		b = r.take(uint64(c & 0x1f))
	case 0xd9 <= c && c <= 0xdb:
		b = r.sized(c, 0xd9)
	default:
		r.Fail(errKind)
	}
	if !utf8.Valid(b) {
		r.Fail(errors.New("is not valid UTF-8"))
		return nil
	}
	return b
}

// Bytes reads bytes, or nil for nil. They are those of the input, not a copy.
func (r *Reader) Bytes() []byte {
	switch c := r.head(); {
	case 0xc4 <= c && c <= 0xc6:
		return r.sized(c, 0xc4)
	case c != nilHead:
		r.Fail(errKind)
	}
	return nil
}

// Int reads a whole number of 64 bits with sign.
func (r *Reader) Int() int64 {
	switch c := r.head(); {
	case c <= 0x7f || c >= 0xe0:
		return int64(int8(c))
	case 0xcc <= c && c <= 0xd3:
		width := 8 << (c & 3) // bits
		n := r.uint(uint64(width / 8))
		if c >= 0xd0 { // carry the sign of the narrower kinds
			return int64(n<<(64-width)) >> (64 - width)
		}
		if n>>63 == 0 {
			return int64(n)
		}
	}
	r.Fail(errKind)
	return 0
}

// Flag reads true or false.
func (r *Reader) Flag() bool {
	c := r.head()
	if c != 0xc2 && c != 0xc3 {
		r.Fail(errKind)
	}
	return c == 0xc3
}

// Nil passes over a nil, if that comes next, and says whether it did.
func (r *Reader) Nil() bool {
	if r.Left() == 0 || r.data[r.at] != nilHead {
		return false
	}
	r.at++
	return true
}

// Map reads the head of a map and gives how many names with values follow it.
func (r *Reader) Map() int { return r.count(0x80, 0xde) }

// List reads the head of a list and gives how many values follow it.
func (r *Reader) List() int { return r.count(0x90, 0xdc) }

// count reads the head of a map or list: short is the head byte of the short kind, long that of the
// one with a count of two bytes.
func (r *Reader) count(short, long byte) int {
	n := uint64(0)
	switch c := r.head(); {
	case c&0xf0 == short:
		n = uint64(c & 0x0f)
	case c == long:
		n = r.uint(2)
	case c == long+1:
		n = r.uint(4)
	default:
		r.Fail(errKind)
	}
	if n > uint64(r.Left()) { // every value takes a byte
		r.Fail(errShort)
	}
	if r.err != nil {
		return 0
	}
	return int(n)
}

// Skip passes over one value with all that is in it.
func (r *Reader) Skip() {
	var left [maxDepth]uint64
	depth := 0
	left[0] = 1
	for r.err == nil {
		for left[depth] == 0 {
			if depth--; depth < 0 {
				return
			}
		}
		left[depth]--
		inner := r.skipOne()
		if inner == 0 {
			continue
		}
		if depth++; depth == maxDepth {
			r.Fail(errDeep)
			return
		}
		left[depth] = inner
	}
}

// skipOne passes over one value, or over the head of a map or list, and gives the number of values
// in that.
func (r *Reader) skipOne() (inner uint64) {
	switch c := r.head(); {
	case c <= 0x7f, c >= 0xe0, c == nilHead, c == 0xc2, c == 0xc3:
	case c <= 0x8f:
		inner = 2 * uint64(c&0x0f)
	case c <= 0x9f:
		inner = uint64(c & 0x0f)
	case c <= 0xbf:
		r.take(uint64(c & 0x1f))
	case 0xc4 <= c && c <= 0xc6:
		r.sized(c, 0xc4)
	case c == 0xca, c == 0xcb:
		r.take(4 << (c - 0xca))
	case 0xcc <= c && c <= 0xd3:
		r.take(1 << (c & 3))
	case 0xd9 <= c && c <= 0xdb:
		r.sized(c, 0xd9)
	case 0xdc <= c: // lists dc, dd; maps de, df
		if inner = r.uint(2 << (c & 1)); c >= 0xde {
			inner *= 2
		}
	case r.err == nil:
		r.Fail(fmt.Errorf("holds the byte 0x%02x, which nothing of ours has", c))
	}
	if inner > uint64(r.Left()) {
		r.Fail(errShort)
	}
	return inner
}
