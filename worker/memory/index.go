// The index: for each remembered key where its answer is in the log, and until when it serves.

package memory

import (
	"encoding/binary"
	"iter"
	"math/bits"
	"time"

	"protocolq/worker/journal"
)

// Answer is what the index holds of a remembered answer.
type Answer struct {
	// At is where its text is: its first place, or its newest copy if Copied.
	At     journal.Ref
	Copied bool
	// Question is part of a hash of what was asked, see [Question].
	Question uint32
	// Expires is when it no longer serves, on the caller's monotonic clock, rounded down to a Tick:
	// never later than the given time.
	Expires time.Duration
}

// Tick is the resolution of an expiry: four bytes reach 6.8 years from the clock's zero. A later
// expiry counts as that.
const Tick = 50 * time.Millisecond

// Question is the part of a question's hash that the index compares. Two questions of one key are
// taken for equal once in 4 billion.
func Question(h journal.Hash) uint32 { return binary.LittleEndian.Uint32(h[:4]) }

// slot is an Answer with its key.
type slot struct {
	key      journal.Key
	position [6]byte
	place    uint16 // the index of its Ref; the highest bit says that it is copied
	expires  uint32 // in ticks
	question uint32
}

const copied = 1 << 15

// Parts is how many tables an index has. Each grows alone, so that growing holds up a caller for a
// few milliseconds at most.
const Parts = 256

// Index maps keys to answers. The zero Index is empty. It is not safe for concurrent use.
type Index struct {
	tables [Parts]table
	length int
}

// table is an open-addressed part of the index, its slots nearly in the order of their keys. It is
// so full that a search passes many slots: it looks at their tags, which lie side by side.
type table struct {
	slots []slot
	tags  []byte // of each slot: 0 if it is free, otherwise a part of its key
	used  int
}

// Len is how many answers the index holds.
func (x *Index) Len() int { return x.length }

// Put remembers a key's answer; it replaces any other.
func (x *Index) Put(k journal.Key, a Answer) {
	t := &x.tables[k[0]]
	if len(t.slots) == 0 || t.used+1 > len(t.slots)*7/8 {
		t.grow()
	}
	i := t.find(k)
	if t.tags[i] == 0 {
		t.used++
		x.length++
	}
	t.slots[i], t.tags[i] = pack(k, a), tag(k)
}

// Get is the key's answer. The caller decides whether it still serves.
func (x *Index) Get(k journal.Key) (Answer, bool) {
	t := &x.tables[k[0]]
	if t.used == 0 {
		return Answer{}, false
	}
	i := t.find(k)
	return t.slots[i].answer(), t.tags[i] != 0
}

// Delete forgets the key's answer.
func (x *Index) Delete(k journal.Key) {
	t := &x.tables[k[0]]
	if t.used == 0 {
		return
	}
	if i := t.find(k); t.tags[i] != 0 {
		t.remove(i)
		t.used--
		x.length--
	}
}

// All calls yield for each answer, in no order, until yield returns false. The index must not be
// changed meanwhile.
func (x *Index) All(yield func(journal.Key, Answer) bool) {
	for part := range Parts {
		if !x.each(part, yield) {
			return
		}
	}
}

// Part is All for one part, from 0 to Parts-1.
func (x *Index) Part(part int) iter.Seq2[journal.Key, Answer] {
	return func(yield func(journal.Key, Answer) bool) { x.each(part, yield) }
}

func (x *Index) each(part int, yield func(journal.Key, Answer) bool) bool {
	t := &x.tables[part]
	for i := range t.slots {
		if s := &t.slots[i]; t.tags[i] != 0 && !yield(s.key, s.answer()) {
			return false
		}
	}
	return true
}

// Forget removes from one part what expired before the given time, and returns the next part.
func (x *Index) Forget(part int, before time.Duration) (next int) {
	t := &x.tables[part%Parts]
	for i := 0; i < len(t.slots); {
		if t.tags[i] == 0 || time.Duration(t.slots[i].expires)*Tick >= before {
			i++
			continue
		}
		t.remove(i) // another may have moved to i
		t.used--
		x.length--
	}
	return (part + 1) % Parts
}

// find is the slot of the key, or the free slot where it belongs. The table is never full.
func (t *table) find(k journal.Key) int {
	i, of := t.home(k), tag(k)
	for t.tags[i] != 0 && (t.tags[i] != of || t.slots[i].key != k) {
		if i++; i == len(t.tags) {
			i = 0
		}
	}
	return i
}

// tag is a byte of a key, and never 0.
func tag(k journal.Key) byte { return max(k[9], 1) }

// home is the slot where the search for a key begins. Keys are hash sums; their first byte chose
// the table.
func (t *table) home(k journal.Key) int {
	high, _ := bits.Mul64(binary.BigEndian.Uint64(k[1:9]), uint64(len(t.slots)))
	return int(high)
}

// remove frees a slot and moves those after it that would otherwise no longer be found.
func (t *table) remove(i int) {
	n := len(t.slots)
	for j := (i + 1) % n; t.tags[j] != 0; j = (j + 1) % n {
		if home := t.home(t.slots[j].key); (j-home+n)%n >= (j-i+n)%n {
			t.slots[i], t.tags[i] = t.slots[j], t.tags[j]
			i = j
		}
	}
	t.slots[i], t.tags[i] = slot{}, 0
}

// grow makes a fifth more room. With an eighth, filling takes 1.5 times as long, and the memory is
// hardly less.
func (t *table) grow() {
	slots, tags := t.slots, t.tags
	n := max(8, len(slots)*6/5+1)
	t.slots, t.tags = make([]slot, n), make([]byte, n)
	for i := range slots {
		if tags[i] != 0 {
			at := t.find(slots[i].key)
			t.slots[at], t.tags[at] = slots[i], tags[i]
		}
	}
}

func pack(k journal.Key, a Answer) slot {
	s := slot{key: k, place: a.At.Index, question: a.Question}
	for i := range s.position {
		s.position[i] = byte(a.At.Position >> (8 * i))
	}
	if a.Copied {
		s.place |= copied
	}
	s.expires = uint32(min(max(a.Expires, 0)/Tick, 1<<32-1))
	return s
}

func (s *slot) answer() Answer {
	a := Answer{Copied: s.place&copied != 0, Question: s.question, Expires: time.Duration(s.expires) * Tick}
	a.At.Index = s.place &^ copied
	for i, b := range s.position {
		a.At.Position |= uint64(b) << (8 * i)
	}
	return a
}
