// Texts: the entry at a place of the log, from the batches read recently or from the log itself.

package member

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"protocolq/worker/journal"
	"protocolq/worker/memory"
)

// text is an entry with what the log says about its batch.
type text struct {
	entry  journal.Entry
	writer journal.Member
	stored time.Time // for a copy: when the entry was first stored, if the copy says so
}

// texts keeps batches of the log in memory, up to a number of bytes: those that were applied
// recently, and in half of the room those that had to be read again. A batch may hold the asks
// of a thousand calls that begin at once: it is read once for all of them.
type texts struct {
	log    getter
	most   int                            // bytes of applied batches
	loaded *memory.Bodies[*journal.Batch] // read again, by their position

	mu    sync.Mutex // guards what follows, which is about applied batches
	held  map[uint64]*journal.Batch
	order []uint64 // their positions, the oldest first
	sizes []int
	bytes int
}

// getter is the log for texts.
type getter interface {
	journal.Getter
	journal.Leader
}

func newTexts(log getter, most int) *texts {
	return &texts{log: log, most: most / 2, held: map[uint64]*journal.Batch{},
		loaded: memory.NewBodies(most/2, batchBytes)}
}

// entryBytes is about what an entry takes in addition to its texts.
const entryBytes = 200

// put keeps an applied batch; the oldest ones are dropped first.
func (t *texts) put(b *journal.Batch) {
	if len(b.Entries) == 0 {
		return
	}
	size := batchBytes(b)
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

func batchBytes(b *journal.Batch) (size int) {
	for _, e := range b.Entries {
		size += entryBytes + textBytes(e)
	}
	return size
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

// forget drops all, because the log was replaced or a person is to be forgotten.
func (t *texts) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.held, t.order, t.sizes, t.bytes = map[uint64]*journal.Batch{}, nil, nil, 0
	t.loaded.Clear()
}

// get is the entry at a place, if it is in memory. An applied batch counts more than one that was
// read again: after the log was replaced, a server may still have the one before.
func (t *texts) get(at journal.Ref) (text, bool) {
	t.mu.Lock()
	b := t.held[at.Position]
	t.mu.Unlock()
	if b == nil {
		b, _ = t.loaded.Get(journal.Ref{Position: at.Position})
	}
	if b == nil {
		return text{}, false
	}
	x, err := textOf(b, at)
	return x, err == nil
}

// load is the entry at a place, read from the log if it is not in memory. A response may be lost,
// so it is waited for only for a while, then asked for again until ctx ends.
func (t *texts) load(ctx context.Context, at journal.Ref) (text, error) {
	for {
		if x, ok := t.get(at); ok {
			return x, nil
		}
		b, err := t.loaded.Load(ctx, journal.Ref{Position: at.Position}, t.read)
		if err == nil {
			return textOf(b, at)
		}
		if ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded) {
			return text{}, err
		}
	}
}

// responseTime is how long the response to one read is waited for.
const responseTime = 500 * time.Millisecond

// read reads a batch from the log: at the leader, if the server that replies does not have it or
// has it damaged.
func (t *texts) read(ctx context.Context, at journal.Ref) (*journal.Batch, error) {
	ctx, cancel := context.WithTimeout(ctx, responseTime)
	defer cancel()
	m, err := t.log.Get(ctx, at.Position)
	if err != nil {
		return nil, err
	}
	b, err := batchIn(m, at)
	if err == nil {
		return b, nil
	}
	if m, failed := t.log.AtLeader(ctx, at.Position); failed == nil {
		return batchIn(m, at)
	}
	return nil, err
}

func batchIn(m journal.Message, at journal.Ref) (*journal.Batch, error) {
	if m.Position == 0 {
		return nil, fmt.Errorf("member: %w: batch %d", errNotThere, at.Position)
	}
	return journal.Decode(m)
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
