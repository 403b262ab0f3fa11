// The store on NATS: each key's record, written and read as bytes.

package dedupe

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"protocolq/worker/record"
)

// Stream is a [Store] on a stream of shared records, with a TTL per message.
type Stream struct {
	records *record.Stream
}

// NewStream makes a Store of records that no other program writes.
func NewStream(records *record.Stream) *Stream { return &Stream{records} }

// Put implements [Store].
func (s *Stream) Put(ctx context.Context, key string, rec *Record, t Terms) (uint64, error) {
	seq, err := s.records.Put(ctx, key, rec.encode(), record.Terms{Expect: t.Expect, TTL: wholeSeconds(t.TTL), Within: t.Within})
	switch {
	case errors.Is(err, record.ErrConflict):
		return 0, ErrConflict
	case errors.Is(err, record.ErrFull):
		return 0, fmt.Errorf("%w: %w", ErrFull, err)
	}
	return seq, err
}

// Get implements [Store] by a direct get, which any replica may answer.
func (s *Stream) Get(ctx context.Context, key string) (Entry, error) {
	r, err := s.records.Get(ctx, key)
	if err != nil {
		return Entry{}, err
	}
	if r.Seq == 0 {
		return Entry{Key: key}, nil
	}
	return entryOf(r)
}

// Watch hands every change of every record to g, until stop is called. A slow reader loses changes
// and polls instead.
func Watch[Q any](s *Stream, g *Group[Q], log *slog.Logger) (stop func(), err error) {
	return s.records.Watch("*", func(r record.Record, err error) {
		if err == nil && (written(r.Data, g.o.Owner) || g.Known(r.Name, r.Seq)) {
			// What this process wrote it takes in when it is acknowledged. A claim of its own that
			// another marks suspect is passed over, too: the next write finds that out.
			return
		}
		var e Entry
		if err == nil {
			e, err = entryOf(r)
		}
		if err != nil {
			log.Error("change not understood", "err", err)
			return
		}
		g.Observe(e)
	})
}

// entryOf reads what is in a record.
func entryOf(r record.Record) (Entry, error) {
	rec, err := DecodeRecord(r.Data)
	if err != nil {
		return Entry{}, err
	}
	return Entry{Key: r.Name, Seq: r.Seq, Time: r.Time, Record: rec}, nil
}
