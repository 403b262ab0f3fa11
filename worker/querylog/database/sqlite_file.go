// The file at its path is the one that was opened, or it is opened anew: SQLite itself writes on
// into a file that was moved or removed.

package database

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"os"
	"sync"
)

// ErrReplaced says that the log's file was moved, removed or replaced while it was open. What was
// to be written is not in the file that is there now, which is open by then.
var ErrReplaced = errors.New("the file was moved, removed or replaced while it was open; the one that is there now " +
	"is opened anew")

// place is where the file of a writer is, and which it was when it was opened.
type place struct {
	path string

	mu   sync.Mutex  // guards what follows; held while the file is opened anew
	file os.FileInfo // device and inode among it
	wal  bool        // it has a write-ahead log beside it
	gone bool        // it is complete and closed; another is to be opened
}

// note looks at what was opened.
func (p *place) note() (err error) {
	p.file, err = os.Stat(p.path)
	_, missing := os.Stat(p.path + "-wal")
	p.wal, p.gone = missing == nil, err != nil
	return err
}

// same reports whether the file is the one that was opened, and has its write-ahead log.
func (p *place) same() bool {
	if p.gone {
		return false
	}
	now, err := os.Stat(p.path)
	if err == nil && p.wal {
		_, err = os.Stat(p.path + "-wal")
	}
	return err == nil && os.SameFile(now, p.file)
}

// look opens the file anew where another is at its path, or none, and then gives [ErrReplaced].
func (db *DB) look(ctx context.Context) error {
	p := db.at
	if p == nil {
		return nil // a server's, or only read
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.same() {
		return nil
	}
	if err := db.openAnew(ctx); err != nil {
		return errors.Join(ErrReplaced, fmt.Errorf("open %s anew: %w", p.path, err))
	}
	if err := p.note(); err != nil {
		return errors.Join(ErrReplaced, err)
	}
	return ErrReplaced
}

// openAnew leaves the former file complete, and opens the one that is at the path now.
func (db *DB) openAnew(ctx context.Context) error {
	if !db.at.gone {
		forgetIdle(db.read) // a reader would keep the write-ahead log from being emptied
		if err := letGo(ctx, db.write); err != nil {
			return err
		}
		db.at.gone = true
	}
	if err := makeSQLiteFile(db.at.path); err != nil {
		return err
	}
	return db.migrate(ctx, 0)
}

// letGo writes what only the write-ahead log holds into the file that it belongs to, wherever that
// is by now, and closes the connection. The log stays behind, empty: the next file must not take it
// for its own.
func letGo(ctx context.Context, pool *sql.DB) error {
	conn, err := pool.Conn(ctx)
	if err != nil {
		return err
	}
	var busy, pages, written int
	err = conn.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &pages, &written)
	switch {
	case err != nil:
		err = fmt.Errorf("complete the former file: %w", err)
	case busy != 0:
		err = errors.New("complete the former file: somebody reads it")
	default:
		_ = conn.Raw(func(any) error { return driver.ErrBadConn }) // the pool closes it
	}
	_ = conn.Close() // closed already, or given back
	return err
}

// forgetIdle closes what a pool keeps open.
func forgetIdle(pool *sql.DB) {
	pool.SetMaxIdleConns(0)
	pool.SetMaxIdleConns(2)
}
