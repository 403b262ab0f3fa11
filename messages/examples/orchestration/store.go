// Orders, runs and effects, in one SQLite file.

package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	_ "modernc.org/sqlite" // the driver
)

const tables = `
CREATE TABLE IF NOT EXISTS orders (id TEXT PRIMARY KEY, email TEXT NOT NULL, state TEXT NOT NULL, due_ms INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS runs (run TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS effects (run TEXT NOT NULL, order_id TEXT NOT NULL, what TEXT NOT NULL);`

type store struct{ *sql.DB }

type order struct{ id, email string }

func open(ctx context.Context, file string) (*store, error) {
	db, err := sql.Open("sqlite",
		"file:"+file+"?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_txlock=immediate")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	if _, err := db.ExecContext(ctx, tables); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", file, err), db.Close())
	}
	return &store{db}, nil
}

func (s *store) add(ctx context.Context, id, email string) error {
	_, err := s.ExecContext(ctx, `INSERT OR IGNORE INTO orders VALUES (?, ?, 'unknown', 0)`, id, email)
	return err
}

// due are orders whose answer is not known, and whose time to ask again has come.
func (s *store) due(ctx context.Context, now time.Time) (all []order, err error) {
	rows, err := s.QueryContext(ctx, `SELECT id, email FROM orders WHERE state = 'unknown' AND due_ms <= ? LIMIT 100`,
		now.UnixMilli())
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var o order
		if err := rows.Scan(&o.id, &o.email); err != nil {
			return nil, err
		}
		all = append(all, o)
	}
	return all, rows.Err()
}

func (s *store) asked(ctx context.Context, id, state string, due time.Time) error {
	_, err := s.ExecContext(ctx, `UPDATE orders SET state = ?, due_ms = ? WHERE id = ?`, state, due.UnixMilli(), id)
	return err
}

// settle stores a run and its effect, in one transaction: if the event comes again, also in another
// process, its run is found here and has no second effect. The effect is a row by which another
// program works. If the effect is made elsewhere, use the run as the idempotency key there.
func (s *store) settle(ctx context.Context, run, orderID string, what effect) (made bool, err error) {
	tx, err := s.BeginTx(ctx, nil)
	if err != nil {
		return false, err
	}
	defer tx.Rollback() //nolint:errcheck // after a commit there is nothing to roll back
	r, err := tx.ExecContext(ctx, `INSERT INTO runs VALUES (?) ON CONFLICT DO NOTHING`, run)
	if err != nil {
		return false, err
	}
	if n, err := r.RowsAffected(); err != nil || n == 0 {
		return false, err // settled before
	}
	r, err = tx.ExecContext(ctx, `INSERT INTO effects SELECT ?1, id, ?2 FROM orders WHERE id = ?3 AND ?2 <> ''`, run,
		what, orderID)
	if err != nil {
		return false, err
	}
	n, err := r.RowsAffected()
	return n > 0, errors.Join(err, tx.Commit())
}
