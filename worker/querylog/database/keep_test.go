// Sums, and what leaves the log, on every kind of database.

package database_test

import (
	"context"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"protocolq/worker/querylog"
	"protocolq/worker/querylog/database"
)

func TestStats(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		db := open(t, url)
		b := many() // minutes 30 to 59 of one hour, 0 to 29 of the next
		for n := range 60 {
			b.Runs = append(b.Runs, aRun(n))
		}
		for i := range 20 {
			b.Asks[i].Source = []string{"joined", "remembered"}[i%2]
		}
		b.Rejected = []querylog.Rejected{{At: began, Stream: 1, Subject: "s", Reason: "r"}}
		write(t, db, b)
		write(t, db, b) // counts only once
		s, err := db.Stats(t.Context(), began.Add(-time.Hour), began.Add(2*time.Hour), "")
		if err != nil {
			t.Fatal(err)
		}
		want := database.Sums{Asked: 60, Runs: 60, Called: 180, Cut: 60, Joined: 10, Remembered: 10, Rejected: 1,
			Outcomes: map[string]int64{"signed": 45, "not_signed": 12, "unknown": 3}, Codes: map[string]int64{"NO_SIGN_CUSTOMER": 12, "SYSTEM_ERROR": 3},
			CallCodes: map[string]int64{"SYSTEM_ERROR": 60}}
		if d := cmp.Diff(want, s.Total, cmpopts.IgnoreFields(database.Sums{}, "Ask", "Call"), cmpopts.IgnoreUnexported(database.Sums{})); d != "" {
			t.Error(d)
		}
		near := func(what string, got, want float64) {
			if math.Abs(got-want) > want/8 {
				t.Errorf("%s: %.1f ms, want %.1f within an eighth", what, got, want)
			}
		}
		near("ask p50", s.Total.Ask.P50, 1000)
		near("ask p99", s.Total.Ask.P99, 47000)
		near("call p50", s.Total.Call.P50, 100)
		near("call p99", s.Total.Call.P99, 300)
		var hours []string
		for _, h := range s.Hours {
			hours = append(hours, fmt.Sprint(time.UnixMilli(h.HourMs).UTC().Hour(), " ", h.Partner, " ", h.Asked, "/", h.Called))
		}
		wantHours := []string{"10  0/0", "10 " + partnerA + " 20/90", "10 " + partnerB + " 10/0", "11 " + partnerA + " 20/90", "11 " + partnerB + " 10/0"}
		if d := cmp.Diff(wantHours, hours); d != "" {
			t.Error(d)
		}
		s, err = db.Stats(t.Context(), began.Add(30*time.Minute), began.Add(31*time.Minute), partnerB)
		if err != nil || s.Total.Asked != 10 || len(s.Hours) != 1 {
			t.Errorf("one hour of one partner: %+v, %v", s.Total, err)
		}
		if s, err = db.Stats(t.Context(), began.Add(24*time.Hour), began.Add(25*time.Hour), ""); err != nil || len(s.Hours) != 0 || s.Total.Ask.P99 != 0 {
			t.Errorf("nothing: %+v, %v", s, err)
		}
	})
}

func TestCount(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		db := open(t, url)
		write(t, db, many())
		next := began.Add(30 * time.Minute)
		for name, c := range map[string]struct {
			f         database.Filter
			n         int64
			about, ok bool
		}{
			"all":           {database.Filter{}, 60, false, true},
			"partner":       {database.Filter{Partner: partnerB}, 20, false, true},
			"outcome":       {database.Filter{Outcome: "not_signed"}, 12, false, true},
			"partner, code": {database.Filter{Partner: partnerB, Code: "SYSTEM_ERROR"}, 1, false, true},
			"since an hour": {database.Filter{Since: next}, 30, false, true},
			"until":         {database.Filter{Until: next}, 30, false, true},
			"half hours":    {database.Filter{Since: began, Until: began.Add(time.Minute)}, 30, true, true},
			"nobody":        {database.Filter{Partner: "2088999999999999"}, 0, false, true},
			"day and ends":  {database.Filter{Since: began.Add(-25 * time.Hour), Until: began.Add(26 * time.Hour)}, 60, true, true},
			"one whole day": {database.Filter{Since: began.Add(-630 * time.Minute), Until: began.Add(810 * time.Minute)}, 60, false, true},
			"next day":      {database.Filter{Since: began.Add(810 * time.Minute)}, 0, false, true},
			"a person":      {database.Filter{Emails: keys.Emails("a@b.c")}, 0, false, false},
			"slow":          {database.Filter{Slow: 1}, 0, false, false},
			"two words":     {database.Filter{Outcome: "unknown", Code: "SYSTEM_ERROR"}, 0, false, false},
		} {
			n, about, ok, err := db.Count(t.Context(), c.f)
			if err != nil || n != c.n || about != c.about || ok != c.ok {
				t.Errorf("%s: %d %v %v %v, want %d %v %v", name, n, about, ok, err, c.n, c.about, c.ok)
			}
		}
	})
}

