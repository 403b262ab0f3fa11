// PostgreSQL: how to reach it, and what its errors mean.

package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"protocolq/worker/querylog"
)

type postgresKind struct {
	mu     sync.Mutex
	months map[month]bool // guarded by mu: parts known to exist
}

func openPostgres(_ context.Context, o Options) (*DB, error) {
	config, err := pgx.ParseConfig(o.URL)
	if err != nil {
		// its own text may quote a password
		return nil, errors.New("read the URL, PGPASSFILE and the other PG… variables: one of them is not as it " +
			"should be")
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = 10 * time.Second
	}
	if _, said := config.RuntimeParams["application_name"]; !said {
		config.RuntimeParams["application_name"] = "protocolq"
	}
	// A pooler such as pgbouncer lends a session for one transaction. So a session may not be left
	// with a prepared statement or a setting, and none may be expected in it.
	if !strings.Contains(o.URL, "default_query_exec_mode=") {
		config.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	}
	pool := stdlib.OpenDB(*config)
	pool.SetMaxOpenConns(4)
	pool.SetConnMaxLifetime(5 * time.Minute) // after a failover the name may have another address
	db := &DB{kind: &postgresKind{months: map[month]bool{}}, read: pool}
	if !o.ReadOnly {
		db.write = pool
	}
	return db, nil
}

// rebind numbers the marks: none of our statements has a ? in a text.
func (*postgresKind) rebind(statement string) string {
	var b strings.Builder
	n := 0
	for part := range strings.SplitSeq(statement, "?") {
		if n > 0 {
			b.WriteString("$" + strconv.Itoa(n))
		}
		b.WriteString(part)
		n++
	}
	return b.String()
}

func (*postgresKind) migrations() []string { return readMigrations("postgres") }

// Our advisory locks: any two numbers that no other program uses in this database.
const (
	lockMigrations = 0x70726f746f636f6c
	lockMonths     = lockMigrations + 1
)

func (*postgresKind) lock(ctx context.Context, tx *sql.Tx) error {
	_, err := tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock($1)", lockMigrations)
	return err
}

func (*postgresKind) scrub(context.Context, *sql.DB) error { return nil } // vacuum is the server's

func sqlState(err error) string {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code
	}
	return ""
}

// States that decisions depend on: https://www.postgresql.org/docs/current/errcodes-appendix.html
const (
	stateCheck        = "23514" // also: there is no part for the row
	stateSerialize    = "40001"
	stateDeadlock     = "40P01"
	stateLockTimeout  = "55P03"
	stateNoTable      = "42P01"
	stateReadOnly     = "25006"
	classData         = "22"
	classConstraint   = "23"
	classProgramLimit = "54"
)

func (*postgresKind) person() (from, order string) { return "asks", newestFirst }

// row is "": branches return rows. Reading the keys first took longer here (measured at 1 million
// rows), because each month is a statement of its own, with its own plan.
func (*postgresKind) row() string { return "" }

func (k *postgresKind) missing(err error) bool { return sqlState(err) == stateNoTable }

// moved: a primary that becomes a standby continues to respond, but accepts no rows.
func (k *postgresKind) moved(err error) bool { return sqlState(err) == stateReadOnly }

func (k *postgresKind) classify(err error) error {
	state := sqlState(err)
	switch {
	case state == "":
		return err
	case state == stateCheck:
		// The month's part was dropped after it was seen: look again.
		k.mu.Lock()
		clear(k.months)
		k.mu.Unlock()
		return fmt.Errorf("%w: %w", querylog.ErrTryAgain, err)
	case state == stateSerialize || state == stateDeadlock || state == stateLockTimeout:
		return fmt.Errorf("%w: %w", querylog.ErrTryAgain, err)
	case strings.HasPrefix(state, classData) || strings.HasPrefix(state, classConstraint) ||
		strings.HasPrefix(state, classProgramLimit):
		return fmt.Errorf("%w: %w", querylog.ErrUnstorable, err)
	}
	return err
}
