// Writing: a batch in one transaction, which counts only new rows.

package database

import (
	"context"
	"fmt"

	"protocolq/worker/querylog"
)

// Written says how many rows of a batch were new.
type Written = querylog.Written

// Write stores a batch, all or nothing. When it returns nil, the batch is on disk. Existing rows
// are left unchanged. If the cause is known, the error is querylog.ErrUnstorable (this database
// will never take one of the rows), querylog.ErrTryAgain (a conflict with another writer), or
// [ErrReplaced].
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
			forgetIdle(db.write) // its connections lead to the former server: new ones look up the name again
		}
		return Written{}, fmt.Errorf("write: %w", db.kind.classify(err))
	}
	if err := db.look(ctx); err != nil { // meanwhile the file may have been replaced, with the rows in the former one
		return Written{}, fmt.Errorf("write: %w", err)
	}
	return w, nil
}
