// Maps with names that both sides know: what is zero is left out, and what is not known is passed over.

package pack

import "fmt"

// Fields writes a map field by field. A field that is zero is not written; there may be 15 at most, with names shorter than 32 bytes.
type Fields struct{ b []byte }

// NewFields begins a map; room is how many bytes it is likely to take.
func NewFields(room int) *Fields { return &Fields{append(make([]byte, 0, room), mapHead)} }

// mapHead begins a map without any name; the count is in its last four bits.
const mapHead = 0x80

func (f *Fields) name(s string) {
	f.b[0]++
	f.b = append(append(f.b, 0xa0|byte(len(s))), s...)
}

// Text writes a text.
func (f *Fields) Text(name, v string) {
	if v != "" {
		f.name(name)
		f.b = AppendText(f.b, v)
	}
}

// Bytes writes bytes.
func (f *Fields) Bytes(name string, v []byte) {
	if len(v) > 0 {
		f.name(name)
		f.b = AppendBytes(f.b, v)
	}
}

// Int writes a whole number.
func (f *Fields) Int(name string, v int64) {
	if v != 0 {
		f.name(name)
		f.b = AppendInt(f.b, v)
	}
}

// Flag writes true.
func (f *Fields) Flag(name string, v bool) {
	if v {
		f.name(name)
		f.b = AppendFlag(f.b, v)
	}
}

// Value writes a value that is encoded already.
func (f *Fields) Value(name string, encoded []byte) {
	f.name(name)
	f.b = append(f.b, encoded...)
}

// Encoded is the map.
func (f *Fields) Encoded() []byte { return f.b }

// Fields reads a map and hands on each name, whose value field must read or Skip. It reports whether there was a map; nil is none.
// A fault is told with the name of its field.
func (r *Reader) Fields(field func(name string)) bool {
	if r.Nil() {
		return false
	}
	for n := r.Map(); n > 0 && r.err == nil; n-- {
		name := r.Text()
		if r.err != nil {
			break
		}
		if field(name); r.err != nil {
			r.err = fmt.Errorf("%.40q %w", name, r.err)
		}
	}
	return r.err == nil
}
