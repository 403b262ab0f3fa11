// Examine: finds out without a change how a database would serve a recorder.

package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"protocolq/worker/querylog"
)

// Examination is the state of a database.
type Examination struct {
	// Missing are rights that a recorder needs and that this user does not have.
	Missing []string
	// Sync is the time that the disk takes for one commit: the median of a few.
	Sync time.Duration
	// Unsafe says why committed rows may not be on the disk; "": they are.
	Unsafe string
	// Clock is the database's clock, read between Before and After; zero for a file.
	Clock, Before, After time.Time
	// Tables is the version of its tables, 0 if there are none yet; Want is this program's version.
	Tables, Want int
}

const syncTries = 5

// Examine finds out the state of a database. ErrNotThere: the file does not exist yet, but its
// folder is writable.
func Examine(ctx context.Context, url string) (Examination, error) {
	if err := querylog.CheckURL(url); err != nil {
		return Examination{}, fmt.Errorf("database URL: %w", err)
	}
	if strings.HasPrefix(url, "sqlite:") {
		return examineFile(ctx, url)
	}
	db, err := openPostgres(ctx, Options{URL: url})
	if err != nil {
		return Examination{}, err
	}
	defer db.Close()
	return examinePostgres(ctx, db)
}

func examineFile(ctx context.Context, url string) (e Examination, err error) {
	path := querylog.SQLitePath(url)
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	switch {
	case err == nil:
		_ = f.Close()
	case errors.Is(err, os.ErrPermission):
		e.Missing = append(e.Missing, "write "+path)
	case !errors.Is(err, os.ErrNotExist):
		return e, err
	}
	there := err == nil
	dir := standing(filepath.Dir(path))
	if e.Sync, err = median(func() error { return syncFile(dir) }); err != nil {
		if !errors.Is(err, os.ErrPermission) && !errors.Is(err, os.ErrNotExist) {
			return e, err
		}
		e.Missing = append(e.Missing, "write into "+dir)
	}
	if !there {
		return e, ErrNotThere
	}
	db, err := openSQLite(ctx, Options{URL: url, ReadOnly: true})
	if err != nil {
		return e, err
	}
	defer db.Close()
	return e, e.tables(ctx, db)
}

// standing is the folder, or its nearest parent that exists: a recorder makes the folders between.
func standing(dir string) string {
	for {
		above := filepath.Dir(dir)
		if _, err := os.Stat(dir); err == nil || above == dir {
			return dir
		}
		dir = above
	}
}

func syncFile(dir string) error {
	f, err := os.CreateTemp(dir, ".protocolq-doctor-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(make([]byte, 4096))
	return errors.Join(err, f.Sync(), f.Close())
}

// needs are what a recorder does with the tables.
const needs = `SELECT t || ': ' || p FROM unnest(ARRAY['asks','runs','counters','rejected']) t, unnest(ARRAY['SELECT','INSERT','UPDATE','DELETE']) p
	WHERE to_regclass(t) IS NOT NULL AND NOT has_table_privilege(to_regclass(t)::oid, p) ORDER BY 1`

func examinePostgres(ctx context.Context, db *DB) (e Examination, err error) {
	e.Before = time.Now()
	if err := db.read.QueryRowContext(ctx, "SELECT clock_timestamp()").Scan(&e.Clock); err != nil {
		return e, fmt.Errorf("reach the database: %w", err)
	}
	e.After = time.Now()
	var fsync, standby, create string
	if err := db.read.QueryRowContext(ctx,
		`SELECT current_setting('fsync'), pg_is_in_recovery()::text, COALESCE(has_schema_privilege(current_schema(), 'CREATE'), false)::text`).
		Scan(&fsync, &standby, &create); err != nil {
		return e, err
	}
	switch {
	case standby == "true":
		e.Unsafe = "it is a standby, which takes no rows"
		return e, nil
	case fsync != "on":
		e.Unsafe = "fsync is " + fsync
	}
	if create != "true" {
		e.Missing = append(e.Missing, "CREATE in its schema, for each month's part")
	}
	if err := e.rights(ctx, db.read); err != nil {
		return e, err
	}
	// A logical message in the write-ahead log is synced like a commit, and leaves no row.
	if e.Sync, err = median(func() error {
		return within(ctx, db.write, func(tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, "SELECT pg_logical_emit_message(true, 'protocolq', 'doctor')")
			return err
		})
	}); err != nil {
		return e, err
	}
	return e, e.tables(ctx, db)
}

func (e *Examination) rights(ctx context.Context, db *sql.DB) error {
	rows, err := db.QueryContext(ctx, needs)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var missing string
		if err := rows.Scan(&missing); err != nil {
			return err
		}
		e.Missing = append(e.Missing, missing)
	}
	return rows.Err()
}

// tables reads the version of the tables.
func (e *Examination) tables(ctx context.Context, db *DB) (err error) {
	e.Want = len(db.kind.migrations())
	if e.Tables, err = version(ctx, db.read); err != nil && db.kind.missing(err) {
		e.Tables, err = 0, nil
	}
	return err
}

// median is the median time that do takes, over a few runs.
func median(do func() error) (time.Duration, error) {
	var took []time.Duration
	for range syncTries {
		began := time.Now()
		if err := do(); err != nil {
			return 0, err
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	return took[len(took)/2], nil
}
