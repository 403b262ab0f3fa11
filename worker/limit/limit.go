// What all limits share: a small record for the fleet.

// Package limit keeps a fleet from overloading another system: by a rate and a concurrency for all
// processes together, and a budget of retries for each process. It does not know what it protects.
//
// Processes agree through one small shared record for each limit, without messages to each other.
// They take from it in batches, so that a limit costs a few writes a second, and no write for each
// call.
package limit

import (
	"context"
	"encoding/json"
)

// Records changes small records that the fleet shares.
type Records interface {
	// Change makes the record's next content from the last one by edit, and repeats that if another
	// write came between. The last content is empty if there is no record. If edit returns no content,
	// the record stays unchanged.
	Change(ctx context.Context, name string, edit func(last []byte) (next []byte, err error)) error
}

// change lets edit change the record name. edit returns false to leave it unchanged.
func change[T any](ctx context.Context, r Records, name string, edit func(*T) bool) error {
	return r.Change(ctx, name, func(last []byte) ([]byte, error) {
		var rec T
		if len(last) > 0 {
			if json.Unmarshal(last, &rec) != nil {
				rec = *new(T) // an unreadable record limits nothing, and is overwritten
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
