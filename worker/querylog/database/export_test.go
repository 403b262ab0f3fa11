// What only the tests look at or turn: the buckets of times, and SQLite's own views of its file.

package database

import (
	"context"
	"strconv"
)

var (
	BucketOf    = bucketOf
	BucketStart = bucketStart
)

// Integrity is what SQLite thinks of its file.
func Integrity(ctx context.Context, db *DB) (result string) {
	if err := db.read.QueryRowContext(ctx, "PRAGMA integrity_check").Scan(&result); err != nil {
		return err.Error()
	}
	return result
}

// LimitPages lets the file grow no further than n pages.
func LimitPages(ctx context.Context, db *DB, n int) {
	var had int
	if err := db.write.QueryRowContext(ctx, "PRAGMA max_page_count = "+strconv.Itoa(n)).Scan(&had); err != nil {
		panic(err)
	}
}
