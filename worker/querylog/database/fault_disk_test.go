//go:build linux

// A full disk: a file system of fixed size if the test may make one, else a file of fixed size.

package database_test

import (
	"fmt"
	"syscall"
	"testing"

	"protocolq/worker/querylog/database"
)

// TestDiskFull fills the file system of the file, then makes room. The stream holds the lines that
// have no room.
func TestDiskFull(t *testing.T) {
	dir := t.TempDir()
	full, room := smallDisk(t, dir, 1<<20)
	url := "sqlite://" + dir + "/log.db"
	d, db := newDesk(t), open(t, url)
	full(db)
	d.publish(1200) // more than there is room for
	r, stop := d.record(db, 500)
	eventually(t, "the disk is full", func() bool { return r.Stats().Failures > 1 })
	if s := r.Stats(); s.Rejected != 0 || d.left() == 0 {
		t.Errorf("%+v, %d lines in the stream", s, d.left())
	}
	if page, err := db.List(t.Context(), database.Filter{}, database.Cursor{}, 10); err != nil || len(page.Asks) == 0 {
		t.Errorf("a full log is not read: %d rows, %v", len(page.Asks), err)
	}
	room(db)
	d.empty()
	stop()
	d.check(db)
	if result := database.Integrity(t.Context(), db); result != "ok" {
		t.Errorf("integrity: %s", result)
	}
}

// smallDisk makes dir a file system of that size if the test may (as root), or else bounds the
// database's pages. full uses most of the room, room releases it.
func smallDisk(t *testing.T, dir string, size int) (full, room func(*database.DB)) {
	t.Helper()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", size)); err != nil {
		t.Logf("no file system of our own (%v): the pages are bounded instead", err)
		return func(db *database.DB) { database.LimitPages(t.Context(), db, 400) },
			func(db *database.DB) { database.LimitPages(t.Context(), db, 1<<30) }
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	grow := func(*database.DB) {
		if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, "size=512m"); err != nil {
			t.Fatal(err)
		}
	}
	return func(*database.DB) {}, grow
}
