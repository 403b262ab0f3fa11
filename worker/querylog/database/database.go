// A query log in a database, SQLite or PostgreSQL by its URL: how it is opened, and what its errors
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

// ErrNotThere says that there is no query log at that place, or it is not of this
// program's version. A Recorder makes it; who only reads does not.
var ErrNotThere = errors.New("no query log there")

// ErrNewer says that the tables were made by a later program than this.
var ErrNewer = errors.New("made by a newer program")

// Options say which database, and what for.
type Options struct {
	// URL is sqlite:///absolute/path, sqlite:relative/path, or postgres://user@host/name?….
	// It may hold no password: PostgreSQL's come from PGPASSFILE or PGPASSWORD.
	URL string
	// ReadOnly never makes or changes anything.
	ReadOnly bool
	// Patience is how long the database may take to be reached, to say its version, and to let a
	// migration begin; 0: no bound. A migration itself takes as long as the tables are large.
	Patience time.Duration
}

// bound gives ctx with the patience.
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
	place string // the URL, fit to be shown
	at    *place // the file of a writer; nil of a server
}

// kind is what differs between the databases.
type kind interface {
	// rebind makes a statement with ? for each argument one of this database.
	rebind(statement string) string
	// write stores a batch in one transaction.
	write(ctx context.Context, db *sql.DB, b *rows) (Written, error)
	// prune deletes what is older than before, up to about limit rows, and reports whether more is
	// left.
	prune(ctx context.Context, db *sql.DB, before int64, limit int) (deleted int64, more bool, err error)
	// scrub takes out of files what deleted rows leave there, as far as the database lets us.
	scrub(ctx context.Context, db *sql.DB) error
	// migrations are the statements of each version, the first is version 1.
	migrations() []string
	// lock keeps other migrations out until the transaction ends.
	lock(ctx context.Context, tx *sql.Tx) error
	// person is from where, and in which order, asks are read by a look-up id.
	person() (from, order string)
	// row finds the row of a key, k_at and k_token; "": the branches of a list give rows.
	row() string
	// windows are the spans in which a list of several branches is read.
	windows(ctx context.Context, db *sql.DB) ([]window, error)
	// moved reports that another server is the one to write to by now.
	moved(err error) bool
	// missing reports that a table is not there.
	missing(err error) bool
	// classify says which kind of error it is.
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

// String is where the log is; it holds no password.
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

// within runs do in a transaction that ends with it.
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

// ignoreDone: a transaction that its connection's end has ended needs no rollback.
func ignoreDone(err error) error {
	if err == nil || errors.Is(err, sql.ErrTxDone) || errors.Is(err, sql.ErrConnDone) {
		return nil
	}
	return fmt.Errorf("roll back: %w", err)
}