func TestPrune(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		db := open(t, url)
		var b querylog.Batch
		for month := range 4 { // 400 rows around the turn of each of four months, thus in five
			for n := range 400 {
				at := time.Date(2026, time.Month(2+month), 1, 0, 0, n-200, 0, time.UTC)
				b.Runs = append(b.Runs, querylog.Run{ID: fmt.Sprintf("run-%d-%03d", month, n), At: at})
				b.Asks = append(b.Asks, querylog.Ask{Token: fmt.Sprintf("ask-%d-%03d", month, n), At: at, Outcome: "signed"})
			}
		}
		b.Rejected = []querylog.Rejected{{At: b.Asks[0].At, Stream: 1, Reason: "r"}}
		write(t, db, b)
		before := time.Date(2026, 4, 1, 0, 0, 10, 0, time.UTC)
		if _, err := db.Prune(t.Context(), before); err != nil {
			t.Fatal(err)
		}
		n, oldest := 0, time.Time{}
		for next := (database.Cursor{}); ; {
			page, err := db.List(t.Context(), database.Filter{}, next, 500)
			if err != nil {
				t.Fatal(err)
			}
			n += len(page.Asks)
			if len(page.Asks) > 0 {
				oldest = page.Asks[len(page.Asks)-1].At()
			}
			if next = page.Next; next == (database.Cursor{}) {
				break
			}
		}
		if n != 400+190 || !oldest.Equal(before) {
			t.Errorf("%d asks are left, the oldest of %s", n, oldest.UTC())
		}
		for id, there := range map[string]bool{"run-0-000": false, "run-2-209": false, "run-2-210": true, "run-3-000": true} {
			if _, err := db.Show(t.Context(), id, nil); (err == nil) != there {
				t.Errorf("%s: %v", id, err)
			}
		}
		if n, err := db.Prune(t.Context(), before); n != 0 || err != nil {
			t.Errorf("again: %d, %v", n, err)
		}
		// An old line still finds its place, and is deleted again.
		write(t, db, querylog.Batch{Asks: []querylog.Ask{b.Asks[0]}, Runs: []querylog.Run{b.Runs[0]}})
		if _, err := db.Prune(t.Context(), before); err != nil {
			t.Error(err)
		}
	})
}

func TestForget(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		db := open(t, url)
		b := many()
		r := aRun(11)
		r.Email = keys.Email("same@example.com")
		b.Runs = []querylog.Run{r, {ID: "other", At: began}}
		write(t, db, b)
		n, err := db.Forget(t.Context(), database.Person{Emails: keys.Emails(" SAME@example.com")})
		if err != nil || n != 3 {
			t.Errorf("%d rows, %v", n, err)
		}
		page, err := db.List(t.Context(), database.Filter{Emails: keys.Emails("same@example.com")}, database.Cursor{}, 9)
		if err != nil || len(page.Asks) != 0 {
			t.Errorf("%v %v", page, err)
		}
		all, err := db.List(t.Context(), database.Filter{}, database.Cursor{}, 1000)
		if err != nil || len(all.Asks) != 58 {
			t.Errorf("%d asks are left, %v", len(all.Asks), err)
		}
		if n, err := db.Forget(t.Context(), database.Person{}); n != 0 || err != nil {
			t.Errorf("nobody: %d %v", n, err)
		}
		if n, err = db.Forget(t.Context(), database.Person{Accounts: keys.Accounts("20880000000000010156")}); n != 0 || err != nil {
			t.Errorf("forgotten already by the e-mail: %d %v", n, err)
		}
		before, err := db.HashVersions(t.Context())
		if err != nil || slices.ContainsFunc(before, func(v string) bool { return !keys.Knows(v) }) {
			t.Errorf("keys %q, %v: want the test's alone", before, err)
		}
		others, err := querylog.NewHasher([]byte("a key that no worker of this test has"))
		if err != nil {
			t.Fatal(err)
		}
		write(t, db, querylog.Batch{Runs: []querylog.Run{{ID: "another", At: began, Email: others.Email("same@example.com")}}})
		if after, err := db.HashVersions(t.Context()); err != nil || !slices.Contains(after, others.Version()) || len(after) != len(before)+1 || keys.Knows(others.Version()) {
			t.Errorf("keys %q after %q, %v", after, before, err)
		}
	})
}

// A forgotten person is in no byte of the file.
func TestForgottenInTheFile(t *testing.T) {
	url := places["sqlite"](t)
	db := open(t, url)
	b := many()
	b.Asks[7].Email = keys.Email("zorro@example.com")
	write(t, db, b)
	id := keys.Email("zorro@example.com").LookUp()
	if _, err := db.Forget(t.Context(), database.Person{Emails: []querylog.LookUp{id}}); err != nil {
		t.Fatal(err)
	}
	for _, end := range []string{"", "-wal"} {
		data, err := os.ReadFile(strings.TrimPrefix(url, "sqlite://") + end)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(data), string(id[:])) || strings.Contains(string(data), "z***@e***.com") {
			t.Errorf("log.db%s still holds the person", end)
		}
	}
}

// Keep prunes at once, and ends with its context.
func TestKeep(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		db := open(t, url)
		now := time.Now()
		write(t, db, querylog.Batch{Asks: []querylog.Ask{{Token: "old", At: now.Add(-48 * time.Hour)}, {Token: "new", At: now}}})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		var log strings.Builder
		go func() { db.Keep(ctx, 24*time.Hour, logTo(&log)); close(ended) }()
		for {
			page, err := db.List(t.Context(), database.Filter{}, database.Cursor{}, 9)
			if err != nil {
				t.Fatal(err)
			}
			if len(page.Asks) == 1 && page.Asks[0].Token == "new" {
				break
			}
			select {
			case <-t.Context().Done():
				t.Fatal("not pruned")
			case <-time.After(5 * time.Millisecond):
			}
		}
		cancel()
		<-ended
	})
}
