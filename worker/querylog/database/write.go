// Writing: a batch in one transaction, in which only rows that are new count.

package database

import (
	"context"
	"fmt"

	"protocolq/worker/querylog"
)

// Written says how many rows of a batch were new.
type Written = querylog.Written

// Write stores a batch, all or nothing, and is on the disk when it returns nil.
// Rows that are there already are left as they are. The error is, where it is
// known, querylog.ErrUnstorable (a row this database will never take) or
// querylog.ErrTryAgain (it got into another writer's way), or [ErrReplaced].
func (db *DB) Write(ctx context.Context, b querylog.Batch) (Written, error) {
	if db.write == nil {
		return Written{}, fmt.Errorf("write: %s is open for reading only", db.place)
	}
	if err := db.look(ctx); err != nil {
		return Written{}, fmt.Errorf("write: %w", err)
	}
	w, err := db.kind.write(ctx, db.write, rowsOf(&b))
	if err != nil {
		if db.kind.moved(err) {
			forgetIdle(db.write) // it leads to the same place: the next connection looks anew
		}
		return Written{}, fmt.Errorf("write: %w", db.kind.classify(err))
	}
	if err := db.look(ctx); err != nil { // meanwhile: what was written may be where nobody looks for it
		return Written{}, fmt.Errorf("write: %w", err)
	}
	return w, nil
}
