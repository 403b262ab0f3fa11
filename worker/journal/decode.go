// Reading a batch: nothing in it is used before its checksum is verified.

package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"protocolq/worker/pack"
)

var (
	// ErrCorrupt says that a message differs from what was written: an alarm. Its writer is sealed
	// there, see [Batch.Corrupt].
	ErrCorrupt = errors.New("journal: batch is corrupt")
	// ErrNewer says that a batch is intact but not understood, because a newer worker wrote it: this
	// reader leaves the fleet.
	ErrNewer = errors.New("journal: batch is not understood: update this worker")

	errUnknown = errors.New("is not known")
	errMany    = errors.New("are too many")
)

// Message is one message of the log, as it is stored.
type Message struct {
	Member   Member    // whose subject it is on
	Position uint64    // its sequence in the stream
	Stored   time.Time // by the server's clock
	Data     []byte
}

// Decode reads a batch. Its contents share the message's memory: a caller that keeps a query or a
// result for long clones it. With [ErrCorrupt] the batch has only what the log says about it; with
// [ErrNewer] it has no meaning.
func Decode(m Message) (*Batch, error) {
	b := &Batch{Member: m.Member, Position: m.Position, Stored: m.Stored}
	if len(m.Data) < prefix || binary.BigEndian.Uint32(m.Data[1:]) != sum(m.Data) {
		b.Corrupt = append([]byte{}, m.Data...)
		return b, fmt.Errorf("%w: position %d of member %s, %d bytes", ErrCorrupt, m.Position, m.Member, len(m.Data))
	}
	if err := b.decode(m.Data); err != nil {
		return nil, fmt.Errorf("%w: position %d of member %s: %w", ErrNewer, m.Position, m.Member, err)
	}
	return b, nil
}

func (b *Batch) decode(data []byte) error {
	if len(data) > MaxBatch {
		return fmt.Errorf("batch %w", errLong)
	}
	if b.Format = data[0]; b.Format != Format {
		return fmt.Errorf("format %d %w", b.Format, errUnknown)
	}
	r := pack.NewReader(data[prefix:])
	c := coder{in: pack.NewReader(r.Bytes())}
	if b.Head.fields(&c); r.Err() != nil || c.in.Err() != nil {
		return fmt.Errorf("head %w", errors.Join(r.Err(), c.in.Err()))
	}
	if b.Layout > Layout {
		return fmt.Errorf("layout %d %w", b.Layout, errUnknown)
	}
	c.position = b.Position
	for r.Left() > 0 {
		kind, body := r.Int(), r.Bytes()
		if r.Err() != nil {
			return fmt.Errorf("entry %d %w", len(b.Entries)+1, r.Err())
		}
		if err := b.add(&c, kind, body); err != nil {
			return fmt.Errorf("entry %d of kind %d %w", len(b.Entries)+1, kind, err)
		}
	}
	return nil
}

func (b *Batch) add(c *coder, kind int64, body []byte) error {
	switch {
	case len(b.Entries) == MaxEntries:
		return errMany
	case b.Seal() != nil:
		return errAfterSeal
	case kind < 0 || kind > 255:
		return errRange
	}
	e := newEntry(Kind(kind))
	if e == nil && Kind(kind) >= SkippableKind {
		b.Entries = append(b.Entries, &Skipped{Of: Kind(kind), Body: body})
		return nil
	}
	if e == nil {
		return errUnknown
	}
	*c.in = *pack.NewReader(body)
	if e.fields(c); c.in.Err() != nil {
		return c.in.Err()
	}
	b.Entries = append(b.Entries, e)
	return nil
}
