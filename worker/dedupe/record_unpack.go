// Bytes as a record, believing no length: the msgpack library takes 13 bytes for a reason to ask for 4 GB.

package dedupe

import (
	"bytes"
	"errors"
	"fmt"
)

// unpack reads values one after the other. The first fault stays in err, after which nothing is read.
type unpack struct {
	b   []byte // what is left
	err error
}

var (
	errShort = errors.New("ends in the middle of a value")
	errKind  = errors.New("a value of another kind")
	errDeep  = errors.New("maps and lists lie too deep in each other")
)

func (u *unpack) fail(err error) {
	if u.err == nil {
		u.err = err
	}
	u.b = nil
}

func (u *unpack) take(n uint64) []byte {
	if n > uint64(len(u.b)) {
		u.fail(errShort)
		return nil
	}
	v := u.b[:n:n]
	u.b = u.b[n:]
	return v
}

// uint reads a number of so many bytes.
func (u *unpack) uint(width uint64) (n uint64) {
	for _, c := range u.take(width) {
		n = n<<8 | uint64(c)
	}
	return n
}

// head reads the first byte of a value.
func (u *unpack) head() byte { return byte(u.uint(1)) }

func (u *unpack) text() string {
	switch c := u.head(); {
	case c&0xe0 == 0xa0:
		return string(u.take(uint64(c & 0x1f)))
	case 0xd9 <= c && c <= 0xdb:
		return string(u.take(u.uint(1 << (c - 0xd9))))
	}
	u.fail(errKind)
	return ""
}

func (u *unpack) bytes() []byte {
	switch c := u.head(); {
	case 0xc4 <= c && c <= 0xc6:
		return bytes.Clone(u.take(u.uint(1 << (c - 0xc4))))
	case c != 0xc0:
		u.fail(errKind)
	}
	return nil
}

func (u *unpack) number() int64 {
	switch c := u.head(); {
	case c <= 0x7f || c >= 0xe0:
		return int64(int8(c))
	case 0xcc <= c && c <= 0xd3:
		width := 8 << (c & 3) // bits
		n := u.uint(uint64(width / 8))
		if c >= 0xd0 { // carry the sign of the narrower kinds
			return int64(n<<(64-width)) >> (64 - width)
		}
		if n>>63 == 0 {
			return int64(n)
		}
	}
	u.fail(errKind)
	return 0
}

func (u *unpack) flag() bool {
	c := u.head()
	if c != 0xc2 && c != 0xc3 {
		u.fail(errKind)
	}
	return c == 0xc3
}

// fields reads a map and hands on each name, whose value field reads. It reports whether there was a map, or nil.
func (u *unpack) fields(field func(name string)) bool {
	var n uint64
	switch c := u.head(); {
	case c&0xf0 == 0x80:
		n = uint64(c & 0x0f)
	case c == 0xde:
		n = u.uint(2)
	case c == 0xc0:
		return false
	default:
		u.fail(errKind)
	}
	for ; n > 0 && u.err == nil; n-- {
		field(u.text())
	}
	return u.err == nil
}

// skip passes over one value of a field that a newer program has.
func (u *unpack) skip(depth int) {
	if depth == 0 {
		u.fail(errDeep)
		return
	}
	inner := uint64(0)
	switch c := u.head(); {
	case c <= 0x7f, c >= 0xe0, c == 0xc0, c == 0xc2, c == 0xc3:
	case c <= 0x8f:
		inner = 2 * uint64(c&0x0f)
	case c <= 0x9f:
		inner = uint64(c & 0x0f)
	case c <= 0xbf:
		u.take(uint64(c & 0x1f))
	case 0xc4 <= c && c <= 0xc6:
		u.take(u.uint(1 << (c - 0xc4)))
	case c == 0xca, c == 0xcb:
		u.take(4 << (c - 0xca))
	case 0xcc <= c && c <= 0xd3:
		u.take(1 << (c & 3))
	case 0xd9 <= c && c <= 0xdb:
		u.take(u.uint(1 << (c - 0xd9)))
	case c == 0xdc:
		inner = u.uint(2)
	case c == 0xde:
		inner = 2 * u.uint(2)
	default:
		u.fail(errKind)
	}
	for ; inner > 0 && u.err == nil; inner-- {
		u.skip(depth - 1)
	}
}

// DecodeRecord reads a stored record. Only processes of the fleet may write records, so
// this guards against accidents: it never asks for more memory than the input has bytes.
func DecodeRecord(b []byte) (Record, error) {
	var r Record
	u := &unpack{b: b}
	if len(b) > maxRecord {
		u.fail(fmt.Errorf("%d bytes, at most %d are read", len(b), maxRecord))
	}
	u.record(&r)
	switch r.Phase {
	case Running, Suspect, Released, Done:
	default:
		u.fail(fmt.Errorf("unknown phase %q", r.Phase))
	}
	if u.err == nil && len(u.b) > 0 {
		u.fail(errors.New("more bytes follow it"))
	}
	if u.err != nil {
		return Record{}, fmt.Errorf("decode record: %w", u.err)
	}
	return r, nil
}

const maxDepth = 8

func (u *unpack) record(r *Record) {
	u.fields(func(name string) {
		switch name {
		case "owner":
			r.Owner = u.text()
		case "phase":
			r.Phase = Phase(u.text())
		case "run":
			r.Run = u.text()
		case "ask":
			r.Ask = u.text()
		case "attempt":
			r.Attempt = int(u.number())
		case "begun_ms":
			r.BegunMs = u.number()
		case "journal":
			r.Journal = u.bytes()
		case "deaths":
			r.Deaths = int(u.number())
		case "lease_ms":
			r.LeaseMs = u.number()
		case "question":
			r.Question = u.bytes()
		case "answer":
			r.Answer = u.bytes()
		case "keep_ms":
			r.KeepMs = u.number()
		case "failed":
			r.Failed = u.flag()
		case "once":
			r.Once = u.flag()
		case "prev":
			var k Kept
			if r.Prev = nil; u.kept(&k) {
				r.Prev = &k
			}
		default:
			u.skip(maxDepth)
		}
	})
}

func (u *unpack) kept(k *Kept) bool {
	return u.fields(func(name string) {
		switch name {
		case "run":
			k.Run = u.text()
		case "answer":
			k.Answer = u.bytes()
		case "at_ms":
			k.AtMs = u.number()
		case "keep_ms":
			k.KeepMs = u.number()
		default:
			u.skip(maxDepth)
		}
	})
}
