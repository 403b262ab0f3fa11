// A record as bytes: a map written field by field.

package dedupe

import "protocolq/worker/pack"

// mapping appends the fields of a map that are not zero. They are fewer than 16.
type mapping struct{ b []byte }

func newMapping(room int) *mapping { return &mapping{append(make([]byte, 0, room), 0x80)} }

func (m *mapping) name(s string) {
	m.b[0]++
	m.b = pack.AppendText(m.b, s)
}

func (m *mapping) text(name, v string) {
	if v != "" {
		m.name(name)
		m.b = pack.AppendText(m.b, v)
	}
}

func (m *mapping) bytes(name string, v []byte) {
	if len(v) > 0 {
		m.name(name)
		m.b = pack.AppendBytes(m.b, v)
	}
}

func (m *mapping) number(name string, v int64) {
	if v != 0 {
		m.name(name)
		m.b = pack.AppendInt(m.b, v)
	}
}

func (m *mapping) flag(name string, v bool) {
	if v {
		m.name(name)
		m.b = pack.AppendFlag(m.b, v)
	}
}

// encode writes the fields in the order of the type: the owner first, see written.
func (r *Record) encode() []byte {
	m := newMapping(256 + len(r.Journal) + len(r.Answer))
	m.text("owner", r.Owner)
	m.text("phase", string(r.Phase))
	m.text("run", r.Run)
	m.text("ask", r.Ask)
	m.number("attempt", int64(r.Attempt))
	m.number("begun_ms", r.BegunMs)
	m.bytes("journal", r.Journal)
	m.number("deaths", int64(r.Deaths))
	m.number("lease_ms", r.LeaseMs)
	m.bytes("question", r.Question)
	m.bytes("answer", r.Answer)
	m.number("keep_ms", r.KeepMs)
	m.flag("failed", r.Failed)
	m.flag("once", r.Once)
	if r.Prev != nil {
		m.name("prev")
		m.b = append(m.b, r.Prev.encode()...)
	}
	return m.b
}

func (k *Kept) encode() []byte {
	m := newMapping(128 + len(k.Answer))
	m.text("run", k.Run)
	m.bytes("answer", k.Answer)
	m.number("at_ms", k.AtMs)
	m.number("keep_ms", k.KeepMs)
	return m.b
}
