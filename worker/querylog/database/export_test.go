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

// Plan is how SQLite goes about the list of a filter.
func Plan(ctx context.Context, db *DB, f Filter) (plan string) {
	statement, args := union(f.branches([]string{"2088000000000001", "2088000000000002"}), f.common(Cursor{}), db.shape(&f, 51))
	result, err := db.read.QueryContext(ctx, "EXPLAIN QUERY PLAN "+statement, args...)
	if err != nil {
		return err.Error()
	}
	defer result.Close()
	for result.Next() {
		var id, parent, unused int
		var detail string
		if err := result.Scan(&id, &parent, &unused, &detail); err != nil {
			return err.Error()
		}
		plan += detail + "\n"
	}
	return plan
}

// LimitPages lets the file grow no further than n pages.
func LimitPages(ctx context.Context, db *DB, n int) {
	var had int
	if err := db.write.QueryRowContext(ctx, "PRAGMA max_page_count = "+strconv.Itoa(n)).Scan(&had); err != nil {
		panic(err)
	}
}
