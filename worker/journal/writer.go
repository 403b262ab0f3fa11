// Writing: group commit, one batch on its way at a time.

package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"protocolq/worker/pause"
)

var (
	// ErrSealed ends a writer whose member was sealed by another: entries that are not journalled go
	// to the next member.
	ErrSealed = errors.New("journal: this member is sealed")
	// ErrRewound ends a writer whose log was restored from an older copy or made again: an alarm.
	// Everything that was read of it is void.
	ErrRewound = errors.New("journal: the log is not the one that was written to")
	// ErrQueueFull says that too much waits to be written.
	ErrQueueFull = errors.New("journal: too much waits to be written")
	// ErrEnded says that the writer has ended and an entry was not stored.
	ErrEnded = errors.New("journal: the writer has ended")
	// ErrUnwanted says that an entry was no longer wanted when its batch was composed.
	ErrUnwanted = errors.New("journal: no longer wanted")
	// ErrUnknown says that the writer ended while an entry was on its way: it may have been stored.
	// The next member journals it again; by its token or run both count as one.
	ErrUnknown = errors.New("journal: ended before it was known whether this was stored")
	// ErrStored says that the writer has ended but an entry is stored, at an unknown position: the
	// member was sealed after it. It must not be journalled again.
	ErrStored = errors.New("journal: stored, and its member sealed after it")
)

const (
	maxQueue     = 8 << 20
	gapPerMember = 200 * time.Microsecond
	// gapAhead is how much of the coming gaps may be used in advance: timers are no finer than a
	// millisecond, and a single batch must not wait for one.
	gapAhead = 2 * time.Millisecond
)

// WriterOptions are what a [Writer] needs. Log and Member are needed.
type WriterOptions struct {
	Log    Appender
	Member Member // a new one, which no writer has used before
	// Limit is how many bytes a batch takes at most; 0 is [MaxBatch], which no limit exceeds.
	Limit int
	// Decide is called when a batch is composed, and only then: it makes the decisions that are due,
	// adds them, and returns the position up to which the log was applied when they were made. Queued
	// entries are in the draft already, so that a begin can refer to an ask in the same batch. A
	// decision that finds no room is made again for the next batch. An empty draft is sent only for a
	// beat or a seal; otherwise the next one has its number. Nil: there are no decisions.
	Decide func(d *Draft) (read uint64)
	// Stored is called with each stored batch, in order, before the done functions of its entries. It
	// must not block.
	Stored func(Written)
	Logger *slog.Logger // nil: none
}

// Written is a batch of a [Writer] that is stored.
type Written struct {
	Number   uint64
	Position uint64
	// FirstSent is when it was sent for the first time: the member's lease counts from here. It has
	// the monotonic clock's reading and the wall clock's.
	FirstSent time.Time
	Entries   []Entry // entry i has the place {Position, i+1}
}

// Writer appends the batches of one member. Its methods are safe for concurrent use.
type Writer struct {
	o    WriterOptions
	log  *slog.Logger
	wake chan struct{} // something waits; has room for one
	gap  atomic.Int64  // from one batch to the next

	waiting atomic.Int64 // bytes of entries that wait
	taken   []queued     // out of the queue and in no batch yet; only Run uses it
	spread  time.Time    // when the gaps of all batches so far have passed; only Run uses it
	spare   []byte       // memory of a stored batch; only Run uses it
	unsent  trouble      // with sending a batch; only Run uses it
	unread  trouble      // with reading what happened to it; only Run uses it

	mu      sync.Mutex // guards what follows; held for lines
	queue   []queued
	decide  bool
	beats   []func(error)
	seal    *Seal
	endedBy error
}

// queued is an entry that waits for its batch.
type queued struct {
	entry    Entry
	body     []byte // encoded
	unwanted func() bool
	done     func(Ref, error)
}

// NewWriter makes the writer of a new member, which joins with the first batch.
func NewWriter(o WriterOptions) (*Writer, error) {
	if o.Log == nil || !o.Member.Valid() {
		return nil, fmt.Errorf("journal: a writer needs a log and a member's id, not %q", o.Member)
	}
	if o.Limit <= 0 || o.Limit > MaxBatch {
		o.Limit = MaxBatch
	}
	log := o.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Writer{o: o, log: log.With("member", string(o.Member)), wake: make(chan struct{}, 1)}, nil
}

// SetMembers sets how many members the fleet has, including this one. The more there are, the
// longer each waits between batches (0.2 ms for each other member). Otherwise batches would become
// small, and every member reads every batch.
func (w *Writer) SetMembers(n int) { w.gap.Store(int64(max(n-1, 0)) * int64(gapPerMember)) }

// Append queues an entry for the next batch that has room. done, if it is not nil, is called once,
// from Run, with the entry's place or with the reason why it is not stored ([ErrUnknown]: it may be
// stored; [ErrStored]: it is stored, somewhere); it must not block. If Append itself gives an
// error, done is never called.
func (w *Writer) Append(e Entry, done func(Ref, error)) error { return w.AppendUnless(e, nil, done) }

