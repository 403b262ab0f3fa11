// A batch: what one member decided together, as one message of the log.

package journal

import (
	"cmp"
	"fmt"
	"time"
)

// Batch is one message of the log, written by one member on its own subject, except that another
// may write the member's seal.
type Batch struct {
	Head
	Entries []Entry // none in a beat; at most [MaxEntries]

	// What follows is not in the message's bytes; the log adds it to the message. It is zero before
	// the batch is stored.

	Member   Member    // whose subject it is on
	Position uint64    // its sequence in the stream, from 1 on
	Stored   time.Time // by the server's clock
	// Corrupt holds the bytes of a damaged message, of which nothing else is known. Its writer is
	// sealed here, and because it may have held a begin, all of that member's keys wait for a whole
	// lease. It is nil in any other batch.
	Corrupt []byte
}

// Head is what a batch says about itself.
type Head struct {
	// Format is the arrangement of the bytes, Layout the rules by which the fleet folds them. A reader
	// that is older than either leaves the fleet.
	Format, Layout uint8
	// Number counts the member's batches from 1 on. A seal has the number that the next batch would
	// have had.
	Number uint64
	// Read is the position that the writer had applied when it decided what is in the batch. It
	// never exceeds the position of any decision that is not yet in a batch.
	Read uint64
}

// Seal is the batch's seal, or nil: it is always the last entry.
func (b *Batch) Seal() *Seal {
	if len(b.Entries) == 0 {
		return nil
	}
	s, _ := b.Entries[len(b.Entries)-1].(*Seal)
	return s
}

// Ref is the place of the entry at index i of the batch.
func (b *Batch) Ref(i int) Ref { return Ref{Position: b.Position, Index: uint16(i + 1)} }

// Member is the id of one incarnation of a worker, unique in space and time: 1 to 64 of A-Z, a-z,
// 0-9, - and _, for it is a token of subjects.
type Member string

// Valid reports whether m can be a member's id.
func (m Member) Valid() bool {
	for i := range len(m) {
		if c := m[i]; c != '-' && c != '_' && (c < '0' || '9' < c) && (c < 'A' || 'Z' < c) && (c < 'a' || 'z' < c) {
			return false
		}
	}
	return 1 <= len(m) && len(m) <= MaxMember
}

// Key is the first 128 bits of the sum that a key's token is written from.
type Key [16]byte

// Hash is 128 bits of a hash: of a question, or keyed of an id or a person. The zero Hash is that
// of nothing.
type Hash [16]byte

// Ref is the first place of an entry: the position of its batch and its number there, from 1 on. It
// is the entry's identity and stays the same when the entry is carried. The zero Ref is that of
// nothing. A Ref with an Index and Position 0 refers to its own batch, whose position is not known
// before it is stored; reading a batch fills it in.
type Ref struct {
	Position uint64
	Index    uint16
}

// Compare orders places as the log does: below 0 if r is before o.
func (r Ref) Compare(o Ref) int {
	return cmp.Or(cmp.Compare(r.Position, o.Position), cmp.Compare(r.Index, o.Index))
}

// IsZero reports whether r is the place of nothing.
func (r Ref) IsZero() bool { return r == Ref{} }

// String is position/index.
func (r Ref) String() string { return fmt.Sprintf("%d/%d", r.Position, r.Index) }

// Format and Layout of the batches that this package writes, and the newest that it reads.
const (
	Format = 1
	Layout = 1
)

// Bounds of a batch. A batch that exceeds one is refused when written, and not understood when
// read.
const (
	MaxBatch    = 256 << 10 // bytes of a batch with its head
	MaxEntries  = 16 << 10  // in a batch
	MaxRefs     = 8 << 10   // in one entry
	MaxFinal    = 2 << 10   // in one answer
	MaxAttempts = 64        // in one answer
	MaxMember   = 64        // bytes of a member's id
)
