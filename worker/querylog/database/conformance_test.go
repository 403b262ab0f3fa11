// One set of rules for every database: what was written is found, once, by every possible search.

package database_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"protocolq/worker/querylog"
	"protocolq/worker/querylog/database"
)

// place is a database of one test: its URL.
type place func(t testing.TB) string

// places are all kinds of databases.
var places = map[string]place{
	"sqlite":   func(t testing.TB) string { return "sqlite://" + filepath.Join(t.TempDir(), "sub", "log.db") },
	"postgres": postgresPlace,
	"pooled":   pooledPlace,
}

// onEach runs a test on every kind of database.
func onEach(t *testing.T, test func(t *testing.T, url string)) {
	for name, place := range places {
		t.Run(name, func(t *testing.T) { test(t, place(t)) })
	}
}

func open(t testing.TB, url string) *database.DB {
	t.Helper()
	db, err := database.Open(t.Context(), database.Options{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

var (
	began = time.Date(2026, 11, 23, 10, 30, 0, 0, time.UTC)
	keys  = func() *querylog.Hasher {
		h, err := querylog.NewHasher([]byte(strings.Repeat("5a", 32)))
		if err != nil {
			panic(err)
		}
		return h
	}()
)

const partnerA, partnerB = "2088000000000001", "2088000000000002"

func aRun(n int) querylog.Run {
	yes := true
	at := began.Add(time.Duration(n) * time.Minute)
	return querylog.Run{ID: fmt.Sprintf("run-%03d", n), At: at, AnsweredAt: at.Add(900 * time.Millisecond), Key: keys.Key(fmt.Sprint("key", n)), Partner: partnerA,
		Email: keys.Email(fmt.Sprintf("p%d@example.com", n)), Account: keys.Account("20880000000000010156"), Outcome: "signed", Code: "C", Class: "TEMP",
		Debit: &yes, Verified: "verified", Worker: "w", Deaths: 1, Attempts: []querylog.Attempt{
			{At: at, Cut: true},
			{At: at.Add(time.Millisecond), DNS: 7 * time.Microsecond, Connect: 8, TLS: 9 * time.Microsecond, FirstByte: time.Millisecond, Body: time.Microsecond,
				Total: 300 * time.Millisecond, Code: "SYSTEM_ERROR", Class: "TEMP", HTTPStatus: 200, Bytes: 99},
			{At: at.Add(time.Second), Total: 100 * time.Millisecond, HTTPStatus: 200, Reused: true},
		}}
}

// anAsk has its own run, and a time that differs from all others.
func anAsk(n int) querylog.Ask {
	at := began.Add(time.Duration(n) * time.Minute)
	return querylog.Ask{Token: fmt.Sprintf("tok-%03d", n), At: at, AnsweredAt: at.Add(time.Second), Request: keys.Request(fmt.Sprint("id-", n)), Run: fmt.Sprintf("run-%03d", n),
		Key: keys.Key(fmt.Sprint("key", n)), Partner: partnerA, Email: keys.Email(fmt.Sprintf("p%d@example.com", n)), Source: "asked", Door: "query",
		Subject: "protocol.query", Reply: "_INBOX", Outcome: "signed", Trace: strings.Repeat("a", 32)}
}

func write(t testing.TB, db *database.DB, b querylog.Batch) querylog.Written {
	t.Helper()
	w, err := db.Write(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func tokens(asks []database.Ask) string {
	list := make([]string, len(asks))
	for i, a := range asks {
		list[i] = strings.TrimPrefix(a.Token, "tok-")
	}
	return strings.Join(list, " ")
}

func TestWrittenOnce(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		db := open(t, url)
		rejected := querylog.Rejected{At: began, Stream: 7, Subject: "protocol.log.run", Size: 3, Reason: "read run: ends"}
		b := querylog.Batch{Runs: []querylog.Run{aRun(1), aRun(2), aRun(1)}, Asks: []querylog.Ask{anAsk(1), anAsk(1), anAsk(2)}, Rejected: []querylog.Rejected{rejected}}
		if w := write(t, db, b); w != (querylog.Written{Runs: 2, Asks: 2, Rejected: 1}) {
			t.Errorf("first: %+v", w)
		}
		b.Asks = append(b.Asks, anAsk(3))
		b.Asks[0].Outcome = "another word about the same ask"
		if w := write(t, db, b); w != (querylog.Written{Asks: 1}) {
			t.Errorf("again: %+v", w)
		}
		if w := write(t, db, querylog.Batch{}); w != (querylog.Written{}) {
			t.Errorf("nothing: %+v", w)
		}
		page, err := db.List(t.Context(), database.Filter{}, database.Cursor{}, 10)
		if err != nil || tokens(page.Asks) != "003 002 001" || page.Asks[2].Outcome != "signed" {
			t.Errorf("%s, %v", tokens(page.Asks), err)
		}
	})
}

func TestRowsHoldWhatLinesSay(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		db := open(t, url)
		bare := querylog.Run{ID: "bare", At: began}
		write(t, db, querylog.Batch{Runs: []querylog.Run{aRun(1), bare}, Asks: []querylog.Ask{anAsk(1), {Token: "least", At: began}}})
		stories, err := db.Show(t.Context(), "run-001", nil)
		if err != nil || len(stories) != 1 {
			t.Fatalf("%v %v", stories, err)
		}
		yes, r, a := true, aRun(1), anAsk(1)
		want := database.Story{
			Run: &database.Run{ID: "run-001", AtMs: r.At.UnixMilli(), TookMs: 900, Partner: partnerA, KeyID: r.Key.LookUp().String(), Email: "p***@e***.com",
				EmailID: r.Email.LookUp().String(), Account: "2088****0156", AccountID: r.Account.LookUp().String(), HashVersion: keys.Version(), Outcome: "signed",
				Code: "C", Class: "TEMP", Debit: &yes, Verified: "verified", Worker: "w", Deaths: 1, Calls: []database.Call{
					{AtMs: r.At.UnixMilli(), Cut: true},
					{AtMs: r.At.UnixMilli() + 1, DNSUs: 7, TLSUs: 9, FirstByteUs: 1000, BodyUs: 1, TotalUs: 300000, Code: "SYSTEM_ERROR", Class: "TEMP", HTTPStatus: 200, Bytes: 99},
					{AtMs: r.At.UnixMilli() + 1000, TotalUs: 100000, HTTPStatus: 200, Reused: true}}},
			Asks: []database.Ask{{Token: "tok-001", AtMs: a.At.UnixMilli(), TookMs: 1000, ID: "id-1", Run: "run-001", Partner: partnerA, KeyID: a.Key.LookUp().String(),
				Email: "p***@e***.com", EmailID: a.Email.LookUp().String(), HashVersion: keys.Version(), Source: "asked", Door: "query", Subject: "protocol.query",
				Reply: "_INBOX", Outcome: "signed", Trace: strings.Repeat("a", 32)}},
		}
		if d := cmp.Diff(want, stories[0]); d != "" {
			t.Error(d)
		}
		stories, err = db.Show(t.Context(), "bare", nil)
		if err != nil || stories[0].Run == nil || len(stories[0].Run.Calls) != 0 || stories[0].Run.Debit != nil {
			t.Errorf("%+v %v", stories, err)
		}
		stories, err = db.Show(t.Context(), "least", nil)
		if err != nil || stories[0].Run != nil || stories[0].Asks[0].TookMs != 0 {
			t.Errorf("%+v %v", stories, err)
		}
	})
}

// many is 60 asks: every third for partner B, every fifth not signed, some with codes, some slow,
// two about one person.
func many() (b querylog.Batch) {
	for n := range 60 {
		a := anAsk(n)
		if n%3 == 0 {
			a.Partner = partnerB
		}
		if n%5 == 0 {
			a.Outcome, a.Code = "not_signed", "NO_SIGN_CUSTOMER"
		}
		if n%20 == 7 {
			a.Outcome, a.Code, a.AnsweredAt = "unknown", "SYSTEM_ERROR", a.At.Add(time.Duration(n)*time.Second)
		}
		if n == 11 || n == 44 {
			a.Email, a.Account = keys.Email("same@example.com"), keys.Account("20880000000000010156")
		}
		if n == 50 || n == 51 {
			a.Run, a.Request = "run-049", keys.Request("id-49")
		}
		b.Asks = append(b.Asks, a)
	}
	slices.Reverse(b.Asks)
	return b
}

func TestList(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		db := open(t, url)
		write(t, db, many())
		minute := func(n int) time.Time { return began.Add(time.Duration(n) * time.Minute) }
		for name, c := range map[string]struct {
			f    database.Filter
			want string
		}{
			"all":                {database.Filter{}, "059 058 057 056 055"},
			"until":              {database.Filter{Until: minute(3)}, "002 001 000"},
			"since":              {database.Filter{Since: minute(58)}, "059 058"},
			"between":            {database.Filter{Since: minute(4), Until: minute(6)}, "005 004"},
			"partner":            {database.Filter{Partner: partnerB}, "057 054 051 048 045"},
			"no such partner":    {database.Filter{Partner: "2088999999999999"}, ""},
			"outcome":            {database.Filter{Outcome: "not_signed"}, "055 050 045 040 035"},
			"partner, outcome":   {database.Filter{Partner: partnerB, Outcome: "unknown"}, "027"},
			"code":               {database.Filter{Code: "SYSTEM_ERROR"}, "047 027 007"},
			"partner, code":      {database.Filter{Partner: partnerA, Code: "SYSTEM_ERROR"}, "047 007"},
			"code, outcome":      {database.Filter{Code: "SYSTEM_ERROR", Outcome: "signed"}, ""},
			"email":              {database.Filter{Emails: keys.Emails("Same@Example.com ")}, "044 011"},
			"email, until":       {database.Filter{Emails: keys.Emails("same@example.com"), Until: minute(40)}, "011"},
			"email, outcome":     {database.Filter{Emails: keys.Emails("p50@example.com"), Outcome: "not_signed"}, "050"},
			"email, wrong code":  {database.Filter{Emails: keys.Emails("p50@example.com"), Code: "SYSTEM_ERROR"}, ""},
			"email, partner":     {database.Filter{Emails: keys.Emails("p50@example.com"), Partner: partnerB}, ""},
			"two people":         {database.Filter{Emails: append(keys.Emails("p3@example.com"), keys.Emails("p9@example.com")...)}, "009 003"},
			"account":            {database.Filter{Accounts: keys.Accounts("20880000000000010156")}, "044 011"},
			"key":                {database.Filter{Keys: keys.Keys("key8")}, "008"},
			"id":                 {database.Filter{Requests: keys.Requests("id-49")}, "051 050 049"},
			"run":                {database.Filter{Run: "run-049"}, "051 050 049"},
			"slow":               {database.Filter{Slow: 10 * time.Second}, "047 027"},
			"slower than all":    {database.Filter{Slow: time.Hour}, ""},
			"hardly slow":        {database.Filter{Slow: time.Millisecond}, "059 058 057 056 055"},
			"slow, partner":      {database.Filter{Slow: 2 * time.Second, Partner: partnerB}, "027"},
			"slow, code":         {database.Filter{Slow: 10 * time.Second, Code: "SYSTEM_ERROR"}, "047 027"},
			"slow, outcome":      {database.Filter{Slow: 10 * time.Second, Outcome: "unknown"}, "047 027"},
			"since after all":    {database.Filter{Since: minute(100)}, ""},
			"an id nobody gave":  {database.Filter{Requests: []string{"id-999"}}, ""},
			"run that is no run": {database.Filter{Run: "run-050"}, ""},
		} {
			page, err := db.List(t.Context(), c.f, database.Cursor{}, 5)
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if got := tokens(page.Asks); got != c.want {
				t.Errorf("%s: %q, want %q", name, got, c.want)
			}
		}
		if _, err := db.List(t.Context(), database.Filter{Since: minute(2), Until: minute(2)}, database.Cursor{}, 5); err == nil {
			t.Error("a span of nothing is no error")
		}
	})
}

