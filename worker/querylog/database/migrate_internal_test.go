// An upgrade of large tables takes as long as it needs, even if the patience for an unresponsive
// database is short.

package database

import (
	"database/sql/driver"
	"path/filepath"
	"testing"
	"time"

	"modernc.org/sqlite"
)

// largeTables are tables whose next version takes long to make.
type largeTables struct{ kind }

func (l largeTables) migrations() []string {
	return append(l.kind.migrations(), "SELECT longer_than_patience()")
}

func TestLongMigration(t *testing.T) {
	const patience = 2 * time.Second
	sqlite.MustRegisterScalarFunction("longer_than_patience", 0, func(*sqlite.FunctionContext, []driver.Value) (driver.Value, error) {
		time.Sleep(patience + patience/4)
		return int64(0), nil
	})
	o := Options{URL: "sqlite://" + filepath.Join(t.TempDir(), "log.db"), Patience: patience}
	first, err := Open(t.Context(), o)
	if err != nil || first.Close() != nil {
		t.Fatal(err)
	}
	db, err := openSQLite(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.kind = largeTables{db.kind}
	if err := db.begin(t.Context(), o); err != nil {
		t.Errorf("migrated within a person's patience, or not at all: %v", err)
	}
	if have, err := version(t.Context(), db.read); err != nil || have != len(db.kind.migrations()) {
		t.Errorf("version %d, %v", have, err)
	}
}
