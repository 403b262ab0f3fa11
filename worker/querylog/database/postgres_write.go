// PostgreSQL: a batch as one statement for each table, with an array for each column.

package database

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
)

// fromArrays is INSERT … SELECT unnest(…). It is as fast as COPY, but it can skip existing rows and
// report which rows were new.
func fromArrays(table, columns, types, returning string) string {
	var casts []string
	names := strings.Split(columns, ", ")
	selected := make([]string, len(names))
	for i, kind := range strings.Split(types, " ") {
		array := kind
		if kind == "jsonb" {
			array = "text" // parsed by the server
		}
		casts = append(casts, "?::"+array+"[]")
		selected[i] = "c" + names[i] + "::" + kind
	}
	aliases := "c" + strings.ReplaceAll(columns, ", ", ", c")
	return "INSERT INTO " + table + " (" + columns + ") SELECT " + strings.Join(selected, ", ") + " FROM unnest(" +
		strings.Join(casts, ", ") + ") AS t (" + aliases +
		") ON CONFLICT DO NOTHING RETURNING " + returning
}

const (
	runTypes = "text bigint bigint text bytea text bytea text bytea text text text text boolean boolean text " +
		"text integer jsonb"
	askTypes = "text bigint bigint smallint text text text bytea text bytea text bytea text text text text text " +
		"text text text text"
	rejectedTypes = "bigint bigint text integer text"
)

var (
	runArrays      = fromArrays("runs", runColumns, runTypes, "id")
	askArrays      = fromArrays("asks", askColumns, askTypes, "token")
	rejectedArrays = fromArrays("rejected", rejectedColumns, rejectedTypes, "stream::text")
)

// The sums are updated in one order of rows, so that two writers never wait for each other in a
// circle.
const (
	addHours = `INSERT INTO counters (hour, partner, name, n) SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bigint[])
		ON CONFLICT (hour, partner, name) DO UPDATE SET n = counters.n + excluded.n`
	addDays = `INSERT INTO counters_day (day, partner, name, n) SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bigint[])
		ON CONFLICT (name, partner, day) DO UPDATE SET n = counters_day.n + excluded.n`
)

func (k *postgresKind) write(ctx context.Context, db *sql.DB, b *rows) (Written, error) {
	if err := k.ensureMonths(ctx, db, b); err != nil {
		return Written{}, fmt.Errorf("make the part of a month: %w", err)
	}
	var w Written
	err := within(ctx, db, func(tx *sql.Tx) error {
		// The commit must be on disk before the line leaves the stream, whatever the default of the role.
		_, err := tx.ExecContext(ctx,
			"SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off'")
		if err != nil {
			return fmt.Errorf("wait for the disk: %w", err)
		}
		sums := counts{}
		fresh, err := k.insert(ctx, tx, runArrays, runArgs(b.runs))
		if err != nil {
			return fmt.Errorf("insert runs: %w", err)
		}
		for i := range b.runs {
			if fresh[b.runs[i].ID] {
				sums.run(&b.runs[i])
			}
		}
		w.Runs = len(fresh)
		if fresh, err = k.insert(ctx, tx, askArrays, askArgs(b.asks)); err != nil {
			return fmt.Errorf("insert asks: %w", err)
		}
		for i := range b.asks {
			if fresh[b.asks[i].Token] {
				sums.ask(&b.asks[i])
			}
		}
		w.Asks = len(fresh)
		if fresh, err = k.insert(ctx, tx, rejectedArrays, rejectedArgs(b.rejected)); err != nil {
			return fmt.Errorf("insert rejected: %w", err)
		}
		for i := range b.rejected {
			if fresh[fmt.Sprint(b.rejected[i].Stream)] {
				sums.rejected(&b.rejected[i])
			}
		}
		w.Rejected = len(fresh)
		return k.addUp(ctx, tx, b, sums)
	})
	if err != nil {
		return Written{}, err
	}
	return w, nil
}

// insert returns the identities of the new rows.
func (k *postgresKind) insert(ctx context.Context, tx *sql.Tx, statement string, args []any) (map[string]bool, error) {
	if args == nil {
		return nil, nil
	}
	result, err := tx.QueryContext(ctx, k.rebind(statement), args...)
	if err != nil {
		return nil, err
	}
	defer result.Close()
	fresh := map[string]bool{}
	for result.Next() {
		var id string
		if err := result.Scan(&id); err != nil {
			return nil, err
		}
		fresh[id] = true
	}
	return fresh, result.Err()
}

func (k *postgresKind) addUp(ctx context.Context, tx *sql.Tx, b *rows, sums counts) error {
	if partners := b.partners(); len(partners) > 0 {
		if _, err := tx.ExecContext(ctx,
			"INSERT INTO partners (partner) SELECT unnest($1::text[]) ON CONFLICT DO NOTHING", partners); err != nil {
			return fmt.Errorf("insert partners: %w", err)
		}
	}
	if err := addSums(ctx, tx, addHours, sums.sorted()); err != nil {
		return err
	}
	return addSums(ctx, tx, addDays, sums.byDay())
}

func addSums(ctx context.Context, tx *sql.Tx, statement string, list []sum) error {
	if len(list) == 0 {
		return nil
	}
	at, partners, names, n := make([]int64, len(list)), make([]string, len(list)), make([]string,
		len(list)), make([]int64, len(list))
	for i, s := range list {
		at[i], partners[i], names[i], n[i] = s.hour, s.partner, s.name, s.n
	}
	if _, err := tx.ExecContext(ctx, statement, at, partners, names, n); err != nil {
		return fmt.Errorf("add to counters: %w", err)
	}
	return nil
}

// columns turns rows into one array for each column, of a type that the driver knows: it does not
// accept arrays of any.
func columns(n int, values func(int) []any) []any {
	if n == 0 {
		return nil
	}
	var all []any
	for i := range n {
		for j, v := range values(i) {
			if i == 0 {
				all = append(all, newColumn(v, n))
			}
			all[j] = appendValue(all[j], v)
		}
	}
	return all
}

func newColumn(v any, n int) any {
	switch v.(type) {
	case string:
		return make([]string, 0, n)
	case []byte:
		return make([][]byte, 0, n)
	case *bool:
		return make([]*bool, 0, n)
	case int, int64:
		return make([]int64, 0, n)
	}
	panic(fmt.Sprintf("a column of %T", v)) // rows.go decides the types
}

func appendValue(column, v any) any {
	switch c := column.(type) {
	case []string:
		return append(c, v.(string))
	case [][]byte:
		return append(c, v.([]byte))
	case []*bool:
		return append(c, v.(*bool))
	case []int64:
		if n, ok := v.(int); ok {
			return append(c, int64(n))
		}
		return append(c, v.(int64))
	}
	return column
}

func runArgs(list []runRow) []any {
	return columns(len(list), func(i int) []any { return list[i].values() })
}

func askArgs(list []askRow) []any {
	return columns(len(list), func(i int) []any { return list[i].values() })
}

func rejectedArgs(list []rejectedRow) []any {
	return columns(len(list), func(i int) []any { return list[i].values() })
}
