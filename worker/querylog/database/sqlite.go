// SQLite: one file, one writer at a time, and commits that have reached the disk.

package database

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"protocolq/worker/querylog"
)

//go:embed migrations
var migrationFiles embed.FS

type sqliteKind struct{}

// Settings of every connection. FULL: in a power cut the default of WAL loses the last commits
// (measured: 854 of 60,443 rows).
var sqlitePragmas = []string{
	"busy_timeout(10000)", // while another process writes or makes the tables
	"journal_mode(WAL)",
	"synchronous(FULL)",
	"cache_size(-65536)",        // KiB
	"wal_autocheckpoint(32000)", // pages: those of the look-up ids change often, and are written back once
	"secure_delete(on)",         // no trace of a forgotten person stays in free pages
}

func openSQLite(ctx context.Context, o Options) (*DB, error) {
	path := querylog.SQLitePath(o.URL)
	if _, err := os.Stat(path); o.ReadOnly && errors.Is(err, os.ErrNotExist) {
		return nil, ErrNotThere
	}
	db := &DB{kind: sqliteKind{}}
	var err error
	if !o.ReadOnly {
		if err := makeSQLiteFile(path); err != nil {
			return nil, err
		}
		if db.write, err = sql.Open("sqlite", sqliteDSN(path, "immediate", sqlitePragmas)); err != nil {
			return nil, err
		}
		db.at = &place{path: path}
		db.write.SetMaxOpenConns(1)
		// The file is made with the writer's settings before a reader opens it.
		if err := db.write.PingContext(ctx); err != nil {
			return nil, errors.Join(err, db.write.Close())
		}
	}
	if db.read, err = sql.Open("sqlite", sqliteDSN(path, "deferred",
		[]string{"busy_timeout(10000)", "query_only(1)", "cache_size(-16384)"})); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	db.read.SetMaxOpenConns(4)
	return db, nil
}

// makeSQLiteFile makes the file, and its folder, readable by its owner only.
func makeSQLiteFile(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("make its folder: %w", err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("make it: %w", err)
	}
	return f.Close()
}

func sqliteDSN(path, lock string, pragmas []string) string {
	q := url.Values{"_txlock": {lock}, "_pragma": pragmas}
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + q.Encode()
}

func (sqliteKind) rebind(statement string) string { return statement }

func (sqliteKind) migrations() []string { return readMigrations("sqlite") }

// lock does nothing: an immediate transaction is exclusive from its start.
func (sqliteKind) lock(context.Context, *sql.Tx) error { return nil }

func (sqliteKind) classify(err error) error {
	e, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return err
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_RANGE:
		return fmt.Errorf("%w: %w", querylog.ErrUnstorable, err)
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return fmt.Errorf("%w: %w", querylog.ErrTryAgain, err)
	}
	return err
}

// write inserts row by row: the number of changes reports whether the row was new.
func (k sqliteKind) write(ctx context.Context, db *sql.DB, b *rows) (Written, error) {
	var w Written
	err := within(ctx, db, func(tx *sql.Tx) error {
		sums := counts{}
		var err error
		if w.Runs, err = insertEach(ctx, tx, runInsert, len(b.runs), func(i int) []any { return b.runs[i].values() },
			func(i int) { sums.run(&b.runs[i]) }); err != nil {
			return fmt.Errorf("insert runs: %w", err)
		}
		if w.Asks, err = insertEach(ctx, tx, askInsert, len(b.asks),
			func(i int) []any { return append(b.asks[i].values(), dayOf(b.asks[i].At.UnixMilli())) },
			func(i int) { sums.ask(&b.asks[i]) }); err != nil {
			return fmt.Errorf("insert asks: %w", err)
		}
		if w.Rejected, err = insertEach(ctx, tx, rejectedInsert, len(b.rejected),
			func(i int) []any { return b.rejected[i].values() },
			func(i int) { sums.rejected(&b.rejected[i]) }); err != nil {
			return fmt.Errorf("insert rejected: %w", err)
		}
		partners := b.partners()
		if _, err := insertEach(ctx, tx, "INSERT INTO partners (partner) VALUES (?) ON CONFLICT DO NOTHING",
			len(partners), func(i int) []any { return []any{partners[i]} }, func(int) {}); err != nil {
			return fmt.Errorf("insert partners: %w", err)
		}
		days := b.days()
		if _, err := insertEach(ctx, tx, "INSERT INTO days (day) VALUES (?) ON CONFLICT DO NOTHING", len(days),
			func(i int) []any { return []any{days[i]} }, func(int) {}); err != nil {
			return fmt.Errorf("insert days: %w", err)
		}
		for statement, list := range map[string][]sum{
			"INSERT INTO counters (hour, partner, name, n) VALUES (?, ?, ?, ?) ON CONFLICT (hour, partner, name) DO " +
				"UPDATE SET n = n + excluded.n": sums.sorted(),
			"INSERT INTO counters_day (day, partner, name, n) VALUES (?, ?, ?, ?) ON CONFLICT (name, partner, day) " +
				"DO UPDATE SET n = n + excluded.n": sums.byDay(),
		} {
			_, err := insertEach(ctx, tx, statement, len(list),
				func(i int) []any { return []any{list[i].hour, list[i].partner, list[i].name, list[i].n} },
				func(int) {})
			if err != nil {
				return fmt.Errorf("add to counters: %w", err)
			}
		}
		return nil
	})
	if err != nil {
		return Written{}, err
	}
	return w, nil
}