// No list is sorted or scanned: an index gives its order. (SQLite's plan shows it, and depends only
// on the statement.)
func TestListsNeedNoSort(t *testing.T) {
	db := open(t, places["sqlite"](t))
	since := began.Add(-time.Hour)
	for name, f := range map[string]database.Filter{"all": {}, "since": {Since: since}, "partner": {Partner: partnerA}, "outcome": {Outcome: "signed"},
		"code": {Code: "C"}, "partner, code": {Partner: partnerA, Code: "C"}, "slow": {Slow: time.Second}, "slow, partner": {Slow: time.Second, Partner: partnerA},
		"email": {Emails: keys.Emails("a@b.c")}, "email, since": {Emails: keys.Emails("a@b.c"), Since: since, Outcome: "signed"},
		"account": {Accounts: keys.Accounts("2088")}, "key": {Keys: keys.Keys("k")}, "id": {Requests: []string{"x"}}, "run": {Run: "r"}} {
		for _, cursor := range []string{"", "MTIzL3Rva2Vu", "XjEyMy90b2tlbg"} { // none, below and above 123/token
			at, err := database.ParseCursor(cursor)
			plan := database.Plan(t.Context(), db, f, at)
			if err != nil || strings.Contains(plan, "TEMP B-TREE") || strings.Contains(plan, "SCAN asks") && name != "all" || !strings.Contains(plan, "asks") {
				t.Errorf("%s at %q:\n%s %v", name, cursor, plan, err)
			}
			// If several branches are merged, only the wanted rows are read from the table.
			index := map[string]string{"partner": "asks_outcome", "outcome": "asks_outcome", "code": "asks_code", "slow": "asks_slow", "slow, partner": "asks_slow"}[name]
			if index != "" && (strings.Count(plan, "SEARCH asks USING COVERING INDEX "+index) != strings.Count(plan, "SEARCH asks")-1 || strings.Count(plan, "SEARCH asks USING PRIMARY KEY") != 1) {
				t.Errorf("%s at %q reads rows that are not wanted:\n%s", name, cursor, plan)
			}
		}
	}
}

