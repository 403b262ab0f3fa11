// Storing a batch, for as long as it takes to know what happened to it.

package journal

import (
	"context"
	"errors"
	"fmt"
	"time"

	"protocolq/worker/pause"
)

// rewoundWait is how long to doubt an older log: a leader that lost its place may give its old
// state for 10 s.
const rewoundWait = 12 * time.Second

// store sends a batch until it is in the log, and returns its position. An error says that it will
// never be known to be there, or is that of ctx.
func (w *Writer) store(ctx context.Context, s sent, b *composed) (uint64, error) {
	b.firstSent, b.unknown = time.Now(), true
	for wait, again := minPause, false; ; wait, again = min(2*wait, maxPause), true {
		position, err := w.send(ctx, s, b.data)
		if err == nil {
			w.unsent.over()
			return position, nil
		}
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
		if times, due := w.unsent.again(time.Now()); due || errors.Is(err, ErrPermanent) {
			w.log.Warn("batch not acknowledged", "number", s.number, "expect", s.expect, "times", times, "err", err)
		}
		if errors.Is(err, ErrPermanent) {
			b.unknown = again // an earlier sending may still be on its way
			return 0, err
		}
		what, position, err := w.resolve(ctx, s)
		if b.unknown, b.stored = what != over, what == sealedAfter; err != nil || what == stored {
			return position, err
		}
		if err := pause.For(ctx, wait); err != nil {
			return 0, err
		}
	}
}

func (w *Writer) send(ctx context.Context, s sent, data []byte) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, ackWait)
	defer cancel()
	return w.o.Log.Append(ctx, Append{Member: s.member, Expect: s.expect, Data: data})
}

// resolve finds out what happened to a batch: stored, with its position, or absent. Any other fate
// is an error.
func (w *Writer) resolve(ctx context.Context, s sent) (fate, uint64, error) {
	var doubted time.Time // since when the log looks rewound
	for wait := minPause; ; wait = min(2*wait, maxPause) {
		last, err := w.last(ctx, s.member)
		if ctx.Err() != nil {
			return 0, 0, ctx.Err()
		}
		if err != nil {
			if times, due := w.unread.again(time.Now()); due {
				w.log.Warn("last batch not read", "number", s.number, "times", times, "err", err)
			}
		} else {
			w.unread.over()
			what, why := fateOf(s, last)
			switch what {
			case stored, absent:
				return what, last.Position, nil
			case over, sealedAfter, unreadable:
				return what, 0, fmt.Errorf("%w: %s", ErrSealed, why)
			}
			if doubted.IsZero() {
				doubted = time.Now()
				w.log.Error("log looks rewound", "number", s.number, "why", why)
			}
			if time.Since(doubted) >= rewoundWait {
				return what, 0, fmt.Errorf("%w: %s", ErrRewound, why)
			}
		}
		if err := pause.For(ctx, wait); err != nil {
			return 0, 0, err
		}
	}
}

func (w *Writer) last(ctx context.Context, m Member) (Message, error) {
	ctx, cancel := context.WithTimeout(ctx, ackWait)
	defer cancel()
	return w.o.Log.Last(ctx, m)
}

// Sealing is what a member needs to seal another.
type Sealing struct {
	Of, By Member
	// Number and Position are those of the last batch of Of that was read.
	Number, Position uint64
	Read             uint64 // the position that the sealer has applied
	Why              string // for people
}

// SealOther appends the seal of another member. It reports whether that member is sealed now, by
// any member; if not, it has written meanwhile and is live. After an error this is not known.
func SealOther(ctx context.Context, log Appender, o Sealing) (bool, error) {
	data, err := Encode(o.Number+1, o.Read, &Seal{By: o.By, Why: o.Why})
	if err != nil {
		return false, err
	}
	if _, err = log.Append(ctx, Append{Member: o.Of, Expect: o.Position, Data: data}); err == nil {
		return true, nil
	}
	if errors.Is(err, ErrPermanent) || errors.Is(err, ErrFull) {
		return false, err
	}
	last, readErr := log.Last(ctx, o.Of)
	if readErr != nil {
		return false, errors.Join(err, readErr)
	}
	switch {
	case last.Position == o.Position:
		return false, err // not stored yet: it may still be on its way
	case last.Position < o.Position:
		return false, fmt.Errorf("%w: batch %d of %s at position %d is gone", ErrRewound, o.Number, o.Of, o.Position)
	}
	b, err := Decode(last)
	return err == nil && b.Seal() != nil, err
}
