// PostgreSQL: each month has a part of the tables. It is made when its first row comes, and dropped
// when its last row is too old.

package database

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"
)

// month is the first millisecond of a month, UTC.
type month int64

func monthOf(at time.Time) month {
	at = at.UTC()
	return month(time.Date(at.Year(), at.Month(), 1, 0, 0, 0, 0, time.UTC).UnixMilli())
}

func (m month) next() month { return monthOf(time.UnixMilli(int64(m)).UTC().AddDate(0, 1, 0)) }

// part is the name of a table's part.
func (m month) part(table string) string {
	return table + time.UnixMilli(int64(m)).UTC().Format("_2006_01")
}

// parted are the tables that have parts, with the columns that identify their rows.
var parted = map[string]string{"asks": "token", "runs": "id"}

// ensureMonths makes the parts that a batch needs.
func (k *postgresKind) ensureMonths(ctx context.Context, db *sql.DB, b *rows) error {
	needed := map[month]bool{}
	for _, r := range b.runs {
		needed[monthOf(r.At)] = true
	}
	for _, a := range b.asks {
		needed[monthOf(a.At)] = true
	}
	k.mu.Lock()
	for m := range k.months {
		delete(needed, m)
	}
	k.mu.Unlock()
	for m := range needed {
		if err := within(ctx, db, func(tx *sql.Tx) error { return makeMonth(ctx, tx, m) }); err != nil {
			return err
		}
		k.mu.Lock()
		k.months[m] = true
		k.mu.Unlock()
	}
	return nil
}

// makeMonth makes the parts separately and then attaches them, so that readers and writers of the
// other months can go on.
func makeMonth(ctx context.Context, tx *sql.Tx, m month) error {
	if _, err := tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock($1)", lockMonths); err != nil {
		return err
	}
	for table, identity := range parted {
		part := m.part(table)
		var there bool
		if err := tx.QueryRowContext(ctx, "SELECT to_regclass($1) IS NOT NULL", part).Scan(&there); err != nil {
			return err
		}
		if there {
			continue
		}
		for _, statement := range []string{
			fmt.Sprintf("CREATE TABLE %s (LIKE %s INCLUDING DEFAULTS INCLUDING STORAGE)", part, table),
			fmt.Sprintf("CREATE UNIQUE INDEX ON %s (%s)", part, identity),
			fmt.Sprintf("ALTER TABLE %s ATTACH PARTITION %s FOR VALUES FROM (%d) TO (%d)", table, part, m, m.next()),
		} {
			if _, err := tx.ExecContext(ctx, statement); err != nil {
				return fmt.Errorf("%s: %w", part, err)
			}
		}
	}
	return nil
}

// prune drops whole months, and deletes rows in the month that contains before.
func (k *postgresKind) prune(ctx context.Context, db *sql.DB, before int64, limit int) (deleted int64, more bool,
	err error) {
	for table := range parted {
		months, err := partsOf(ctx, db, table)
		if err != nil {
			return 0, false, fmt.Errorf("list months: %w", err)
		}
		for _, m := range months {
			if int64(m.next()) > before {
				continue
			}
			if err := k.drop(ctx, db, m.part(table)); err != nil {
				return 0, false, fmt.Errorf("drop %s: %w", m.part(table), err)
			}
		}
	}
	return pruneRows(ctx, db, k.rebind, pruning{before, limit})
}

// windows are the months, newest first. Planning several branches over all parts at once takes
// longer than running them (measured with 13 parts and 8 branches: 0.3 s).
func (k *postgresKind) windows(ctx context.Context, db *sql.DB) ([]window, error) {
	months, err := partsOf(ctx, db, "asks")
	if err != nil {
		return nil, fmt.Errorf("list months: %w", err)
	}
	slices.Sort(months)
	slices.Reverse(months)
	list := make([]window, len(months))
	for i, m := range months {
		list[i] = window{int64(m), int64(m.next())}
	}
	return list, nil
}

// drop waits only a moment for readers of the part, because all other clients wait behind it.
func (k *postgresKind) drop(ctx context.Context, db *sql.DB, part string) error {
	k.mu.Lock()
	clear(k.months)
	k.mu.Unlock()
	return within(ctx, db, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "SET LOCAL lock_timeout = '2s'"); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, "DROP TABLE IF EXISTS "+part)
		return err
	})
}

// partsOf lists the existing months of a table.
func partsOf(ctx context.Context, db *sql.DB, table string) ([]month, error) {
	result, err := db.QueryContext(ctx,
		"SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = to_regclass($1)",
		table)
	if err != nil {
		return nil, err
	}
	defer result.Close()
	var list []month
	for result.Next() {
		var name string
		if err := result.Scan(&name); err != nil {
			return nil, err
		}
		if at, err := time.Parse(table+"_2006_01", name); err == nil {
			list = append(list, monthOf(at))
		}
	}
	return list, result.Err()
}
