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

// texts keeps the batches that were read recently, up to a number of bytes; those read longest ago
// are dropped first. A batch may hold the asks of a thousand calls that begin at once: it is read
// from the log by one of them, for all.
type texts struct {
	log  journal.Getter
	most int

	mu      sync.Mutex // guards what follows
	held    map[uint64]*journal.Batch
	order   []uint64 // their positions, in the order in which they were read
	sizes   []int
	bytes   int
	reading map[uint64]*reading
}

// reading is a batch that is being read from the log. The fields hold when done is closed.
type reading struct {
	done  chan struct{}
	batch *journal.Batch
	err   error
	// givenUp: the caller that read had no more time, which says nothing about the batch.
	givenUp bool
}

func newTexts(log journal.Getter, most int) *texts {
	return &texts{log: log, most: most, held: map[uint64]*journal.Batch{}, reading: map[uint64]*reading{}}
}

// entryBytes is about what an entry takes in addition to its texts.
const entryBytes = 200

// put keeps a batch.
func (t *texts) put(b *journal.Batch) {
	size := batchBytes(b)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.keep(b, size)
}

func batchBytes(b *journal.Batch) (size int) {
	for _, e := range b.Entries {
		size += entryBytes + textBytes(e)
	}
	return size
}

// keep is put; the caller holds mu.
func (t *texts) keep(b *journal.Batch, size int) {
	if len(b.Entries) == 0 || t.held[b.Position] != nil {
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
	t.reading = map[uint64]*reading{} // what is being read may be of either log
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
	for {
		if x, ok := t.get(at); ok {
			return x, nil
		}
		r, first := t.share(at.Position)
		if first {
			r.batch, r.err = t.read(ctx, at.Position)
			r.givenUp = r.err != nil && ctx.Err() != nil
			t.finish(at.Position, r)
		}
		select {
		case <-r.done:
		case <-ctx.Done():
			return text{}, ctx.Err()
		}
		switch {
		case r.err == nil:
			return textOf(r.batch, at)
		case first || !r.givenUp:
			return text{}, r.err
		}
	}
}

// share returns the reading of a batch, which others may share. first: the caller has to read it.
func (t *texts) share(position uint64) (r *reading, first bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if r = t.reading[position]; r != nil {
		return r, false
	}
	r = &reading{done: make(chan struct{})}
	t.reading[position] = r
	return r, true
}

// finish keeps what was read, unless the log was replaced meanwhile.
func (t *texts) finish(position uint64, r *reading) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.reading[position] == r {
		delete(t.reading, position)
		if r.err == nil {
			t.keep(r.batch, batchBytes(r.batch))
		}
	}
	close(r.done)
}

// read reads a batch from the log.
func (t *texts) read(ctx context.Context, position uint64) (*journal.Batch, error) {
	m, err := t.log.Get(ctx, position)
	if err != nil {
		return nil, err
	}
	if m.Position == 0 {
		return nil, fmt.Errorf("member: %w: batch %d", errNotThere, position)
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
