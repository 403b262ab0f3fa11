// What all limits share: a small record for the fleet.

// Package limit keeps a fleet from overloading another system: by a rate and a concurrency over all
// processes together, and a budget of retries for each process. It does not know what it protects.
//
// Processes agree through one small shared record for each limit, not by messages
// to one another. They take from it in batches, so that a limit costs a few writes
// a second and none per call.
package limit

import (
	"context"
	"encoding/json"
)

// Records changes small records that the fleet shares.
type Records interface {
	// Change makes the record's next content out of the last one by edit, and again when another
	// came between. The last one is empty where there is no record; no next one leaves the record
	// as it is.
	Change(ctx context.Context, name string, edit func(last []byte) (next []byte, err error)) error
}

// change lets edit change the record name. edit returns false to leave it as it is.
func change[T any](ctx context.Context, r Records, name string, edit func(*T) bool) error {
	return r.Change(ctx, name, func(last []byte) ([]byte, error) {
		var rec T
		if len(last) > 0 {
			if json.Unmarshal(last, &rec) != nil {
				rec = *new(T) // what nobody can read limits nobody, and is written over
			}
		}
		if !edit(&rec) {
			return nil, nil
		}
		return json.Marshal(&rec)
	})
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
