// What leaves the log: rows that are too old, and persons who are to be forgotten.

package database

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"protocolq/worker/pause"
	"protocolq/worker/querylog"
)

// pruneBatch is how many rows of a table are deleted at once. Between two batches other writers
// have their turn.
const (
	pruneBatch = 1000
	prunePause = 50 * time.Millisecond
	pruneEvery = time.Hour
)

// Prune deletes all rows older than before, and returns their number. Writers wait for one small
// batch at most. PostgreSQL drops whole months and does not count their rows.
func (db *DB) Prune(ctx context.Context, before time.Time) (deleted int64, err error) {
	for {
		n, more, err := db.kind.prune(ctx, db.write, before.UnixMilli(), pruneBatch)
		deleted += n
		if err != nil {
			return deleted, fmt.Errorf("prune: %w", db.kind.classify(err))
		}
		if !more {
			return deleted, nil
		}
		if pause.For(ctx, prunePause) != nil {
			return deleted, ctx.Err()
		}
	}
}

// Keep prunes rows older than retention, now and every hour, until ctx ends. If the database is
// unavailable, Keep tries again the next hour. A retention of 0 keeps all rows.
func (db *DB) Keep(ctx context.Context, retention time.Duration, log *slog.Logger) {
	for retention > 0 {
		n, err := db.Prune(ctx, time.Now().Add(-retention))
		switch {
		case err != nil && ctx.Err() == nil:
			log.Warn("old rows not pruned, tried again later", "err", err)
		case n > 0:
			log.Info("old rows pruned", "rows", n)
		}
		if pause.For(ctx, pruneEvery) != nil {
			return
		}
	}
	<-ctx.Done()
}

// Person is a person in the log: the look-up ids of a login, of an account, or of both.
type Person struct {
	Emails, Accounts []querylog.LookUp
}

// Forget deletes every row of a person: the rows with that login and those with that account. The
// sums stay, as they name nobody. Forget returns the number of rows.
//
// The runs have no index by person, which would cost time on every insert. So all runs are
// searched: some seconds for millions of rows, while others continue to write.
func (db *DB) Forget(ctx context.Context, p Person) (deleted int64, err error) {
	if db.write == nil {
		return 0, fmt.Errorf("forget: %s is open for reading only", db.place)
	}
	for column, list := range map[string][]querylog.LookUp{"email_id": p.Emails, "account_id": p.Accounts} {
		for _, id := range list {
			asks, _ := db.kind.person()
			for _, t := range []forgetting{{"asks", asks, "token"}, {"runs", "runs", "id"}} {
				n, err := db.forget(ctx, t, where{parts: []string{column + " = ?"}, args: []any{id[:]}})
				deleted += n
				if err != nil {
					return deleted, fmt.Errorf("forget: %w", db.kind.classify(err))
				}
			}
		}
	}
	if err := db.kind.scrub(ctx, db.write); err != nil {
		return deleted, fmt.Errorf("forget: %w", err)
	}
	return deleted, nil
}

// HashVersions are the versions of the keys by which people are in the log. It reads the whole log.
func (db *DB) HashVersions(ctx context.Context) (versions []string, err error) {
	result, err := db.read.QueryContext(ctx, "SELECT hash_version FROM asks UNION SELECT hash_version FROM runs")
	if err != nil {
		return nil, fmt.Errorf("look for keys: %w", db.kind.classify(err))
	}
	defer result.Close()
	for result.Next() {
		var v string
		if err := result.Scan(&v); err != nil {
			return nil, fmt.Errorf("look for keys: %w", db.kind.classify(err))
		}
		versions = append(versions, v)
	}
	if err := result.Err(); err != nil {
		return nil, fmt.Errorf("look for keys: %w", db.kind.classify(err))
	}
	return versions, nil
}

// forgetting says in which table, and where in it, a person's rows are, and what identifies a row.
type forgetting struct{ table, from, identity string }

// forget finds a person's rows in a table, then deletes them one by one.
func (db *DB) forget(ctx context.Context, t forgetting, w where) (deleted int64, err error) {
	result, err := db.read.QueryContext(ctx, db.kind.rebind("SELECT at_ms, "+t.identity+" FROM "+t.from+w.String()),
		w.args...)
	if err != nil {
		return 0, err
	}
	defer result.Close()
	type row struct {
		at int64
		id string
	}
	var found []row
	for result.Next() {
		var r row
		if err := result.Scan(&r.at, &r.id); err != nil {
			return 0, err
		}
		found = append(found, r)
	}
	if err := result.Err(); err != nil {
		return 0, err
	}
	for part := range slices.Chunk(found, pruneBatch) {
		err := within(ctx, db.write, func(tx *sql.Tx) error {
			for _, r := range part {
				n, err := changed(tx.ExecContext(ctx,
					db.kind.rebind("DELETE FROM "+t.table+" WHERE at_ms = ? AND "+t.identity+" = ?"), r.at, r.id))
				if err != nil {
					return err
				}
				deleted += n
			}
			return nil
		})
		if err != nil {
			return deleted, err
		}
	}
	return deleted, nil
}

type pruning struct {
	before int64
	limit  int
}

// pruneRows deletes the oldest rows of each table, each batch in a transaction of its own, so that
// a writer never waits long.
func pruneRows(ctx context.Context, db *sql.DB, rebind func(string) string, p pruning) (deleted int64, more bool,
	err error) {
	for _, statement := range []string{
		"DELETE FROM asks WHERE at_ms < ? AND (at_ms, token) IN (SELECT at_ms, token FROM asks WHERE at_ms < ? ORDER " +
			"BY at_ms, token LIMIT ?)",
		"DELETE FROM runs WHERE at_ms < ? AND id IN (SELECT id FROM runs WHERE at_ms < ? ORDER BY at_ms LIMIT ?)",
		"DELETE FROM rejected WHERE at_ms < ? AND (at_ms, stream) IN (SELECT at_ms, stream FROM rejected WHERE at_ms " +
			"< ? ORDER BY at_ms LIMIT ?)",
	} {
		n, err := changed(db.ExecContext(ctx, rebind(statement), p.before, p.before, p.limit))
		if err != nil {
			return deleted, false, err
		}
		deleted += n
		more = more || n == int64(p.limit)
	}
	if _, err := db.ExecContext(ctx, rebind("DELETE FROM counters_day WHERE day < ?"), dayOf(p.before)); err != nil {
		return deleted, false, err
	}
	n, err := changed(db.ExecContext(ctx,
		rebind("DELETE FROM counters WHERE (hour, partner, name) IN (SELECT hour, partner, name FROM counters WHERE "+
			"hour < ? ORDER BY hour LIMIT ?)"), hourOf(p.before), p.limit))
	return deleted, more || n == int64(p.limit), err
}

func changed(result sql.Result, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}