// The pages of every filter, one after another, are its whole list: nothing twice, nothing left
// out.
func TestPages(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		db := open(t, url)
		b := many()
		for i := range b.Asks { // many at the same instant, where only the token distinguishes them; three months
			b.Asks[i].At = began.AddDate(0, 0, i/20*20)
			b.Asks[i].AnsweredAt = b.Asks[i].At.Add(time.Second)
		}
		write(t, db, b)
		for name, f := range map[string]database.Filter{"all": {}, "partner": {Partner: partnerA}, "outcome": {Outcome: "signed"}, "code": {Code: "NO_SIGN_CUSTOMER"}, "slow": {Slow: time.Second}} {
			whole, err := db.List(t.Context(), f, database.Cursor{}, 1000)
			if err != nil || len(whole.Asks) < 10 || whole.Next.String() != "" {
				t.Fatalf("%s: %d rows, next %q, %v", name, len(whole.Asks), whole.Next, err)
			}
			var pages []database.Ask
			for next := (database.Cursor{}); ; {
				page, err := db.List(t.Context(), f, next, 7)
				if err != nil {
					t.Fatal(err)
				}
				pages = append(pages, page.Asks...)
				if page.Next == (database.Cursor{}) {
					break
				}
				if next, err = database.ParseCursor(page.Next.String()); err != nil {
					t.Fatal(err)
				}
			}
			if d := cmp.Diff(whole.Asks, pages); d != "" {
				t.Errorf("%s: %s", name, d)
			}
			if d := cmp.Diff(whole.Asks, upwards(t, db, f)); d != "" {
				t.Errorf("%s, from its end: %s", name, d)
			}
		}
		for _, bad := range []string{"x", "!", "bm90YW51bWJlci94", "MS8"} {
			if c, err := database.ParseCursor(bad); err == nil {
				t.Errorf("cursor %q read as %+v", bad, c)
			}
		}
	})
}

