// Debits, in one SQLite file.

package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	_ "modernc.org/sqlite" // the driver
)

type store struct{ *sql.DB }

func open(ctx context.Context, file string) (*store, error) {
	db, err := sql.Open("sqlite",
		"file:"+file+"?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	if _, err := db.ExecContext(ctx,
		`CREATE TABLE IF NOT EXISTS debits (order_id TEXT PRIMARY KEY, run TEXT NOT NULL)`); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", file, err), db.Close())
	}
	return &store{db}, nil
}

func (s *store) debited(ctx context.Context, order string) (done bool, err error) {
	err = s.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM debits WHERE order_id = ?)`, order).Scan(&done)
	return done, err
}

// debit debits an order once; here a debit is a row. If the money moves elsewhere, use the order as
// the idempotency key there.
func (s *store) debit(ctx context.Context, order, run string) error {
	_, err := s.ExecContext(ctx, `INSERT INTO debits VALUES (?, ?) ON CONFLICT DO NOTHING`, order, run)
	return err
}
