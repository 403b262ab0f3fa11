// Many asks in one line: for each but the first, only its differences from the ask before.

package querylog

import (
	"bytes"
	"errors"
	"fmt"

	"protocolq/worker/pack"
)

// A line of asks is a list, begun by pack.ListHead, in which each ask is a map of all its fields. A
// line of many asks is that list inside a list of one, which followHead begins. From its second ask
// on, a missing field is as in the ask before, and a nil field is absent. Askers of one account
// differ in little: a sixth of the bytes is left.
const followHead = 0x91

// goneFields is more than the bytes needed to say for every field that it is absent.
const goneFields = 256

// EncodeAsks makes as few lines of many asks as the bounds of a message allow. The more alike
// neighbours are, the shorter the lines. An ask that cannot be encoded is left out and named in the
// error; the lines of the others are good.
func EncodeAsks(asks []Ask) ([]Line, error) {
	lines, faults := encodeAsks(asks)
	return lines, errors.Join(faults...)
}

// encodeAsks is EncodeAsks with one fault for each ask that is left out.
func encodeAsks(asks []Ask) (lines []Line, faults []error) {
	w := askWriter{now: codec{writing: true, marking: true}, before: codec{writing: true, marking: true}}
	for i := range asks {
		a := &asks[i]
		if err := checkIdentity("ask", a.Token, a.At); err != nil {
			faults = append(faults, err)
			continue
		}
		w.add(a)
	}
	w.end()
	return w.lines, faults
}

// halvesOfAsks splits a line of asks into two; it returns none for a line of one ask.
func halvesOfAsks(l Line) []Line {
	asks, err := DecodeAsks(l.Data)
	if err != nil || len(asks) < 2 {
		return nil
	}
	half := len(asks) / 2
	first, err := EncodeAsks(asks[:half])
	second, err2 := EncodeAsks(asks[half:])
	if err != nil || err2 != nil {
		return nil
	}
	return append(first, second...)
}

// askWriter writes asks into lines.
type askWriter struct {
	lines       []Line
	now, before codec  // the present ask, complete, and the one before it in the line
	line        []byte // the open line: followHead, the list
	n           int    // asks in it
	first       string // the token of the first one
}

func (w *askWriter) add(a *Ask) {
	w.now.out = w.now.out[:0]
	w.now.object(func() { a.fields(&w.now) })
	if w.n == MaxAsks || len(w.line)+len(w.now.out)+goneFields > MaxLine {
		w.end()
	}
	if w.n++; w.n == 1 {
		w.first, w.line = a.Token, append(pack.AppendList(append(make([]byte, 0, 4<<10), followHead), 0), w.now.out...)
	} else {
		w.line = w.now.differing(w.line, &w.before)
	}
	w.now, w.before = w.before, w.now
}

// end closes the open line.
func (w *askWriter) end() {
	if w.n == 0 {
		return
	}
	list := 1 // where the list begins
	if w.n == 1 {
		w.line, list = w.line[1:], 0
	}
	pack.SetCount(w.line[list:], w.n)
	l := Line{MsgID: w.first, Data: w.line}
	if w.n > 1 { // its message id covers all asks, see joined
		l.MsgID = ofMany(w.first, l.Data)
	}
	w.lines, w.line, w.n = append(w.lines, l), nil, 0
}

// differing appends the fields that c has written and that are not the same in before, and a nil
// for each field that is only in before. Both have walked the same fields.
func (c *codec) differing(to []byte, before *codec) []byte {
	head, n := len(to), 0
	to = pack.AppendMap(to, 0)
	theirs := before.marks
	gone := func(m mark) {
		to, n = pack.AppendNil(append(to, before.out[m.from:m.at]...)), n+1
	}
	for i, m := range c.marks {
		for len(theirs) > 0 && theirs[0].place < m.place {
			gone(theirs[0])
			theirs = theirs[1:]
		}
		field := c.out[m.from:c.endOf(i)]
		if len(theirs) > 0 && theirs[0].place == m.place {
			same := bytes.Equal(field, before.out[theirs[0].from:before.endOf(len(before.marks)-len(theirs))])
			if theirs = theirs[1:]; same {
				continue
			}
		}
		to, n = append(to, field...), n+1
	}
	for _, m := range theirs {
		gone(m)
	}
	pack.SetCount(to[head:], n)
	return to
}

// endOf is where the value of field i ends.
func (c *codec) endOf(i int) int {
	if i+1 < len(c.marks) {
		return c.marks[i+1].from
	}
	return len(c.out)
}

// DecodeAsks reads the line of one or more asks, as strictly as DecodeRun.
func DecodeAsks(data []byte) ([]Ask, error) {
	c, err := newReading(data)
	if err != nil {
		return nil, fmt.Errorf("read asks: %w", err)
	}
	if len(data) > 0 && data[0] == followHead {
		c.in.Seek(1)
		c.follows = true
	}
	c.words = words{}
	n := c.list(MaxAsks)
	asks := make([]Ask, n)
	for i := range asks {
		if c.follows && i > 0 {
			asks[i] = asks[i-1]
		}
		c.object(func() { asks[i].fields(c) })
		if c.err == nil {
			c.err = checkIdentity("ask", asks[i].Token, asks[i].At)
		}
	}
	if err := c.end(); err != nil {
		return nil, fmt.Errorf("read asks: %w", err)
	}
	if n == 0 {
		return nil, errors.New("read asks: there is none")
	}
	return asks, nil
}
