//go:build unix

// MessagePack values read one after another, by separate code.

package verdict

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// packed reads values from the front of bytes. The first fault stays, and every later value is
// zero.
type packed struct {
	rest []byte
	err  error
}

var errShort = errors.New("the bytes end inside a value")

// take returns the next n bytes.
func (p *packed) take(n int) []byte {
	if p.err == nil && (n < 0 || n > len(p.rest)) {
		p.err = errShort
	}
	if p.err != nil {
		return nil
	}
	b := p.rest[:n]
	p.rest = p.rest[n:]
	return b
}

// head returns the byte that says what follows.
func (p *packed) head() byte {
	if b := p.take(1); b != nil {
		return b[0]
	}
	return 0xc1 // which MessagePack never uses
}

// wide returns a big-endian number of n bytes.
func (p *packed) wide(bytes int) uint64 {
	var whole [8]byte
	copy(whole[8-bytes:], p.take(bytes))
	return binary.BigEndian.Uint64(whole[:])
}

func (p *packed) wrong(head byte, want string) {
	if p.err == nil {
		p.err = fmt.Errorf("0x%02x is no %s", head, want)
	}
}

// number reads a whole number.
func (p *packed) number() int64 {
	switch h := p.head(); {
	case h <= 0x7f:
		return int64(h)
	case h >= 0xe0:
		return int64(int8(h))
	case 0xcc <= h && h <= 0xcf: // without a sign, in 1, 2, 4 or 8 bytes
		n := p.wide(1 << (h - 0xcc))
		if n > math.MaxInt64 {
			p.wrong(h, "number of 63 bits")
			return 0
		}
		return int64(n)
	case 0xd0 <= h && h <= 0xd3: // with one
		bytes := 1 << (h - 0xd0)
		unused := 64 - 8*bytes
		return int64(p.wide(bytes)) << unused >> unused
	default:
		p.wrong(h, "whole number")
		return 0
	}
}

// text reads a text.
func (p *packed) text() string {
	switch h := p.head(); {
	case 0xa0 <= h && h <= 0xbf:
		return string(p.take(int(h & 0x1f)))
	case 0xd9 <= h && h <= 0xdb:
		return string(p.take(int(p.wide(1 << (h - 0xd9)))))
	default:
		p.wrong(h, "text")
		return ""
	}
}

// bytes reads opaque bytes.
func (p *packed) bytes() []byte {
	h := p.head()
	if h < 0xc4 || h > 0xc6 {
		p.wrong(h, "byte string")
		return nil
	}
	return p.take(int(p.wide(1 << (h - 0xc4))))
}

// list reads the head of a list and returns the number of its values.
func (p *packed) list() int {
	n := 0
	switch h := p.head(); {
	case 0x90 <= h && h <= 0x9f:
		n = int(h & 0x0f)
	case h == 0xdc || h == 0xdd:
		n = int(p.wide(2 << (h - 0xdc)))
	default:
		p.wrong(h, "list")
	}
	if n > len(p.rest) { // each value has at least one byte
		p.err = errShort
		n = 0
	}
	return n
}

// flag reads true or false.
func (p *packed) flag() bool {
	h := p.head()
	if h != 0xc2 && h != 0xc3 {
		p.wrong(h, "truth value")
	}
	return h == 0xc3
}
