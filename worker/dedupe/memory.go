// A bounded map of the newest entries heard of, in two generations.

package dedupe

// memory keeps the newest entry of each key, bounded in bytes. When the young
// generation is full it becomes the old one and what was old is forgotten: an
// entry that is used moves to the young one. Forgetting costs a read of the
// store, never a wrong answer. Not safe for concurrent use; Group guards it.
type memory struct {
	half       int // bytes a generation may hold
	used       int // bytes in young
	young, old map[string]*Entry
}

func newMemory(bytes int) *memory {
	return &memory{half: bytes / 2, young: map[string]*Entry{}, old: map[string]*Entry{}}
}

// get returns the newest entry heard of for key, or nil.
func (m *memory) get(key string) *Entry {
	if e := m.young[key]; e != nil {
		return e
	}
	e := m.old[key]
	if e != nil {
		m.put(e)
	}
	return e
}

// newest returns the sequence of the newest entry heard of, 0 if none.
func (m *memory) newest(key string) uint64 {
	if e := m.young[key]; e != nil {
		return e.Seq
	}
	if e := m.old[key]; e != nil {
		return e.Seq
	}
	return 0
}

func (m *memory) put(e *Entry) {
	size := e.size()
	if m.used+size > m.half {
		m.old, m.young, m.used = m.young, map[string]*Entry{}, 0
	}
	if before := m.young[e.Key]; before != nil {
		m.used -= before.size()
	}
	m.young[e.Key] = e
	m.used += size
}

func (m *memory) drop(key string) {
	if e := m.young[key]; e != nil {
		m.used -= e.size()
		delete(m.young, key)
	}
	delete(m.old, key)
}

// size is about what an entry costs in memory: the struct, two map slots and
// the allocator's rounding (measured), and what it points at.
func (e *Entry) size() int {
	r := &e.Record
	n := 500 + len(e.Key) + len(r.Journal) + len(r.Question) + len(r.Answer)
	if r.Prev != nil {
		n += 100 + len(r.Prev.Answer)
	}
	return n
}
