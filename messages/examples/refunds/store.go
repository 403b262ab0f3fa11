// Refunds and payments, in one SQLite file.

package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	_ "modernc.org/sqlite" // the driver

	"protocolq/messages"
)

const tables = `
CREATE TABLE IF NOT EXISTS refunds (id TEXT PRIMARY KEY, email TEXT NOT NULL, state TEXT NOT NULL, due_ms INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS payments (refund TEXT PRIMARY KEY, run TEXT NOT NULL);`

type store struct{ *sql.DB }

// refund is a refund to check.
type refund struct {
	id, email string
	due       int64 // since when, in unix milliseconds
}

// query is the question about a refund: its id comes back with the answer.
func (r refund) query() messages.Query { return messages.Query{ID: r.id, UserEmail: r.email} }

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
	_, err := s.ExecContext(ctx, `INSERT OR IGNORE INTO refunds VALUES (?, ?, 'new', 0)`, id, email)
	return err
}

// due are refunds that have not been asked for yet, or whose time to ask again has come.
func (s *store) due(ctx context.Context, now time.Time) (all []refund, err error) {
	rows, err := s.QueryContext(ctx,
		`SELECT id, email, due_ms FROM refunds WHERE state IN ('new', 'unknown') AND due_ms <= ? LIMIT 100`,
		now.UnixMilli())
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var r refund
		if err := rows.Scan(&r.id, &r.email, &r.due); err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return all, rows.Err()
}

// asked notes that a refund was submitted, unless its answer came first: then it is due at another
// time, or never.
func (s *store) asked(ctx context.Context, r refund) error {
	_, err := s.ExecContext(ctx,
		`UPDATE refunds SET state = 'asked' WHERE id = ? AND state IN ('new', 'unknown') AND due_ms = ?`, r.id, r.due)
	return err
}

func (s *store) find(ctx context.Context, id string) (r refund, known bool, err error) {
	err = s.QueryRowContext(ctx, `SELECT id, email FROM refunds WHERE id = ?`, id).Scan(&r.id, &r.email)
	if errors.Is(err, sql.ErrNoRows) {
		return refund{}, false, nil
	}
	return r, err == nil, err
}

// settle stores the result of an answer. The payment is in the same transaction as the state; here
// it is a row by which another program pays. If the money moves elsewhere, use the refund's id as
// the idempotency key there.
func (s *store) settle(ctx context.Context, id string, what step, run string, due time.Time) error {
	tx, err := s.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // after a commit there is nothing to roll back
	r, err := tx.ExecContext(ctx,
		`UPDATE refunds SET state = ?, due_ms = ? WHERE id = ? AND state NOT IN ('paid', 'stopped')`, what,
		due.UnixMilli(), id)
	if err != nil {
		return err
	}
	if n, err := r.RowsAffected(); err != nil || n == 0 {
		return err // settled before
	}
	if what == pay {
		if _, err := tx.ExecContext(ctx, `INSERT INTO payments VALUES (?, ?)`, id, run); err != nil {
			return err
		}
	}
	return tx.Commit()
}
