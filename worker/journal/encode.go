// Writing a batch: entries one after the other while there is room, and the head at the end.

package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"sync"

	"protocolq/worker/pack"
)

var (
	// ErrNoRoom says that an entry goes into another batch: this one has no room left.
	ErrNoRoom = errors.New("journal: no room in this batch")
	// ErrInvalid says that an entry fits into no batch: it is too long, or wrong for its kind. Trying
	// again does not help.
	ErrInvalid = errors.New("journal: entry is not valid")

	errAfterSeal = errors.New("comes after the seal")
)

// A batch is its format (1 byte), the CRC32C of everything except these four bytes (4), the head
// (bytes with a length) and the entries (for each its kind, and bytes with a length). Every format
// begins with these five bytes, so that a changed byte is never taken for a newer writer.
const (
	prefix = 5
	// maxHead is more than a head takes: the length, the layout and two numbers.
	maxHead = 2 + 1 + 2*9
	room    = prefix + maxHead
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// sum is the CRC of a batch of prefix bytes or more.
func sum(data []byte) uint32 {
	return crc32.Update(crc32.Update(0, castagnoli, data[:1]), castagnoli, data[prefix:])
}

// Draft is a batch that is being composed. It belongs to one goroutine.
type Draft struct {
	limit   int
	entries []Entry
	out     []byte // with room for the head at the front
	sealed  bool
	number  uint64
}

// NewDraft begins a batch of at most limit bytes; 0 is [MaxBatch], which no limit exceeds.
func NewDraft(limit int) *Draft { return newDraft(limit, make([]byte, 0, 4<<10)) }

// newDraft begins a batch in memory that is no longer needed.
func newDraft(limit int, spare []byte) *Draft {
	if limit <= 0 || limit > MaxBatch {
		limit = MaxBatch
	}
	return &Draft{limit: limit, out: append(spare[:0], make([]byte, room)...)}
}

// Add adds an entry and gives its place in this batch, so that other entries in it can refer to it.
// With [ErrNoRoom] the entry fits into a later batch, with [ErrInvalid] into none; in both cases
// the batch does not change.
func (d *Draft) Add(e Entry) (Ref, error) {
	c := coders.Get().(*coder)
	defer coders.Put(c)
	body, err := c.encode(e)
	if err != nil {
		return Ref{}, err
	}
	return d.put(e, body, d.limit)
}

// coders keep the memory in which entries are encoded.
var coders = sync.Pool{New: func() any { return &coder{} }}

// encode writes an entry's fields. The result is the coder's memory.
func (c *coder) encode(e Entry) ([]byte, error) {
	*c = coder{out: c.out[:0]}
	if e.fields(c); c.err != nil {
		return nil, fmt.Errorf("%w: kind %d: %w", ErrInvalid, e.Kind(), c.err)
	}
	return c.out, nil
}

// overhead is more than what precedes an entry's fields.
const overhead = 3 + 5

// put adds an encoded entry, if the batch then has at most limit bytes.
func (d *Draft) put(e Entry, body []byte, limit int) (Ref, error) {
	switch {
	case d.sealed:
		return Ref{}, fmt.Errorf("%w: kind %d: %w", ErrInvalid, e.Kind(), errAfterSeal)
	case room+len(body)+overhead > d.limit:
		return Ref{},
			fmt.Errorf("%w: kind %d takes %d bytes, a batch at most %d", ErrInvalid, e.Kind(), len(body), d.limit)
	case len(d.entries) == MaxEntries || len(d.out)+len(body)+overhead > limit:
		return Ref{}, ErrNoRoom
	}
	d.out = pack.AppendBytes(pack.AppendInt(d.out, int64(e.Kind())), body)
	d.entries = append(d.entries, e)
	d.sealed = e.Kind() == KindSeal
	return Ref{Index: uint16(len(d.entries))}, nil
}

// Number is the number that the batch has if it is sent: a [Writer] gives the number of an empty
// draft that was not sent to the next one. It is 0 in a draft without a writer.
func (d *Draft) Number() uint64 { return d.number }

// Entries are the entries added so far.
func (d *Draft) Entries() []Entry { return d.entries }

// Size is how many bytes the batch takes at most.
func (d *Draft) Size() int { return len(d.out) }

// Encode gives the batch's bytes, which share the draft's memory, with a head of this package's
// Format and Layout.
func (d *Draft) Encode(number, read uint64) ([]byte, error) {
	head := Head{Format: Format, Layout: Layout, Number: number, Read: read}
	c := coder{}
	if head.fields(&c); c.err != nil {
		return nil, fmt.Errorf("%w: head: %w", ErrInvalid, c.err)
	}
	bytes := pack.AppendBytes(make([]byte, 0, maxHead), c.out)
	data := d.out[room-prefix-len(bytes):]
	copy(data[prefix:], bytes)
	data[0] = Format
	binary.BigEndian.PutUint32(data[1:], sum(data))
	return data, nil
}

// fields takes the head's fields except the format, which precedes it.
func (h *Head) fields(c *coder) {
	c.one(&h.Layout, 255)
	c.sequence(&h.Number)
	c.must(h.Number > 0, errRange)
	c.sequence(&h.Read)
}

// Encode gives the bytes of a whole batch, for tests and for batches that are not composed entry by
// entry.
func Encode(number, read uint64, entries ...Entry) ([]byte, error) {
	d := NewDraft(0)
	for _, e := range entries {
		if _, err := d.Add(e); err != nil {
			return nil, err
		}
	}
	return d.Encode(number, read)
}