func TestShow(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		db := open(t, url)
		b := many()
		b.Runs = []querylog.Run{aRun(49), aRun(50)}
		again := anAsk(70)
		again.Request, again.Run = keys.Request("id-49"), "run-050"
		refused := anAsk(71)
		refused.Request, refused.Run = keys.Request("id-49"), ""
		late := anAsk(72) // whose deadline passed while the run was under way
		late.Run, late.Source, late.Outcome, late.Code, late.Request = "run-049", "", "unknown", "DEADLINE", keys.Request("late")
		b.Asks = append(b.Asks, again, refused, late)
		write(t, db, b)
		stories, err := db.Show(t.Context(), "id-49", keys.Requests("id-49"))
		if err != nil || len(stories) != 3 || stories[0].Run != nil || stories[1].Run.ID != "run-050" || stories[2].Run.ID != "run-049" {
			t.Fatalf("%+v %v", stories, err)
		}
		if got := tokens(stories[2].Asks); got != "049 050 051 072" || stories[2].Asks[3].Code != "DEADLINE" {
			t.Errorf("asks %q", got)
		}
		if stories, err = db.Show(t.Context(), "late", keys.Requests("late")); err != nil || len(stories) != 1 || stories[0].Run.ID != "run-049" || len(stories[0].Asks) != 4 {
			t.Errorf("by the id of who was told DEADLINE: %+v %v", stories, err)
		}
		stories, err = db.Show(t.Context(), "tok-050", nil)
		if err != nil || len(stories) != 1 || tokens(stories[0].Asks) != "049 050 051 072" {
			t.Errorf("by token: %+v %v", stories, err)
		}
		stories, err = db.Show(t.Context(), "run-001", nil) // its asks are there, its own line is not yet
		if err != nil || len(stories) != 1 || stories[0].Run != nil || tokens(stories[0].Asks) != "001" {
			t.Errorf("run without a line: %+v %v", stories, err)
		}
		if _, err := db.Show(t.Context(), "nobody", []string{"nobody"}); !errors.Is(err, database.ErrUnknownID) {
			t.Errorf("unknown id: %v", err)
		}
	})
}

