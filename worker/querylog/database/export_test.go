// What only the tests see or change: the buckets of times, and SQLite's own views of its file.

package database

import (
	"context"
	"strconv"
	"strings"

	"protocolq/worker/querylog"
)

var (
	BucketOf    = bucketOf
	BucketStart = bucketStart
)

// Integrity is SQLite's own check of its file.
func Integrity(ctx context.Context, db *DB) (result string) {
	if err := db.read.QueryRowContext(ctx, "PRAGMA integrity_check").Scan(&result); err != nil {
		return err.Error()
	}
	return result
}

// Plan is SQLite's plan for the list of a filter.
func Plan(ctx context.Context, db *DB, f Filter, after Cursor) (plan string) {
	statement, args := db.shape(&f, after, 51).statement(f.branches([]string{"2088000000000001", "2088000000000002"}), f.common(after), &where{})
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

// older is a kind at the time when its tables had version n.
type older struct {
	kind
	n int
}

func (o older) migrations() []string { return o.kind.migrations()[:o.n] }

// WriteFirst makes the tables of version 1 with an ask in them, like the program of that time.
func WriteFirst(ctx context.Context, url string, a querylog.Ask) error {
	open := openPostgres
	if strings.HasPrefix(url, "sqlite:") {
		open = openSQLite
	}
	db, err := open(ctx, Options{URL: url})
	if err != nil {
		return err
	}
	defer db.Close()
	k := db.kind
	db.kind = older{k, 1}
	if err := db.migrate(ctx, 0); err != nil {
		return err
	}
	b := rowsOf(&querylog.Batch{Asks: []querylog.Ask{a}})
	columns, values := strings.TrimSuffix(askColumns, ", field"), b.asks[0].values()
	values = values[:len(values)-1]
	if p, ok := k.(*postgresKind); ok {
		if err := p.ensureMonths(ctx, db.write, b); err != nil {
			return err
		}
	} else {
		columns, values = columns+", day", append(values, dayOf(a.At.UnixMilli()))
	}
	_, err = db.write.ExecContext(ctx, k.rebind("INSERT INTO asks ("+columns+") VALUES ("+marks(columns)+")"), values...)
	return err
}

// LimitPages keeps the file from growing beyond n pages.
func LimitPages(ctx context.Context, db *DB, n int) {
	var had int
	if err := db.write.QueryRowContext(ctx, "PRAGMA max_page_count = "+strconv.Itoa(n)).Scan(&had); err != nil {
		panic(err)
	}
}
