//go:build unix

// A file that is moved, removed or replaced while a recorder writes into it.

package database_test

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"protocolq/worker/querylog"
	"protocolq/worker/querylog/database"
)

// Acknowledged rows are in the file that was there, and later rows in the present one.
func TestFileOfTheLogChanges(t *testing.T) {
	for name, c := range map[string]struct {
		change func(t *testing.T, path string)
		former string // where the first file is afterwards; "" if it is gone
		whole  bool   // the new one holds the first lines, too
	}{
		"moved":   {func(t *testing.T, path string) { ok(t, os.Rename(path, path+".old")) }, "log.db.old", false},
		"removed": {func(t *testing.T, path string) { ok(t, os.Remove(path)) }, "", false},
		"all removed": {func(t *testing.T, path string) {
			ok(t, errors.Join(os.Remove(path), os.Remove(path+"-wal"), os.Remove(path+"-shm")))
		}, "", false},
		"folder moved": {func(t *testing.T, path string) { ok(t, os.Rename(filepath.Dir(path), filepath.Dir(path)+".old")) }, "../log.old/log.db", false},
		"restored": {func(t *testing.T, path string) {
			backup(t, path, path+".new")
			ok(t, errors.Join(os.Rename(path, path+".old"), os.Rename(path+".new", path)))
		}, "log.db.old", true},
		"write-ahead log removed": {func(t *testing.T, path string) { ok(t, os.Remove(path+"-wal")) }, "", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // after a failure a recorder leaves the database alone for a moment
			path := filepath.Join(t.TempDir(), "log", "log.db")
			d, db := newDesk(t), open(t, "sqlite://"+path)
			r, stop := d.record(db, 500)
			d.publish(300)
			d.empty()
			first := asksIn(t, db)
			c.change(t, path)
			d.publish(300)
			d.empty()
			stop()
			if s := r.Stats(); s.Failures != 1 || s.Rejected != 0 {
				t.Errorf("%+v", s)
			}
			if c.whole {
				d.check(db)
			} else if got := asksIn(t, db); len(got) != len(d.b.Asks)-len(first) || slices.Contains(got, first[0]) {
				t.Errorf("the new file has %d asks of %d", len(got), len(d.b.Asks)-len(first))
			}
			if result := database.Integrity(t.Context(), db); result != "ok" {
				t.Errorf("integrity: %s", result)
			}
			if c.former != "" {
				former := open(t, "sqlite://"+filepath.Join(filepath.Dir(path), c.former))
				got := asksIn(t, former)
				for _, token := range first {
					if !slices.Contains(got, token) {
						t.Fatalf("%s is not in the former file, of %d", token, len(got))
					}
				}
			}
		})
	}
}

// Before a line is acknowledged its file is known. If a file cannot be opened anew, that is tried
// again.
func TestReplacedFileIsNamed(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	db := open(t, "sqlite://"+filepath.Join(dir, "log.db"))
	b := querylog.Batch{Rejected: []querylog.Rejected{{Subject: "s", Reason: "r"}}}
	ok(t, errors.Join(os.Rename(dir, dir+".old"), os.WriteFile(dir, nil, 0o600))) // no folder can be made there
	for range 2 {
		if _, err := db.Write(t.Context(), b); !errors.Is(err, database.ErrReplaced) {
			t.Errorf("written where nobody finds it: %v", err)
		}
		if err := db.Ping(t.Context()); !errors.Is(err, database.ErrReplaced) {
			t.Errorf("it is reached: %v", err)
		}
	}
	ok(t, os.Remove(dir))
	if err := db.Ping(t.Context()); !errors.Is(err, database.ErrReplaced) {
		t.Errorf("opened anew without a word: %v", err)
	}
	if err := db.Ping(t.Context()); err != nil {
		t.Error(err)
	}
	if w, err := db.Write(t.Context(), b); err != nil || w.Rejected != 1 {
		t.Errorf("%+v, %v", w, err)
	}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// asksIn returns the tokens of all asks in a log.
func asksIn(t *testing.T, db *database.DB) (all []string) {
	t.Helper()
	for next := (database.Cursor{}); ; {
		page, err := db.List(t.Context(), database.Filter{}, next, database.MaxPage)
		ok(t, err)
		for _, a := range page.Asks {
			all = append(all, a.Token)
		}
		if next = page.Next; next == (database.Cursor{}) {
			return all
		}
	}
}

// backup copies an open log.
func backup(t *testing.T, from, to string) {
	t.Helper()
	db, err := sql.Open("sqlite", from)
	ok(t, err)
	_, err = db.ExecContext(context.Background(), "VACUUM INTO '"+to+"'")
	ok(t, errors.Join(err, db.Close()))
}
