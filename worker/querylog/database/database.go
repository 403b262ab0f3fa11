// A query log in a database, SQLite or PostgreSQL by its URL: how to open it, and what its errors
// mean.

// Package database keeps the query log in SQLite, for one machine, or in PostgreSQL, for a fleet.
// Both have the same tables and give the same results; one conformance suite tests both.
//
//	asks      one row for every ask, by its token
//	runs      one row for every run of the gateway, by its id, with every call
//	counters  sums by hour and partner, kept in the transaction of the rows
//	rejected  messages that are not lines
package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"protocolq/worker/querylog"
)

// ErrNotThere says that there is no query log at that place, or that it is not of this program's
// version. A Recorder makes a missing log; a reader does not.
var ErrNotThere = errors.New("no query log there")

// ErrNewer says that the tables were made by a later program than this.
var ErrNewer = errors.New("made by a newer program")

// Options say which database to open, and for what.
type Options struct {
	// URL is sqlite:///absolute/path, sqlite:relative/path, or postgres://user@host/name?….
	// It may not hold a password: the password for PostgreSQL comes from PGPASSFILE or PGPASSWORD.
	URL string
	// ReadOnly never creates or changes anything.
	ReadOnly bool
	// Patience bounds the time to reach the database, to read its version, and to begin a migration;
	// 0: no bound. A migration itself takes as long as large tables need.
	Patience time.Duration
}

// bound returns ctx with the patience as its limit.
func (o Options) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	if o.Patience > 0 {
		return context.WithTimeout(ctx, o.Patience)
	}
	return context.WithCancel(ctx)
}

// DB is an open query log. It is safe for concurrent use.
type DB struct {
	write *sql.DB // SQLite: one connection, as it has one writer at a time; nil when ReadOnly
	read  *sql.DB
	kind  kind
	place string // the URL in a form that may be shown
	at    *place // the writer's file; nil for a server
}

// kind is what differs between the two databases.
type kind interface {
	// rebind converts a statement with ? for each argument into one for this database.
	rebind(statement string) string
	// write stores a batch in one transaction.
	write(ctx context.Context, db *sql.DB, b *rows) (Written, error)
	// prune deletes rows older than before, up to about limit rows, and reports whether there are
	// more.
	prune(ctx context.Context, db *sql.DB, before int64, limit int) (deleted int64, more bool, err error)
	// scrub removes what deleted rows leave in files, as far as the database allows.
	scrub(ctx context.Context, db *sql.DB) error
	// migrations are the statements of each version, the first is version 1.
	migrations() []string
	// lock keeps out other migrations until the transaction ends.
	lock(ctx context.Context, tx *sql.Tx) error
	// person says from where, and in which order, to read asks by a look-up id.
	person() (from, order string)
	// row finds the row of a key, k_at and k_token; "": the branches of a list return rows.
	row() string
	// windows are the spans in which a list of several branches is read.
	windows(ctx context.Context, db *sql.DB) ([]window, error)
	// moved reports that another server is now the primary.
	moved(err error) bool
	// missing reports that a table does not exist.
	missing(err error) bool
	// classify returns err with its class.
	classify(err error) error
}

// Open opens the database and, unless ReadOnly, brings its tables up to date.
func Open(ctx context.Context, o Options) (*DB, error) {
	if err := querylog.CheckURL(o.URL); err != nil {
		return nil, fmt.Errorf("database URL: %w", err)
	}
	open := openPostgres
	if strings.HasPrefix(o.URL, "sqlite:") {
		open = openSQLite
	}
	reached, cancel := o.bound(ctx)
	db, err := open(reached, o)
	cancel()
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", o.URL, err)
	}
	db.place = o.URL
	if err := db.begin(ctx, o); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", o.URL, err), db.Close())
	}
	if db.at != nil {
		if err := db.at.note(); err != nil {
			return nil, errors.Join(fmt.Errorf("open %s: %w", o.URL, err), db.Close())
		}
	}
	return db, nil
}

// String is the place of the log, without a password.
func (db *DB) String() string { return db.place }

// Ping reports whether the database can be reached.
func (db *DB) Ping(ctx context.Context) error {
	if err := db.look(ctx); err != nil {
		return fmt.Errorf("reach the database: %w", err)
	}
	if err := db.read.PingContext(ctx); err != nil {
		return fmt.Errorf("reach the database: %w", err)
	}
	return nil
}

// Close closes all connections.
func (db *DB) Close() error {
	var faults []error
	for _, pool := range []*sql.DB{db.write, db.read} {
		if pool != nil {
			faults = append(faults, pool.Close())
		}
	}
	return errors.Join(faults...)
}

// within runs do in a transaction.
func within(ctx context.Context, db *sql.DB, do func(*sql.Tx) error) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	if err := do(tx); err != nil {
		return errors.Join(err, ignoreDone(tx.Rollback()))
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// ignoreDone ignores the rollback of a transaction that the end of its connection has ended.
func ignoreDone(err error) error {
	if err == nil || errors.Is(err, sql.ErrTxDone) || errors.Is(err, sql.ErrConnDone) {
		return nil
	}
	return fmt.Errorf("roll back: %w", err)
}
