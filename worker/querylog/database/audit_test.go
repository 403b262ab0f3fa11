// Actions are stored and read back, newest first. A person's rows are counted as they are deleted.

package database_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"protocolq/worker/querylog/database"
)

func TestAudit(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		db := open(t, url)
		at := time.UnixMilli(1795928307583).UTC()
		want := []database.Audit{{At: at.Add(time.Second), Who: "b@host", Action: "forget", Detail: "database=2"}, {At: at, Who: "a@host", Action: "forget", Detail: "nothing found"}}
		for _, a := range []database.Audit{want[1], want[0]} {
			if err := db.Audit(t.Context(), a); err != nil {
				t.Fatal(err)
			}
		}
		got, err := db.Audits(t.Context(), 10)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
		if one, err := db.Audits(t.Context(), 1); err != nil || len(one) != 1 {
			t.Errorf("%v, %v", one, err)
		}
	})
}

func TestCountPerson(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		db := open(t, url)
		write(t, db, many())
		p := database.Person{Emails: keys.Emails("same@example.com")}
		n, err := db.CountPerson(t.Context(), p)
		if err != nil {
			t.Fatal(err)
		}
		deleted, err := db.Forget(t.Context(), p)
		if err != nil || deleted != n {
			t.Errorf("%d counted, %d deleted, %v", n, deleted, err)
		}
		if n, err = db.CountPerson(t.Context(), p); err != nil || n != 0 {
			t.Errorf("afterwards %d, %v", n, err)
		}
	})
}