var (
	runInsert = "INSERT INTO runs (" + runColumns + ") VALUES (" + marks(runColumns) + ") ON CONFLICT DO NOTHING"
	askInsert = "INSERT INTO asks (" + askColumns + ", day) VALUES (" + marks(askColumns) +
		", ?) ON CONFLICT DO NOTHING"
	rejectedInsert = "INSERT INTO rejected (" + rejectedColumns + ") VALUES (" + marks(rejectedColumns) +
		") ON CONFLICT DO NOTHING"
)

// insertEach inserts n rows and calls fresh for each new row.
func insertEach(ctx context.Context, tx *sql.Tx, statement string, n int, values func(int) []any,
	fresh func(int)) (inserted int, err error) {
	if n == 0 {
		return 0, nil
	}
	prepared, err := tx.PrepareContext(ctx, statement)
	if err != nil {
		return 0, err
	}
	defer prepared.Close()
	// For a context that can end, the driver starts a goroutine for each row to wait for the end. The
	// transaction already has one.
	whole := context.WithoutCancel(ctx)
	for i := range n {
		if ctx.Err() != nil {
			return inserted, ctx.Err()
		}
		result, err := prepared.ExecContext(whole, values(i)...)
		if err != nil {
			return inserted, err
		}
		changed, err := result.RowsAffected()
		if err != nil {
			return inserted, err
		}
		if changed > 0 {
			inserted++
			fresh(i)
		}
	}
	return inserted, nil
}

func (k sqliteKind) prune(ctx context.Context, db *sql.DB, before int64, limit int) (deleted int64, more bool,
	err error) {
	if _, err := db.ExecContext(ctx, "DELETE FROM days WHERE day < ?", dayOf(before)); err != nil {
		return 0, false, err
	}
	return pruneRows(ctx, db, k.rebind, pruning{before, limit})
}

// person: the look-up indexes begin with the day, see the tables. Within a day they are in order,
// so that a full page ends the search.
func (sqliteKind) person() (from, order string) {
	return "days CROSS JOIN asks ON asks.day = days.day", "days.day DESC, at_ms DESC, token DESC"
}

// row: by the primary key. The plus keeps the planner from the token's index, which costs one page
// more for each row.
func (sqliteKind) row() string { return "at_ms = k_at AND +token = k_token" }

func (sqliteKind) windows(context.Context, *sql.DB) ([]window, error) { return []window{{}}, nil }

func (sqliteKind) moved(error) bool { return false }

func (sqliteKind) missing(err error) bool {
	e, ok := errors.AsType[*sqlite.Error](err)
	return ok && e.Code()&0xff == sqlite3.SQLITE_ERROR && strings.Contains(e.Error(), "no such table")
}

// scrub empties the write-ahead log, where deleted rows would stay for a while; in the file they
// are overwritten (secure_delete). If readers prevent that now, the next checkpoint does it.
func (sqliteKind) scrub(ctx context.Context, db *sql.DB) error {
	_, err := db.ExecContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)")
	return err
}
