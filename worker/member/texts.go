// Texts: the entry at a place of the log, from the batches read recently or from the log itself.

package member

import (
	"context"
	"fmt"
	"sync"
	"time"

	"protocolq/worker/journal"
)

// text is an entry with what the log says about its batch.
type text struct {
	entry  journal.Entry
	writer journal.Member
	stored time.Time // for a copy: when the entry was first stored, if the copy says so
}

// texts keeps the batches that were read recently, up to a number of bytes; the oldest are dropped
// first.
type texts struct {
	log  journal.Getter
	most int

	mu    sync.Mutex // guards what follows
	held  map[uint64]*journal.Batch
	order []uint64 // their positions, the oldest first
	sizes []int
	bytes int
}

func newTexts(log journal.Getter, most int) *texts {
	return &texts{log: log, most: most, held: map[uint64]*journal.Batch{}}
}

// entryBytes is about what an entry takes in addition to its texts.
const entryBytes = 200

// put keeps a batch.
func (t *texts) put(b *journal.Batch) {
	if len(b.Entries) == 0 {
		return
	}
	size := 0
	for _, e := range b.Entries {
		size += entryBytes + textBytes(e)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.held[b.Position] != nil {
		return
	}
	t.held[b.Position] = b
	t.order, t.sizes, t.bytes = append(t.order, b.Position), append(t.sizes, size), t.bytes+size
	for t.bytes > t.most && len(t.order) > 1 {
		delete(t.held, t.order[0])
		t.bytes -= t.sizes[0]
		t.order, t.sizes = t.order[1:], t.sizes[1:]
	}
}

func textBytes(e journal.Entry) int {
	switch e := e.(type) {
	case *journal.Ask:
		return len(e.Query) + len(e.Reply) + len(e.Trace)
	case *journal.Answer:
		n := len(e.Result)
		for _, a := range e.Attempts {
			n += len(a.Detail)
		}
		return n
	case *journal.Begin:
		return len(e.Before.Detail)
	case *journal.Carried:
		return textBytes(e.Entry)
	}
	return 0
}

// forget drops all, because the log was replaced.
func (t *texts) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.held, t.order, t.sizes, t.bytes = map[uint64]*journal.Batch{}, nil, nil, 0
}

// get is the entry at a place, if it is in memory.
func (t *texts) get(at journal.Ref) (text, bool) {
	t.mu.Lock()
	b := t.held[at.Position]
	t.mu.Unlock()
	if b == nil {
		return text{}, false
	}
	x, err := textOf(b, at)
	return x, err == nil
}

// load is the entry at a place, read from the log if it is not in memory.
func (t *texts) load(ctx context.Context, at journal.Ref) (text, error) {
	if x, ok := t.get(at); ok {
		return x, nil
	}
	m, err := t.log.Get(ctx, at.Position)
	if err != nil {
		return text{}, err
	}
	if m.Position == 0 {
		return text{}, fmt.Errorf("member: %w: batch %d", errNotThere, at.Position)
	}
	b, err := journal.Decode(m)
	if err != nil {
		return text{}, err
	}
	return textOf(b, at)
}

// Entry implements [flight.Texts].
func (t *texts) Entry(ctx context.Context, at journal.Ref) (journal.Entry, error) {
	x, err := t.load(ctx, at)
	return x.entry, err
}

func textOf(b *journal.Batch, at journal.Ref) (text, error) {
	if at.Index == 0 || int(at.Index) > len(b.Entries) {
		return text{}, fmt.Errorf("member: %w: entry %v", errNotThere, at)
	}
	x := text{b.Entries[at.Index-1], b.Member, b.Stored}
	if c, ok := x.entry.(*journal.Carried); ok {
		x.writer, x.stored = c.Writer, b.Stored.Add(-c.Age)
	}
	return x, nil
}

// plain is the entry itself, or the entry that a copy copies.
func plain(e journal.Entry) journal.Entry {
	if c, ok := e.(*journal.Carried); ok {
		return c.Entry
	}
	return e
}
