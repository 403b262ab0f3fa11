// Reading: one contiguous cursor over the log's positions.

package journal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// ErrPurged ends a reader that was so far behind that the log was purged beyond it: what was read
// is void, because a part is missing. A new reader begins with what the log holds now.
var ErrPurged = errors.New("journal: the log was purged beyond this reader")

const (
	maxAhead  = 64 << 20        // bytes that wait to be read
	readWait  = 2 * time.Second // for a response of Next
	pollEvery = time.Second     // without a message: the newest may have been lost on the way
	firstTry  = 10 * time.Millisecond
	maxTry    = 500 * time.Millisecond
	recent    = 4096 // positions whose times are known, to tell a late message from one of another log
)

// ReaderOptions are what a [Reader] needs. Source and Apply are needed.
type ReaderOptions struct {
	Source Source
	// Leader is asked for a message that a replica left out or gave damaged. Nil: that counts.
	Leader Leader
	// After is the position up to which the log was read before; 0: the reader begins where the log
	// begins.
	After uint64
	// Apply takes every batch in the log's order, including corrupt ones, from Run's goroutine. Its
	// error ends Run.
	Apply  func(*Batch) error
	Logger *slog.Logger // nil: none
}

// Reader reads the log as it grows.
type Reader struct {
	o      ReaderOptions
	log    *slog.Logger
	cursor atomic.Uint64 // written by Run
	times  [recent]time.Time
	ahead  map[uint64]Message // beyond a gap; only Run uses it
	unread trouble            // with the source; only Run uses it
	unsure trouble            // with the leader; only Run uses it
	coming coming             // asked for before it is needed; only Run uses it
	parts  sync.WaitGroup     // of Run

	mu    sync.Mutex // guards what follows; held for lines
	inbox []Message
	bytes int  // in inbox and ahead
	lost  bool // a message found no room
	wake  chan struct{}
}

// NewReader makes a reader.
func NewReader(o ReaderOptions) (*Reader, error) {
	if o.Source == nil || o.Apply == nil {
		return nil, errors.New("journal: a reader needs a source and a function that takes what is read")
	}
	log := o.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	r := &Reader{o: o, log: log, ahead: map[uint64]Message{}, wake: make(chan struct{}, 1)}
	r.cursor.Store(o.After)
	return r, nil
}

// Position is the position up to which the log is applied.
func (r *Reader) Position() uint64 { return r.cursor.Load() }

// Run reads until ctx ends, Apply fails, a batch is not understood ([ErrNewer]), or what was read
// is void: [ErrPurged], [ErrRewound]. It is called once.
func (r *Reader) Run(ctx context.Context) error {
	stop, err := r.o.Source.Follow(r.take)
	if err != nil {
		return err
	}
	defer stop()
	ctx, cancel := context.WithCancel(ctx)
	defer r.parts.Wait()
	defer cancel() // ends what was asked ahead
	p := pace{next: time.Now(), wait: firstTry}
	for {
		if !time.Now().Before(p.next) {
			progress, err := r.fetch(ctx)
			if err != nil {
				return err
			}
			p.fetched(time.Now(), progress)
		}
		before := r.Position()
		behind, err := r.applyTaken()
		if err != nil {
			return err
		}
		p.applied(time.Now(), r.Position() > before, behind)
		if err := r.sleep(ctx, time.Until(p.next)); err != nil {
			return err
		}
	}
}

// pace is when to ask the log for messages that do not come by themselves.
type pace struct {
	next   time.Time
	wait   time.Duration // before asking for the same again
	behind bool          // there is more of the log beyond a gap
}

// fetched says that the log was asked. While it has more, it is asked again.
func (p *pace) fetched(now time.Time, progress bool) {
	switch {
	case progress:
		p.next, p.wait = now, firstTry
	case p.behind: // no server that replies has it yet, or it comes by itself
		p.next, p.wait = now.Add(p.wait), min(2*p.wait, maxTry)
	default:
		p.next = now.Add(pollEvery)
	}
}

// applied says that followed messages are applied as far as they are contiguous. A new gap is asked
// for at once.
func (p *pace) applied(now time.Time, progress, behind bool) {
	switch {
	case behind && (progress || !p.behind):
		p.next, p.wait = now, firstTry
	case progress && !behind:
		p.next = now.Add(pollEvery)
	}
	p.behind = behind
}

