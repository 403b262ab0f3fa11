// Fields in their order: one description of each entry, for writing and for reading.

package journal

import (
	"errors"
	"fmt"
	"time"

	"protocolq/worker/pack"
)

// Bounds of fields. A query and a result are the longest, with at most 64 KiB each.
const (
	maxText  = 1 << 10
	maxBytes = 128 << 10

	// maxNumber keeps calculations with sequences far from the limits of 64 bits.
	maxNumber = 1 << 60
	// maxMillis does the same for times; it is 139 years.
	maxMillis = 1 << 42
)

var (
	errLong  = errors.New("is too long")
	errRange = errors.New("is out of range")
)

// coder takes fields one after the other: it writes to out if in is nil, and otherwise reads from
// in. It keeps the first fault. When it writes, it does not change the fields.
type coder struct {
	out []byte
	in  *pack.Reader
	err error // of writing
	// position is that of the batch being read.
	position uint64
}

// reads reports whether fields are read, not written.
func (c *coder) reads() bool { return c.in != nil }

func (c *coder) fault() error {
	if c.reads() {
		return c.in.Err()
	}
	return c.err
}

func (c *coder) fail(err error) {
	if c.reads() {
		c.in.Fail(err)
	} else if c.err == nil {
		c.err = err
	}
}

// must makes err the fault unless the condition is true.
func (c *coder) must(holds bool, err error) {
	if !holds {
		c.fail(err)
	}
}

func (c *coder) text(v *string) {
	if c.reads() {
		*v = c.in.Text()
	} else {
		c.out = pack.AppendText(c.out, *v)
	}
	c.must(len(*v) <= maxText, errLong)
}

func (c *coder) member(v *Member) {
	if c.reads() {
		*v = Member(c.in.Text())
	} else {
		c.out = pack.AppendText(c.out, string(*v))
	}
	if c.fault() == nil && !v.Valid() {
		c.fail(fmt.Errorf("%.80q is no member's id", string(*v)))
	}
}

// bytes takes opaque bytes; bytes that are read share the message's memory. Nil and empty are the
// same.
func (c *coder) bytes(v *[]byte) {
	if !c.reads() {
		c.out = pack.AppendBytes(c.out, *v)
	} else if *v = c.in.Bytes(); len(*v) == 0 {
		*v = nil
	}
	c.must(len(*v) <= maxBytes, errLong)
}

// hash takes 128 bits, of which zero takes two bytes.
func (c *coder) hash(v *[16]byte) {
	if !c.reads() {
		if *v == ([16]byte{}) {
			c.out = pack.AppendBytes(c.out, nil)
		} else {
			c.out = pack.AppendBytes(c.out, v[:])
		}
		return
	}
	b := c.in.Bytes()
	c.must(len(b) == 0 || len(b) == len(v), errRange)
	copy(v[:], b)
}

// number takes a whole number from 0 to most: v when writing.
func (c *coder) number(v, most int64) int64 {
	if c.reads() {
		v = c.in.Int()
	} else {
		c.out = pack.AppendInt(c.out, v)
	}
	if v < 0 || v > most {
		c.fail(errRange)
		return 0
	}
	return v
}

func (c *coder) byte(v *uint8) {
	if n := c.number(int64(*v), 255); c.reads() {
		*v = uint8(n)
	}
}

// one takes one of the values from 1 to most.
func (c *coder) one(v *uint8, most uint8) {
	c.byte(v)
	c.must(1 <= *v && *v <= most, errRange)
}

func (c *coder) count(v *int) {
	if n := c.number(int64(*v), 1<<31-1); c.reads() {
		*v = int(n)
	}
}

func (c *coder) sequence(v *uint64) {
	if n := c.number(int64(min(*v, maxNumber+1)), maxNumber); c.reads() {
		*v = uint64(n)
	}
}

func (c *coder) flag(v *bool) {
	if c.reads() {
		*v = c.in.Flag()
	} else {
		c.out = pack.AppendFlag(c.out, *v)
	}
}

// duration takes whole milliseconds, rounded up: a remaining time must not become 0, which means
// none.
func (c *coder) duration(v *time.Duration) {
	n := int64(*v / time.Millisecond)
	switch {
	case *v < 0:
		n = -1 // any negative duration is out of range
	case *v%time.Millisecond > 0:
		n++
	}
	if n = c.number(n, maxMillis); c.reads() {
		*v = time.Duration(n) * time.Millisecond
	}
}

// optional takes a duration; all negative ones are the same value.
func (c *coder) optional(v *time.Duration) {
	given := *v >= 0
	switch c.flag(&given); {
	case given:
		c.duration(v)
	case c.reads():
		*v = -1
	}
}

// ref takes a place by its distance from a position: close places take three bytes.
func (c *coder) ref(v *Ref, from uint64) {
	if !c.reads() {
		c.must(v.Position <= maxNumber && (v.Index > 0 || v.Position == 0), errRange)
		c.out = pack.AppendInt(c.out, int64(v.Position)-int64(from))
		c.number(int64(v.Index), MaxEntries)
		return
	}
	distance := c.in.Int()
	index := c.number(0, MaxEntries)
	if distance < -int64(from) || distance > maxNumber-int64(from) || index == 0 && distance != -int64(from) {
		c.fail(errRange)
	}
	if c.fault() != nil || index == 0 {
		*v = Ref{}
		return
	}
	*v = Ref{Position: uint64(int64(from) + distance), Index: uint16(index)}
}

// place takes one place.
func (c *coder) place(v *Ref) {
	c.ref(v, 0)
	c.settle(v)
}

// settle fills in the position of a place in the batch being read.
func (c *coder) settle(v *Ref) {
	if c.reads() && v.Position == 0 && v.Index > 0 {
		v.Position = c.position
	}
}

// places takes several, each by its distance from the one before.
func (c *coder) places(v *[]Ref) {
	from := uint64(0)
	list(c, v, MaxRefs, func(r *Ref) {
		c.must(c.reads() || r.Index > 0, errRange)
		c.ref(r, from)
		c.must(r.Index > 0, errRange)
		from = r.Position
		c.settle(r)
	})
}

// list takes a list with at most so many values; reading an empty one gives nil.
func list[T any](c *coder, v *[]T, most int, each func(*T)) {
	n := len(*v)
	if c.reads() {
		n = c.in.List()
	}
	if n > most {
		c.fail(errLong)
		return
	}
	switch {
	case !c.reads():
		c.out = pack.AppendList(c.out, n)
	case n == 0:
		*v = nil
	default:
		*v = make([]T, n)
	}
	for i := range n {
		if each(&(*v)[i]); c.fault() != nil {
			return
		}
	}
}
