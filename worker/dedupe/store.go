// What the package asks of a store: one record per key, compare and swap.

package dedupe

import (
	"context"
	"errors"
	"time"
)

// Store keeps one record per key. Every Put of any process must reach
// [Group.Observe] of all processes, at most once and in the order of a key's
// sequence as a rule; a lost one costs a poll.
type Store interface {
	// Put writes rec on its terms. ErrConflict says that the key's sequence is not the expected
	// one, or that an earlier try of this very Put arrived: read before concluding. Any other
	// error leaves open whether the record was written.
	Put(ctx context.Context, key string, rec *Record, t Terms) (seq uint64, err error)
	// Get reads the newest record, or an Entry with Seq 0 where there is none.
	// It may lag behind a Put, of this process, too, by a moment, and for as long as a cluster has no leader: a follower
	// learns only from the next one that what it was sent last is settled.
	Get(ctx context.Context, key string) (Entry, error)
}

// Terms are those of a Put.
type Terms struct {
	Expect uint64        // the key's sequence must still be this; 0: absent
	TTL    time.Duration // the record is let go after it
	Within time.Duration // the Put gives up: an acknowledgement that is lost never comes; 0: ctx alone ends it
}

// readPatience bounds a read: an answer that is lost must not hold a key.
const readPatience = time.Second

// read is Get with an end.
func read(ctx context.Context, s Store, key string) (Entry, error) {
	ctx, cancel := context.WithTimeout(ctx, readPatience)
	defer cancel()
	return s.Get(ctx, key)
}

// Errors of a Store.
var (
	// ErrConflict: the key's sequence was not the expected one.
	ErrConflict = errors.New("dedupe: the key has another revision")
	// ErrFull: the store has no room for the record.
	ErrFull = errors.New("dedupe: the store is full")
)

// Errors of a Lease.
var (
	// ErrFenced: somebody else holds the key now; nothing more may be done for it.
	ErrFenced = errors.New("dedupe: the key is held by another process")
	// ErrLapsed: the lease has no time left for what it was asked for.
	ErrLapsed = errors.New("dedupe: the lease has no time left")
	// ErrOpen, returned by a run: what it began may still come to an end, so its
	// key is not released. Whoever takes it over waits as for a dead holder.
	ErrOpen = errors.New("dedupe: something begun has not ended")
)
