// Bytes as a record.

package dedupe

import (
	"bytes"
	"errors"
	"fmt"

	"protocolq/worker/pack"
)

// DecodeRecord reads a stored record. Only processes of the fleet may write records, so
// this guards against accidents: it never asks for more memory than the input has bytes.
func DecodeRecord(b []byte) (Record, error) {
	var r Record
	in := pack.NewReader(b)
	if len(b) > maxRecord {
		in.Fail(fmt.Errorf("%d bytes, at most %d are read", len(b), maxRecord))
	}
	r.read(in)
	switch r.Phase {
	case Running, Suspect, Released, Done:
	default:
		in.Fail(fmt.Errorf("unknown phase %q", r.Phase))
	}
	if in.Left() > 0 {
		in.Fail(errors.New("more bytes follow it"))
	}
	if err := in.Err(); err != nil {
		return Record{}, fmt.Errorf("decode record: %w", err)
	}
	return r, nil
}

// read takes in a map. Bytes are copied: what was read would keep the whole message in memory.
func (r *Record) read(in *pack.Reader) {
	in.Fields(func(name string) {
		switch name {
		case "owner":
			r.Owner = in.Text()
		case "phase":
			r.Phase = Phase(in.Text())
		case "run":
			r.Run = in.Text()
		case "ask":
			r.Ask = in.Text()
		case "attempt":
			r.Attempt = int(in.Int())
		case "begun_ms":
			r.BegunMs = in.Int()
		case "journal":
			r.Journal = bytes.Clone(in.Bytes())
		case "deaths":
			r.Deaths = int(in.Int())
		case "lease_ms":
			r.LeaseMs = in.Int()
		case "question":
			r.Question = bytes.Clone(in.Bytes())
		case "answer":
			r.Answer = bytes.Clone(in.Bytes())
		case "keep_ms":
			r.KeepMs = in.Int()
		case "failed":
			r.Failed = in.Flag()
		case "once":
			r.Once = in.Flag()
		case "prev":
			var k Kept
			if r.Prev = nil; k.read(in) {
				r.Prev = &k
			}
		default:
			in.Skip()
		}
	})
}

func (k *Kept) read(in *pack.Reader) bool {
	return in.Fields(func(name string) {
		switch name {
		case "run":
			k.Run = in.Text()
		case "answer":
			k.Answer = bytes.Clone(in.Bytes())
		case "at_ms":
			k.AtMs = in.Int()
		case "keep_ms":
			k.KeepMs = in.Int()
		default:
			in.Skip()
		}
	})
}