// AppendUnless is Append, but the entry is left out, with [ErrUnwanted], if unwanted says so when
// its batch is composed: it may have waited long. unwanted must not block.
func (w *Writer) AppendUnless(e Entry, unwanted func() bool, done func(Ref, error)) error {
	c := coders.Get().(*coder)
	defer coders.Put(c)
	body, err := c.encode(e)
	if err != nil {
		return err
	}
	body = bytes.Clone(body)
	if len(body) > w.o.Limit-reserve(w.o.Limit)-room-overhead {
		return fmt.Errorf("%w: kind %d takes %d bytes, of a batch of at most %d", ErrInvalid, e.Kind(), len(body),
			w.o.Limit)
	}
	return w.add(func() error {
		if w.waiting.Add(int64(len(body))) > maxQueue {
			w.waiting.Add(-int64(len(body)))
			return ErrQueueFull
		}
		w.queue = append(w.queue, queued{e, body, unwanted, done})
		return nil
	})
}

// Wake says that there is something to decide. An empty batch is not sent.
func (w *Writer) Wake() {
	_ = w.add(func() error { w.decide = true; return nil })
}

// Beat sends a batch, even an empty one, and calls done, if it is not nil, when the batch is
// stored. This renews the member's lease, and proves that it can write before it seals another.
func (w *Writer) Beat(done func(error)) error {
	return w.add(func() error {
		if done == nil {
			done = func(error) {}
		}
		w.beats = append(w.beats, done)
		return nil
	})
}

// Seal ends the member: queued entries are written, then its own seal, and Run returns.
func (w *Writer) Seal(why string) error {
	return w.add(func() error {
		if w.seal == nil {
			w.seal = &Seal{By: w.o.Member, Why: why}
		}
		return nil
	})
}

// add changes what waits, and wakes Run.
func (w *Writer) add(change func() error) error {
	w.mu.Lock()
	err := w.endedBy
	if err == nil {
		err = change()
	}
	w.mu.Unlock()
	if err != nil {
		return err
	}
	select {
	case w.wake <- struct{}{}:
	default:
	}
	return nil
}

// Run writes until the member has sealed itself (nil), is sealed by another ([ErrSealed]), its log
// was replaced ([ErrRewound]), the log refuses permanently ([ErrPermanent]), or ctx ends. It is
// called once.
func (w *Writer) Run(ctx context.Context) error {
	s := sent{member: w.o.Member}
	var b *composed
	err := func() error {
		for {
			if err := w.rest(ctx); err != nil {
				return err
			}
			s.number++
			var err error
			if b, err = w.compose(s.number); err != nil {
				return err
			}
			if b == nil {
				s.number--
				continue
			}
			s.seals = b.seals
			w.paced(time.Now())
			if s.expect, err = w.store(ctx, s, b); err != nil {
				return err
			}
			w.stored(b, s)
			if b = nil; s.seals {
				return nil
			}
		}
	}()
	w.end(b, err)
	return err
}

// rest waits until there is something to write, and the gaps after earlier batches have passed.
func (w *Writer) rest(ctx context.Context) error {
	for len(w.taken) == 0 && !w.due() {
		select {
		case <-w.wake:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return pause.For(ctx, time.Until(w.spread.Add(-gapAhead)))
}

// paced counts the gap after a batch that is sent now.
func (w *Writer) paced(now time.Time) {
	if w.spread.Before(now) {
		w.spread = now
	}
	w.spread = w.spread.Add(time.Duration(w.gap.Load()))
}

// due reports whether there is something to write. Adding something after that wakes Run.
func (w *Writer) due() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.queue) > 0 || w.decide || len(w.beats) > 0 || w.seal != nil
}

// stored passes on that a batch is in the log.
func (w *Writer) stored(b *composed, s sent) {
	written := Written{Number: s.number, Position: s.expect, FirstSent: b.firstSent, Entries: b.entries}
	w.spare = b.data[:0]
	if w.o.Stored != nil {
		w.o.Stored(written)
	}
	for i, q := range b.queued {
		if q.done != nil {
			q.done(Ref{Position: s.expect, Index: uint16(i + 1)}, nil)
		}
	}
	for _, done := range b.beats {
		done(nil)
	}
}

// end tells all waiting entries that they will not be stored.
func (w *Writer) end(b *composed, by error) {
	w.mu.Lock()
	w.endedBy = ErrEnded
	if by != nil {
		w.endedBy = fmt.Errorf("%w: %w", ErrEnded, by)
	}
	queue, beats, err := append(w.taken, w.queue...), w.beats, w.endedBy
	w.taken, w.queue, w.beats = nil, nil, nil
	w.mu.Unlock()
	if b != nil {
		b.end(by)
	}
	for _, q := range queue {
		if q.done != nil {
			q.done(Ref{}, err)
		}
	}
	for _, done := range beats {
		done(err)
	}
}
