// An examination finds what a recorder would find, in both databases, and leaves nothing behind.

package database_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"protocolq/worker/querylog"
	"protocolq/worker/querylog/database"
)

func TestExamine(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		e, err := database.Examine(t.Context(), url)
		fresh := errors.Is(err, database.ErrNotThere)
		if err != nil && !fresh || e.Tables != 0 || len(e.Missing) > 0 || e.Sync <= 0 {
			t.Fatalf("before there are tables: %+v, %v", e, err)
		}
		db := open(t, url)
		write(t, db, querylog.Batch{Runs: []querylog.Run{aRun(1)}})
		e, err = database.Examine(t.Context(), url)
		if err != nil || e.Tables == 0 || e.Tables != e.Want || len(e.Missing) > 0 || e.Unsafe != "" && e.Unsafe != "fsync is off" || // as the tests' own server is
			e.Sync <= 0 || e.Sync > 10*time.Second {
			t.Errorf("%+v, %v", e, err)
		}
		if strings.HasPrefix(url, "postgres") != !e.Clock.IsZero() || e.Clock.After(e.After.Add(time.Minute)) {
			t.Errorf("its clock is %v", e.Clock)
		}
		if path, ok := strings.CutPrefix(url, "sqlite://"); ok {
			left, err := filepath.Glob(filepath.Join(filepath.Dir(path), ".protocolq-*"))
			if err != nil || len(left) > 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		}
	})
}

func TestExamineAbsent(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "none")
	e, err := database.Examine(t.Context(), "sqlite://"+filepath.Join(dir, "log.db"))
	if !errors.Is(err, database.ErrNotThere) || len(e.Missing) > 0 || e.Sync <= 0 {
		t.Errorf("no folder: %+v, %v", e, err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder was made: %v", err)
	}
	if _, err := database.Examine(t.Context(), "postgres://nobody@127.0.0.1:1/none"); err == nil {
		t.Error("nobody there, and no error")
	}
}