// Two recorders that start at once make the tables once; then both can write.
func TestTwoStartAtOnce(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		var wg sync.WaitGroup
		for range 6 {
			wg.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
				defer cancel()
				db, err := database.Open(ctx, database.Options{URL: url})
				if err != nil {
					t.Error(err)
					return
				}
				defer db.Close()
				if _, err := db.Write(ctx, many()); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		db := open(t, url)
		page, err := db.List(t.Context(), database.Filter{}, database.Cursor{}, 1000)
		if err != nil || len(page.Asks) != 60 {
			t.Errorf("%d asks, %v", len(page.Asks), err)
		}
	})
}

// A log of an earlier version is read unchanged, and written to.
func TestMigration(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		first := anAsk(1)
		first.AnsweredAt = first.At.Add(2 * time.Second)
		if err := database.WriteFirst(t.Context(), url, first); err != nil {
			t.Fatal(err)
		}
		if _, err := database.Open(t.Context(), database.Options{URL: url, ReadOnly: true}); !errors.Is(err, database.ErrNotThere) {
			t.Errorf("read before its recorder has started: %v", err)
		}
		db := open(t, url)
		slow, err := db.List(t.Context(), database.Filter{Slow: time.Second}, database.Cursor{}, 10)
		if err != nil || tokens(slow.Asks) != "001" {
			t.Errorf("slow: %+v %v", slow, err)
		}
		before, err := db.List(t.Context(), database.Filter{}, database.Cursor{}, 10)
		if err != nil || tokens(before.Asks) != "001" || before.Asks[0].Field != "" || before.Asks[0].Trace != anAsk(1).Trace {
			t.Fatalf("%+v %v", before, err)
		}
		same, later := anAsk(2), anAsk(3)
		same.Field, later.Field, later.At = "user_email", "partner", began.AddDate(0, 2, 0)
		if w := write(t, db, querylog.Batch{Asks: []querylog.Ask{first, same, later}}); w.Asks != 2 {
			t.Errorf("%+v", w)
		}
		after, err := open(t, url).List(t.Context(), database.Filter{}, database.Cursor{}, 10)
		if err != nil || tokens(after.Asks) != "003 002 001" || after.Asks[0].Field != "partner" || after.Asks[1].Field != "user_email" {
			t.Fatalf("%+v %v", after, err)
		}
		if d := cmp.Diff(before.Asks[0], after.Asks[2]); d != "" {
			t.Error(d)
		}
	})
}

func TestReadOnly(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		if _, err := database.Open(t.Context(), database.Options{URL: url, ReadOnly: true}); !errors.Is(err, database.ErrNotThere) {
			t.Errorf("nothing there yet: %v", err)
		}
		write(t, open(t, url), many())
		db, err := database.Open(t.Context(), database.Options{URL: url, ReadOnly: true})
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if page, err := db.List(t.Context(), database.Filter{}, database.Cursor{}, 3); err != nil || len(page.Asks) != 3 {
			t.Errorf("%v %v", page, err)
		}
		if _, err := db.Write(t.Context(), many()); err == nil {
			t.Error("written by a reader")
		}
	})
}
