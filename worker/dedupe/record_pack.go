// A record as bytes: a map written field by field.

package dedupe

import "protocolq/worker/pack"

// encode writes the fields in the order of the type: the owner first, see written.
func (r *Record) encode() []byte {
	f := pack.NewFields(256 + len(r.Journal) + len(r.Answer))
	f.Text("owner", r.Owner)
	f.Text("phase", string(r.Phase))
	f.Text("run", r.Run)
	f.Text("ask", r.Ask)
	f.Int("attempt", int64(r.Attempt))
	f.Int("begun_ms", r.BegunMs)
	f.Bytes("journal", r.Journal)
	f.Int("deaths", int64(r.Deaths))
	f.Int("lease_ms", r.LeaseMs)
	f.Bytes("question", r.Question)
	f.Bytes("answer", r.Answer)
	f.Int("keep_ms", r.KeepMs)
	f.Flag("failed", r.Failed)
	f.Flag("once", r.Once)
	if r.Prev != nil {
		f.Value("prev", r.Prev.encode())
	}
	return f.Encoded()
}

func (k *Kept) encode() []byte {
	f := pack.NewFields(128 + len(k.Answer))
	f.Text("run", k.Run)
	f.Bytes("answer", k.Answer)
	f.Int("at_ms", k.AtMs)
	f.Int("keep_ms", k.KeepMs)
	return f.Encoded()
}
