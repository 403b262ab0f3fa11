// A search returns what the list returns, page by page, in both directions; a tally counts it.

package database_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"protocolq/worker/querylog/database"
)

// rare are filters that no single index answers.
var rare = map[string]database.Filter{
	"code, outcome":    {Code: "SYSTEM_ERROR", Outcome: "unknown"},
	"no such pair":     {Code: "SYSTEM_ERROR", Outcome: "signed"},
	"slow":             {Slow: time.Second},
	"hardly slow":      {Slow: 3 * time.Millisecond},
	"slow, partner":    {Slow: time.Second, Partner: partnerB},
	"slow, span":       {Slow: time.Second, Since: began.AddDate(0, 0, 20), Until: began.AddDate(0, 0, 41)},
	"email, outcome":   {Emails: keys.Emails("p50@example.com"), Outcome: "not_signed"},
	"email, no such":   {Emails: keys.Emails("p50@example.com"), Code: "SYSTEM_ERROR"},
	"email, by itself": {Emails: keys.Emails("same@example.com")},
	"all":              {},
}

func TestSearch(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		db := open(t, url)
		if f, err := db.Search(t.Context(), database.Filter{Slow: time.Second}, database.Cursor{}, 7, time.Minute); err != nil || len(f.Asks) > 0 || !f.Until.IsZero() {
			t.Errorf("of an empty log: %+v %v", f, err)
		}
		b := many()
		for i := range b.Asks { // bursts, 20 days apart
			b.Asks[i].At = began.AddDate(0, 0, i/20*20)
			b.Asks[i].AnsweredAt = b.Asks[i].At.Add(time.Duration(i) * 100 * time.Millisecond)
		}
		write(t, db, b)
		for name, f := range rare {
			whole, err := db.List(t.Context(), f, database.Cursor{}, 1000)
			if err != nil {
				t.Fatal(err)
			}
			down, last := searched(t, db, f, func(f database.Found) database.Cursor { return f.Next }, database.Cursor{})
			if d := cmp.Diff(whole.Asks, down); d != "" {
				t.Errorf("%s: %s", name, d)
			}
			if len(last.Asks) == 0 {
				continue
			}
			up, _ := searched(t, db, f, func(f database.Found) database.Cursor { return f.Previous }, last.Previous)
			if d := cmp.Diff(len(whole.Asks)-len(last.Asks), len(up)); last.Previous != (database.Cursor{}) && d != "" {
				t.Errorf("%s, upwards: %s", name, d)
			}
			n, err := db.Tally(t.Context(), f, 1000, time.Minute)
			if want := (database.Tally{N: int64(len(whole.Asks)), Known: true}); err != nil || n.N != want.N || !n.Known || n.More {
				t.Errorf("%s: tally %+v %v, want %+v", name, n, err, want)
			}
		}
		n, err := db.Tally(t.Context(), database.Filter{Slow: 3 * time.Millisecond}, 10, time.Minute)
		if want := (database.Tally{N: 10, Known: true, More: true}); err != nil || n != want {
			t.Errorf("tally of more than 10: %+v %v", n, err)
		}
	})
}

// searched reads all pages of a search, from one to the next by step.
func searched(t *testing.T, db *database.DB, f database.Filter, step func(database.Found) database.Cursor, at database.Cursor) (all []database.Ask, last database.Found) {
	t.Helper()
	for range 100 {
		page, err := db.Search(t.Context(), f, at, 3, time.Minute)
		if err != nil || !page.Until.IsZero() {
			t.Fatalf("%+v %v", page, err)
		}
		all, last = append(all, page.Asks...), page
		if at = step(page); at == (database.Cursor{}) {
			return all, last
		}
	}
	t.Fatal("no end")
	return nil, last
}

// upwards reads a list page by page from its end to its begin.
func upwards(t *testing.T, db *database.DB, f database.Filter) (all []database.Ask) {
	t.Helper()
	const limit = 7
	page, err := db.List(t.Context(), f, database.Cursor{}, limit)
	for err == nil && page.Next != (database.Cursor{}) {
		page, err = db.List(t.Context(), f, page.Next, limit)
	}
	for {
		if err != nil {
			t.Fatal(err)
		}
		all = append(slices.Clone(page.Asks), all...)
		if page.Previous == (database.Cursor{}) {
			return all
		}
		at, perr := database.ParseCursor(page.Previous.String())
		if perr != nil {
			t.Fatal(perr)
		}
		below := page.Asks[0]
		if page, err = db.List(t.Context(), f, at, limit); err == nil && page.Next == (database.Cursor{}) {
			t.Fatalf("above %s: nothing said to be below", below.Token)
		}
	}
}
