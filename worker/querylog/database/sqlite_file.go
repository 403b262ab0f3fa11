// Ensures that the file at the path is the open one, or opens it anew: SQLite itself continues to
// write into a file that was moved or removed.

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

// ErrReplaced says that the log's file was moved, removed or replaced while it was open. The rows
// of this write are not in the present file, which is open by then.
var ErrReplaced = errors.New("the file was moved, removed or replaced while it was open; the one that is there now " +
	"is opened anew")

// place is the path of a writer's file, and which file was there when it was opened.
type place struct {
	path string

	mu   sync.Mutex  // guards the rest; held while the file is opened anew
	file os.FileInfo // includes device and inode
	wal  bool        // it has a write-ahead log beside it
	gone bool        // the former file is complete and closed; a new one is to be opened
}

// note remembers which file was opened.
func (p *place) note() (err error) {
	p.file, err = os.Stat(p.path)
	_, missing := os.Stat(p.path + "-wal")
	p.wal, p.gone = missing == nil, err != nil
	return err
}

// same reports whether the file at the path is the open one, and has its write-ahead log.
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

// look opens the file anew if the path has another file, or none, and then returns [ErrReplaced].
func (db *DB) look(ctx context.Context) error {
	p := db.at
	if p == nil {
		return nil // a server, or read-only
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

// openAnew completes the former file, and opens the file that is at the path now.
func (db *DB) openAnew(ctx context.Context) error {
	if !db.at.gone {
		forgetIdle(db.read) // a reader could keep the write-ahead log from being emptied
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

// letGo copies the write-ahead log into the file that it belongs to, wherever that file is now, and
// closes the connection. The empty log stays behind: the next file must not use it as its own.
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

// forgetIdle closes the idle connections of a pool.
func forgetIdle(pool *sql.DB) {
	pool.SetMaxIdleConns(0)
	pool.SetMaxIdleConns(2)
}
