// Composing a batch: what was queued, then what is decided now.

package journal

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// composed is a batch with all entries that wait for it.
type composed struct {
	data      []byte
	entries   []Entry
	queued    []queued // the first of the entries
	beats     []func(error)
	seals     bool
	firstSent time.Time
	unknown   bool // it is on its way, and may be in the log
	stored    bool // it is there, at an unknown position
}

// reserve is the part of a batch that queued entries leave for decisions, so that they do not keep
// decisions out of it. What finds no room nevertheless is decided again for the next batch.
func reserve(limit int) int { return limit / 4 }

// compose makes a batch of what waits; nil when there is nothing to send.
func (w *Writer) compose(number uint64) (*composed, error) {
	d := newDraft(w.o.Limit, w.spare)
	d.number = number
	b := &composed{}
	w.mu.Lock()
	w.taken = append(w.taken, w.queue...)
	w.queue, w.decide = nil, false
	b.beats, w.beats = w.beats, nil
	seal := w.seal
	w.mu.Unlock()

	w.dropUnwanted()
	b.queued = w.taken
	for i, q := range w.taken {
		if _, err := d.put(q.entry, q.body, w.o.Limit-reserve(w.o.Limit)); err != nil {
			b.queued = w.taken[:i] // no room: it is the first of the next batch
			break
		}
		w.waiting.Add(-int64(len(q.body)))
	}
	w.taken = w.taken[len(b.queued):]
	read := uint64(0)
	if w.o.Decide != nil {
		read = w.o.Decide(d)
	}
	if seal != nil && len(w.taken) == 0 {
		_, err := d.Add(seal)
		if err != nil && !errors.Is(err, ErrNoRoom) {
			return b, err
		}
		b.seals = err == nil
	}
	if b.entries = d.Entries(); len(b.entries) == 0 && len(b.beats) == 0 {
		return nil, nil
	}
	var err error
	b.data, err = d.Encode(number, read)
	return b, err
}

// dropUnwanted drops entries that are no longer wanted.
func (w *Writer) dropUnwanted() {
	w.taken = slices.DeleteFunc(w.taken, func(q queued) bool {
		if q.unwanted == nil || !q.unwanted() {
			return false
		}
		w.waiting.Add(-int64(len(q.body)))
		if q.done != nil {
			q.done(Ref{}, ErrUnwanted)
		}
		return true
	})
}

// end tells all that wait for a batch why it was not stored, or that this is not known.
func (b *composed) end(by error) {
	err := fmt.Errorf("%w: %w", ErrEnded, by)
	switch {
	case b.stored:
		err = fmt.Errorf("%w: %w", ErrStored, by)
	case b.unknown:
		err = fmt.Errorf("%w: %w", ErrUnknown, by)
	}
	for _, q := range b.queued {
		if q.done != nil {
			q.done(Ref{}, err)
		}
	}
	for _, done := range b.beats {
		done(err)
	}
}
