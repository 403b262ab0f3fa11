// A record as bytes: a msgpack map written field by field, as every run writes two and reflection made each 15 allocations.

package dedupe

import "encoding/binary"

// pack appends the fields of a map that are not zero. Their names are shorter than 32 bytes and they are fewer than 16.
type pack struct{ b []byte }

func newPack(room int) *pack { return &pack{append(make([]byte, 0, room), 0x80)} }

func (p *pack) name(s string) {
	p.b[0]++
	p.b = append(append(p.b, 0xa0|byte(len(s))), s...)
}

func (p *pack) text(name, v string) {
	if v == "" {
		return
	}
	p.name(name)
	if n := len(v); n < 32 {
		p.b = append(p.b, 0xa0|byte(n))
	} else {
		p.size(0xd9, n)
	}
	p.b = append(p.b, v...)
}

func (p *pack) bytes(name string, v []byte) {
	if len(v) == 0 {
		return
	}
	p.name(name)
	p.size(0xc4, len(v))
	p.b = append(p.b, v...)
}

// size writes a length in 1, 2 or 4 bytes after its head; head is that of 1.
func (p *pack) size(head byte, n int) {
	switch {
	case n < 1<<8:
		p.b = append(p.b, head, byte(n))
	case n < 1<<16:
		p.b = binary.BigEndian.AppendUint16(append(p.b, head+1), uint16(n))
	default:
		p.b = binary.BigEndian.AppendUint32(append(p.b, head+2), uint32(n))
	}
}

func (p *pack) number(name string, v int64) {
	switch {
	case v == 0:
		return
	case 0 < v && v < 128:
		p.name(name)
		p.b = append(p.b, byte(v))
	default:
		p.name(name)
		p.b = binary.BigEndian.AppendUint64(append(p.b, 0xd3), uint64(v))
	}
}

func (p *pack) flag(name string, v bool) {
	if v {
		p.name(name)
		p.b = append(p.b, 0xc3)
	}
}

// encode writes the fields in the order of the type: the owner first, see written.
func (r *Record) encode() []byte {
	p := newPack(256 + len(r.Journal) + len(r.Answer))
	p.text("owner", r.Owner)
	p.text("phase", string(r.Phase))
	p.text("run", r.Run)
	p.text("ask", r.Ask)
	p.number("attempt", int64(r.Attempt))
	p.number("begun_ms", r.BegunMs)
	p.bytes("journal", r.Journal)
	p.number("deaths", int64(r.Deaths))
	p.number("lease_ms", r.LeaseMs)
	p.bytes("question", r.Question)
	p.bytes("answer", r.Answer)
	p.number("keep_ms", r.KeepMs)
	p.flag("failed", r.Failed)
	p.flag("once", r.Once)
	if r.Prev != nil {
		p.name("prev")
		p.b = append(p.b, r.Prev.encode()...)
	}
	return p.b
}

func (k *Kept) encode() []byte {
	p := newPack(128 + len(k.Answer))
	p.text("run", k.Run)
	p.bytes("answer", k.Answer)
	p.number("at_ms", k.AtMs)
	p.number("keep_ms", k.KeepMs)
	return p.b
}
