// Audit: who did what to the log, when, and to how many rows, but never to whose.

package database

import (
	"context"
	"errors"
	"fmt"
	"time"

	"protocolq/worker/querylog"
)

// Audit is one action of an operator.
type Audit struct {
	At     time.Time `json:"at"`
	Who    string    `json:"who"`
	Action string    `json:"action"`
	Detail string    `json:"detail"` // how many rows; no personal data
}

// Audit stores an action.
func (db *DB) Audit(ctx context.Context, a Audit) error {
	if db.write == nil {
		return errors.New("audit: the log is open for reading only")
	}
	_, err := db.write.ExecContext(ctx,
		db.kind.rebind("INSERT INTO audit (at_ms, who, action, detail) VALUES (?, ?, ?, ?)"), a.At.UnixMilli(), a.Who,
		a.Action, a.Detail)
	if err != nil {
		return fmt.Errorf("audit: %w", db.kind.classify(err))
	}
	return nil
}

// Audits are the latest actions, newest first.
func (db *DB) Audits(ctx context.Context, limit int) (list []Audit, err error) {
	rows, err := db.read.QueryContext(ctx,
		db.kind.rebind("SELECT at_ms, who, action, detail FROM audit ORDER BY at_ms DESC LIMIT ?"), limit)
	if err != nil {
		return nil, fmt.Errorf("read the audit: %w", db.kind.classify(err))
	}
	defer rows.Close()
	for rows.Next() {
		var a Audit
		var at int64
		if err := rows.Scan(&at, &a.Who, &a.Action, &a.Detail); err != nil {
			return nil, fmt.Errorf("read the audit: %w", err)
		}
		a.At = time.UnixMilli(at).UTC()
		list = append(list, a)
	}
	return list, rows.Err()
}

// CountPerson is how many rows Forget would delete.
func (db *DB) CountPerson(ctx context.Context, p Person) (n int64, err error) {
	asks, _ := db.kind.person()
	for column, list := range map[string][]querylog.LookUp{"email_id": p.Emails, "account_id": p.Accounts} {
		for _, id := range list {
			for _, from := range []string{asks, "runs"} {
				var rows int64
				if err := db.read.QueryRowContext(ctx,
					db.kind.rebind("SELECT COUNT(*) FROM "+from+" WHERE "+column+" = ?"),
					id[:]).Scan(&rows); err != nil {
					return n, fmt.Errorf("count a person's rows: %w", db.kind.classify(err))
				}
				n += rows
			}
		}
	}
	return n, nil
}
