// What limits have in common: a small record that the fleet shares, compared and swapped.

// Package limit keeps a fleet from asking too much of somebody else: a rate and
// a concurrency that hold over all processes together, and a budget of retries
// per process. It knows nothing of whom it protects.
//
// Processes agree by a small shared record per limit and not by messages to one
// another. They take from it in batches, so a limit costs a few writes a second
// and none per call.
package limit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// Records keeps small shared records by name. Any error but ErrConflict leaves
// open whether a Put was written.
type Records interface {
	// Get reads the newest record; seq 0 and no data where there is none.
	Get(ctx context.Context, name string) (data []byte, seq uint64, err error)
	// Put writes the record if its sequence is still expect.
	Put(ctx context.Context, name string, data []byte, expect uint64) (seq uint64, err error)
}

// ErrConflict says that the record had another sequence.
var ErrConflict = errors.New("limit: the shared record has changed")

// rounds bounds how often a shared record is tried to be changed in one go.
const rounds = 8

// change reads the record name, lets edit change it, and writes it, until nobody
// else came between. edit returns false to leave it as it is.
func change[T any](ctx context.Context, r Records, name string, edit func(*T) bool) error {
	var last error
	for round := range rounds {
		data, seq, err := r.Get(ctx, name)
		if err != nil {
			return fmt.Errorf("read shared record: %w", err)
		}
		var rec T
		if len(data) > 0 {
			if err := json.Unmarshal(data, &rec); err != nil {
				return fmt.Errorf("read shared record: %w", err)
			}
		}
		if !edit(&rec) {
			return nil
		}
		data, err = json.Marshal(&rec)
		if err != nil {
			return fmt.Errorf("write shared record: %w", err)
		}
		if _, last = r.Put(ctx, name, data, seq); last == nil {
			return nil
		}
		if err := sleep(ctx, time.Duration(rand.Int64N(int64(5*time.Millisecond)<<min(round, 4)))); err != nil {
			return errors.Join(err, last)
		}
	}
	return fmt.Errorf("write shared record: %w", last)
}

func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// acquire waits for its turn; release ends it.
func acquire(ctx context.Context, turn chan struct{}) error {
	select {
	case turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func release(turn chan struct{}) { <-turn }
