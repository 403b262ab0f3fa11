// What the recorder asks of a database, and what its errors mean.

package querylog

import (
	"context"
	"errors"
)

// Writer stores lines. Write is all or nothing. It leaves existing rows unchanged, and when it
// returns nil the batch is on disk.
type Writer interface {
	Write(ctx context.Context, b Batch) (Written, error)
	// Ping reports whether the database can be reached.
	Ping(ctx context.Context) error
}

// Written says how many rows of a batch were new.
type Written struct {
	Runs, Asks, Rejected int
}

// Rows is their sum.
func (w Written) Rows() int { return w.Runs + w.Asks + w.Rejected }

// Possible errors of a Writer. Any other error means that the database is unavailable, full or
// broken: the stream holds the lines until the database works again.
var (
	// ErrUnstorable says that this database will never take a row of the batch.
	ErrUnstorable = errors.New("not storable")
	// ErrTryAgain says that the write conflicted with another writer and may succeed at once if
	// repeated.
	ErrTryAgain = errors.New("in another writer's way")
)
