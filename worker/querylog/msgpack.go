// MessagePack as far as lines need it, read without recursion into depth and believing no length.

package querylog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"unicode/utf8"
)

var (
	errShort = errors.New("ends in the middle of a value")
	errKind  = errors.New("is of another kind")
)

// maxDepth is how deep values may be nested that are passed over.
const maxDepth = 8

// maxNames bounds the names of one map: more than any version will send.
const maxNames = 64

func packText(b []byte, s string) []byte {
	switch n := len(s); {
	case n < 32:
		b = append(b, 0xa0|byte(n))
	case n < 256:
		b = append(b, 0xd9, byte(n))
	default:
		b = append(b, 0xda, byte(n>>8), byte(n))
	}
	return append(b, s...)
}

func packInt(b []byte, n int64) []byte {
	if 0 <= n && n < 128 {
		return append(b, byte(n))
	}
	return binary.BigEndian.AppendUint64(append(b, 0xd3), uint64(n))
}

// What begins a list as we write it, and the value that stands for none.
const (
	listHead = 0xdc
	nilHead  = 0xc0
)

func packHead(b []byte, n int) []byte { return append(b, listHead, byte(n>>8), byte(n)) }

func packList(list [][]byte) []byte {
	size := 3
	for _, item := range list {
		size += len(item)
	}
	b := packHead(make([]byte, 0, size), len(list))
	for _, item := range list {
		b = append(b, item...)
	}
	return b
}

// reader reads values one after the other.
type reader struct {
	data []byte
	pos  int
}

func (r *reader) take(n uint64) ([]byte, error) {
	if n > uint64(len(r.data)-r.pos) {
		return nil, errShort
	}
	b := r.data[r.pos : r.pos+int(n)]
	r.pos += int(n)
	return b, nil
}

func (r *reader) uint(width int) (uint64, error) {
	b, err := r.take(uint64(width))
	var n uint64
	for _, x := range b {
		n = n<<8 | uint64(x)
	}
	return n, err
}

// sized reads the value of a head byte whose length follows in 1, 2 or 4 bytes;
// first is the head byte of the narrowest.
func (r *reader) sized(head, first byte) ([]byte, error) {
	n, err := r.uint(1 << (head - first))
	if err != nil {
		return nil, err
	}
	return r.take(n)
}

func (r *reader) text() (string, error) {
	head, err := r.uint(1)
	if err != nil {
		return "", err
	}
	var b []byte
	switch c := byte(head); {
	case c&0xe0 == 0xa0:
		b, err = r.take(uint64(c & 0x1f))
	case 0xd9 <= c && c <= 0xdb:
		b, err = r.sized(c, 0xd9)
	default:
		return "", errKind
	}
	if err == nil && !utf8.Valid(b) {
		err = errors.New("is not valid UTF-8")
	}
	return string(b), err
}

func (r *reader) binary() ([]byte, error) {
	head, err := r.uint(1)
	if err != nil {
		return nil, err
	}
	if head < 0xc4 || head > 0xc6 {
		return nil, errKind
	}
	return r.sized(byte(head), 0xc4)
}

func (r *reader) flag() (bool, error) {
	head, err := r.uint(1)
	if err == nil && head != 0xc2 && head != 0xc3 {
		err = errKind
	}
	return head == 0xc3, err
}

func (r *reader) integer() (int64, error) {
	head, err := r.uint(1)
	if err != nil {
		return 0, err
	}
	switch c := byte(head); {
	case c <= 0x7f || c >= 0xe0:
		return int64(int8(c)), nil
	case 0xcc <= c && c <= 0xd3:
		n, err := r.uint(1 << (c & 3))
		if c == 0xcf && n > 1<<63-1 {
			return 0, errors.New("is beyond 64 bits with sign")
		}
		if c >= 0xd0 { // carry the sign of the narrower kinds
			shift := 64 - 8<<(c&3)
			return int64(n<<shift) >> shift, err
		}
		return int64(n), err
	}
	return 0, errKind
}

// head reads the head of a map or list: short is the head byte of the short
// kind, long that of the one with a 2-byte count.
func (r *reader) head(short, long byte) (int, error) {
	head, err := r.uint(1)
	if err != nil {
		return 0, err
	}
	n := head & 0x0f
	switch c := byte(head); {
	case c&0xf0 == short:
	case c == long:
		n, err = r.uint(2)
	case c == long+1:
		n, err = r.uint(4)
	default:
		return 0, errKind
	}
	if err == nil && n > uint64(len(r.data)-r.pos) {
		err = errShort // every value takes a byte
	}
	return int(n), err
}

func (r *reader) list() (int, error) { return r.head(0x90, 0xdc) }

// mapping reads a map's names and passes over its values, whose places it keeps.
func (r *reader) mapping() ([]entry, error) {
	n, err := r.head(0x80, 0xde)
	if err != nil {
		return nil, err
	}
	if n > maxNames {
		return nil, fmt.Errorf("a map has %d names, at most %d", n, maxNames)
	}
	all := make([]entry, n)
	for i := range all {
		if all[i].name, err = r.text(); err != nil {
			return nil, fmt.Errorf("a name: %w", err)
		}
		for _, earlier := range all[:i] {
			if earlier.name == all[i].name {
				return nil, fmt.Errorf("%.40q comes twice", all[i].name)
			}
		}
		all[i].at = r.pos
		if err := r.skip(); err != nil {
			return nil, fmt.Errorf("%.40q: %w", all[i].name, err)
		}
	}
	return all, nil
}

// skip passes over one value with all that is in it.
func (r *reader) skip() error {
	var left [maxDepth]uint64
	depth := 0
	left[0] = 1
	for {
		for left[depth] == 0 {
			if depth--; depth < 0 {
				return nil
			}
		}
		left[depth]--
		inner, err := r.skipOne()
		if err != nil {
			return err
		}
		if inner == 0 {
			continue
		}
		if depth++; depth == maxDepth {
			return fmt.Errorf("more than %d levels of maps and lists", maxDepth)
		}
		left[depth] = inner
	}
}

// skipOne passes over one value, or the head of a map or list, and gives the
// number of values in that.
func (r *reader) skipOne() (inner uint64, err error) {
	head, err := r.uint(1)
	if err != nil {
		return 0, err
	}
	c := byte(head)
	switch {
	case c <= 0x7f, c >= 0xe0, c == 0xc0, c == 0xc2, c == 0xc3:
		return 0, nil
	case c <= 0x9f:
		inner = uint64(c & 0x0f)
		if c <= 0x8f {
			inner *= 2
		}
	case c <= 0xbf:
		_, err = r.take(uint64(c & 0x1f))
	case 0xc4 <= c && c <= 0xc6:
		_, err = r.sized(c, 0xc4)
	case c == 0xca, c == 0xcb:
		_, err = r.take(4 << (c - 0xca))
	case 0xcc <= c && c <= 0xd3:
		_, err = r.take(1 << (c & 3))
	case 0xd9 <= c && c <= 0xdb:
		_, err = r.sized(c, 0xd9)
	case 0xdc <= c: // lists dc, dd; maps de, df
		if inner, err = r.uint(2 << (c & 1)); c >= 0xde {
			inner *= 2
		}
	default:
		return 0, fmt.Errorf("holds the byte 0x%02x, which no line has", c)
	}
	if err == nil && inner > uint64(len(r.data)-r.pos) {
		err = errShort
	}
	return inner, err
}
