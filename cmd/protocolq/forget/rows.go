// In the query log: the person's rows, and the row that says that a person was forgotten.

package forget

import (
	"context"
	"fmt"
	"os"
	"os/user"

	"protocolq/cmd/protocolq/logdb"
	"protocolq/worker/querylog/database"
)

// checkDatabase checks that the database is there, because forget must not make its tables.
func (f *forgetting) checkDatabase(ctx context.Context) error {
	db, err := logdb.OpenForReading(ctx, f.cfg.Database)
	if err != nil {
		return err
	}
	return db.Close()
}

// rows deletes the person's rows, or counts them.
func (f *forgetting) rows(ctx context.Context, r *Report) error {
	db, err := logdb.Open(ctx, database.Options{URL: f.cfg.Database, ReadOnly: f.dry})
	if err != nil {
		return err
	}
	defer db.Close()
	p := Place{Place: "database"}
	if p.Found, err = db.CountPerson(ctx, f.person.ids); err != nil {
		return err
	}
	if !f.dry {
		p.Deleted, err = db.Forget(ctx, f.person.ids)
		r.Deleted, p.Found = p.Deleted, max(p.Found, p.Deleted) // lines have come meanwhile
		if err != nil {
			return err
		}
	}
	versions, err := db.HashVersions(ctx)
	if err != nil {
		return err
	}
	other := f.hasOtherKeys(versions)
	if other {
		p.Left = "rows of another key, which may be about this person"
	}
	r.add(p)
	if !f.dry {
		if err := db.Audit(ctx,
			database.Audit{At: f.now, Who: operator(), Action: "forget", Detail: detail(r)}); err != nil {
			return err
		}
	}
	// A wrong key, or only one of two, must not look like success to the person who has to delete.
	if other {
		return errOtherKeys()
	}
	return nil
}

// detail is what an audit row says: how many, never who.
func detail(r *Report) (text string) {
	for _, p := range r.Places {
		if p.Deleted > 0 {
			text += fmt.Sprintf("%s=%d ", p.Place, p.Deleted)
		}
	}
	if text == "" {
		return "nothing found"
	}
	return text[:len(text)-1]
}

// operator is the person at the keyboard, as far as the machine knows.
func operator() string {
	name := fmt.Sprintf("uid %d", os.Getuid())
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if host, err := os.Hostname(); err == nil {
		name += "@" + host
	}
	return name
}
