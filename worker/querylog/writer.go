// What the recorder asks of a database, and what its errors mean.

package querylog

import (
	"context"
	"errors"
)

// Writer stores lines. Write is all or nothing; it leaves rows that are there
// already as they are, and is on the disk when it returns nil.
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

// What a Writer's error may be. Any other means that the database is away, full
// or broken: the stream holds the lines until it is not.
var (
	// ErrUnstorable: a row of the batch is one that this database will never take.
	ErrUnstorable = errors.New("not storable")
	// ErrTryAgain: it got into another writer's way; at once again may do.
	ErrTryAgain = errors.New("in another writer's way")
)