// sleep waits for a message, at most for d.
func (r *Reader) sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-r.wake:
		return nil
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// held is about what a message takes while it waits: an empty batch has only a few bytes, but a
// flood of them must not be free.
func held(m Message) int { return len(m.Data) + 128 }

// take keeps a followed message until Run has time.
func (r *Reader) take(m Message) {
	r.mu.Lock()
	if r.bytes+held(m) > maxAhead {
		r.lost = true
	} else {
		r.inbox = append(r.inbox, m)
		r.bytes += held(m)
	}
	r.mu.Unlock()
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// applyTaken applies followed messages as far as they are contiguous, and reports whether there are
// more beyond a gap.
func (r *Reader) applyTaken() (behind bool, err error) {
	r.mu.Lock()
	inbox, lost := r.inbox, r.lost
	r.inbox, r.lost = nil, false
	r.mu.Unlock()
	for _, m := range inbox {
		_, known := r.ahead[m.Position]
		switch {
		case m.Position > r.Position() && !known:
			r.ahead[m.Position] = m
			continue
		case m.Position <= r.Position():
			err = errors.Join(err, r.late(m))
		}
		r.release(m)
	}
	for err == nil {
		m, ok := r.ahead[r.Position()+1]
		if !ok {
			break
		}
		d := decode(m)
		if errors.Is(d.err, ErrCorrupt) && r.o.Leader != nil { // perhaps on its way
			r.forget(m.Position)
			lost = true
			break
		}
		err = r.apply(m, d)
	}
	r.dropOld()
	return lost || len(r.ahead) > 0, err
}

// forget drops a message that waits, if there is one.
func (r *Reader) forget(position uint64) {
	if waiting, ok := r.ahead[position]; ok {
		delete(r.ahead, position)
		r.release(waiting)
	}
}

// release frees the room of a message that waited.
func (r *Reader) release(m Message) {
	r.mu.Lock()
	r.bytes -= held(m)
	r.mu.Unlock()
}

// late looks at a message from before the cursor: it was read before, or the log was replaced.
func (r *Reader) late(m Message) error {
	was := r.times[m.Position%recent]
	if r.Position()-m.Position >= recent { // its time is no longer known, but must not be after the newest
		was = m.Stored
		if newest := r.times[r.Position()%recent]; m.Stored.After(newest) {
			was = newest
		}
	}
	if was.IsZero() || was.Equal(m.Stored) {
		return nil
	}
	return fmt.Errorf("%w: position %d was stored at %v, and again at %v", ErrRewound, m.Position, was, m.Stored)
}

// fetch applies what the log has after the cursor, and reports whether there was anything. While it
// does so the log is asked for what follows.
func (r *Reader) fetch(ctx context.Context) (progress bool, err error) {
	p := r.next(ctx)
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	r.said(&r.unread, p.err)
	if n := len(p.messages); n > 0 && p.messages[n-1].Position > r.Position() {
		r.coming = r.ask(ctx, p.messages[n-1].Position)
	}
	batches, stop := r.decodeAhead(p.messages, r.Position())
	defer stop()
	for _, m := range p.messages {
		d := <-batches
		if m.Position <= r.Position() {
			err = r.late(m)
		} else if err = r.sure(ctx, m, &d); err == nil {
			err, progress = r.apply(m, d), true
		}
		if errors.Is(err, errNoLeader) { // it is asked again
			r.said(&r.unsure, err)
			return progress, nil
		}
		if err != nil {
			return progress, err
		}
	}
	return progress, nil
}

// said logs now and then that the log is not read.
func (r *Reader) said(t *trouble, err error) {
	if err == nil {
		t.over()
	} else if times, due := t.again(time.Now()); due {
		r.log.Warn("log not read", "position", r.Position(), "times", times, "err", err)
	}
}

// apply hands on the message after the cursor, which is decoded.
func (r *Reader) apply(m Message, d decoded) error {
	r.forget(m.Position)
	b, err := d.batch, d.err
	if errors.Is(err, ErrCorrupt) {
		r.log.Error("batch is corrupt", "position", m.Position, "by", string(m.Member), "err", err)
	} else if err != nil {
		return err
	}
	r.times[m.Position%recent] = m.Stored
	if err := r.o.Apply(b); err != nil {
		return err
	}
	r.cursor.Store(m.Position)
	return nil
}
