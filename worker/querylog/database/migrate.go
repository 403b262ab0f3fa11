// The versions of the tables: embedded statements, only forward, by one recorder at a time.

package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"sort"
	"time"

	"protocolq/worker/querylog"
)

// readMigrations returns the embedded files of a database in order.
func readMigrations(kind string) []string {
	names, err := fs.Glob(migrationFiles, "migrations/"+kind+"_*.sql")
	if err != nil || len(names) == 0 {
		panic("no migrations of " + kind) // they are part of the program
	}
	sort.Strings(names)
	var all []string
	for _, name := range names {
		text, err := fs.ReadFile(migrationFiles, name)
		if err != nil {
			panic(err)
		}
		all = append(all, string(text))
	}
	return all
}

const makeVersions = `CREATE TABLE IF NOT EXISTS schema_version (
	version INTEGER NOT NULL PRIMARY KEY,
	at_ms   BIGINT  NOT NULL
)`

// begin checks the tables' version and migrates them, unless the database is read-only.
func (db *DB) begin(ctx context.Context, o Options) error {
	reached, cancel := o.bound(ctx)
	defer cancel()
	if o.ReadOnly {
		return db.checkVersion(reached)
	}
	have, err := version(reached, db.read)
	switch {
	case err != nil && !db.kind.missing(err):
		return err
	case err == nil && have >= len(db.kind.migrations()):
		ctx = reached
	}
	return db.migrate(ctx, o.Patience)
}

// migrate brings the tables to this program's version, in one transaction. A second recorder that
// starts at the same time waits for it.
func (db *DB) migrate(ctx context.Context, patience time.Duration) error {
	for began := time.Now(); ; {
		err := within(ctx, db.write, func(tx *sql.Tx) error { return db.migrateIn(ctx, tx) })
		if err == nil || !errors.Is(db.kind.classify(err), querylog.ErrTryAgain) ||
			patience > 0 && time.Since(began) > patience {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// migrateIn is migrate in a transaction.
func (db *DB) migrateIn(ctx context.Context, tx *sql.Tx) error {
	if err := db.kind.lock(ctx, tx); err != nil {
		return fmt.Errorf("wait for other migrations: %w", err)
	}
	if _, err := tx.ExecContext(ctx, makeVersions); err != nil {
		return fmt.Errorf("make the table of versions: %w", err)
	}
	have, err := version(ctx, tx)
	if err != nil {
		return err
	}
	list := db.kind.migrations()
	for v := have + 1; v <= len(list); v++ {
		if _, err := tx.ExecContext(ctx, list[v-1]); err != nil {
			return fmt.Errorf("migrate to version %d: %w", v, err)
		}
		note := db.kind.rebind("INSERT INTO schema_version (version, at_ms) VALUES (?, ?)")
		if _, err := tx.ExecContext(ctx, note, v, time.Now().UnixMilli()); err != nil {
			return fmt.Errorf("note version %d: %w", v, err)
		}
	}
	return newer(have, len(list))
}

// checkVersion is for readers.
func (db *DB) checkVersion(ctx context.Context) error {
	have, err := version(ctx, db.read)
	want := len(db.kind.migrations())
	switch {
	case err != nil && db.kind.missing(err):
		return ErrNotThere
	case err != nil:
		return err
	case have < want:
		return fmt.Errorf("its tables are of version %d and this program's of %d: start its recorder first: %w", have,
			want, ErrNotThere)
	}
	return newer(have, want)
}

// newer refuses tables that a later program made: their content may have another meaning.
func newer(have, want int) error {
	if have > want {
		return fmt.Errorf("its tables are of version %d, this program knows %d: %w", have, want, ErrNewer)
	}
	return nil
}

func version(ctx context.Context, q interface {
	QueryRowContext(context.Context, string, ...any) *sql.Row
}) (v int, err error) {
	if err := q.QueryRowContext(ctx, "SELECT COALESCE(MAX(version), 0) FROM schema_version").Scan(&v); err != nil {
		return 0, fmt.Errorf("read the tables' version: %w", err)
	}
	return v, nil
}
