// The query log as a reader sees it: a real Chromium, a real database.

package queries_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"protocolq/cmd/protocolq/console/access"
	"protocolq/cmd/protocolq/console/browsertest"
	"protocolq/cmd/protocolq/console/queries"
	"protocolq/cmd/protocolq/console/web"
	"protocolq/messages"
	"protocolq/worker/querylog"
	"protocolq/worker/querylog/database"
)

const hostile = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"

// filledLog is the database of the read-only tests. It is made once: making it takes longer than a
// test.
var filledLog struct {
	sync.Mutex // guards the rest
	readers    int
	db         *database.DB
	dir        string
}

// log returns the filled database, which stays until the last test that reads it has ended.
func log(t *testing.T, h *querylog.Hasher) *database.DB {
	t.Helper()
	l := &filledLog
	l.Lock()
	defer l.Unlock()
	if l.readers == 0 {
		var err error
		if l.dir, err = os.MkdirTemp("", "queries"); err != nil { //nolint:usetesting // outlives the test that makes it
			t.Fatal(err)
		}
		l.db = fill(t, h, filepath.Join(l.dir, "log.db"))
	}
	l.readers++
	t.Cleanup(func() {
		l.Lock()
		defer l.Unlock()
		if l.readers--; l.readers == 0 {
			_ = l.db.Close()
			_ = os.RemoveAll(l.dir)
		}
	})
	return l.db
}

// fill makes a database: more than a hundred queries of two partners, one with three calls, one
// with hostile text in every field.
func fill(t *testing.T, h *querylog.Hasher, path string) *database.DB {
	t.Helper()
	db, err := database.Open(context.Background(), database.Options{URL: "sqlite://" + path})
	if err != nil {
		t.Fatal(err)
	}
	yes, no := true, false
	var b querylog.Batch
	now := time.Now()
	for i := range 120 {
		at := now.Add(-time.Duration(i) * 7 * time.Minute)
		outcome, code, took := "signed", "", time.Duration(40+i*3)*time.Millisecond
		switch i % 6 {
		case 2:
			outcome, code = "not_signed", "NO_SIGN_CUSTOMER"
		case 3:
			outcome, code, took = "unknown", "SYSTEM_ERROR", 3200*time.Millisecond
		case 5:
			outcome, code = "refused", "ILLEGAL_EMAIL"
		}
		partner := fmt.Sprintf("208800000000000%d", 1+i%2)
		email := h.Email(fmt.Sprintf("zhang.san%d@example.com", i))
		run := fmt.Sprintf("DmUPMWyCUZlGetxjiN%04d", i)
		r := querylog.Run{ID: run, At: at, AnsweredAt: at.Add(took), Key: h.Key(run), Partner: partner, Email: email, Outcome: outcome, Code: code, Verified: messages.VerifiedSign, Worker: "worker-1@host"}
		if outcome == "signed" {
			r.Debit, r.Refund = &yes, &no
		}
		r.Attempts = []querylog.Attempt{{At: at, DNS: 800 * time.Microsecond, Connect: 4 * time.Millisecond, TLS: 9 * time.Millisecond, FirstByte: 22 * time.Millisecond, Body: time.Millisecond, Total: 38 * time.Millisecond, HTTPStatus: 200, Bytes: 412, Code: code}}
		if outcome == "unknown" {
			failed := querylog.Attempt{FirstByte: 600 * time.Millisecond, Total: 601 * time.Millisecond, HTTPStatus: 200, Bytes: 300, Reused: true, Code: code, Class: "temp"}
			r.Attempts = []querylog.Attempt{failed, {Cut: true}, failed}
			for n := range r.Attempts {
				r.Attempts[n].At = at.Add(time.Duration(n) * 900 * time.Millisecond)
			}
			r.Class, r.Deaths = "temp", 1
		}
		b.Runs = append(b.Runs, r)
		for n, source := range []string{"asked", "joined"}[:1+i%2] {
			b.Asks = append(b.Asks, querylog.Ask{Token: fmt.Sprintf("tok-%d-%d", i, n), At: at.Add(time.Duration(n) * time.Millisecond), AnsweredAt: at.Add(took), Run: run, Request: h.Request(fmt.Sprintf("booking-%d-%d", i, n)),
				Partner: partner, Email: email, Outcome: outcome, Code: code, Source: source, Door: []string{"query", "submit"}[n], Subject: "protocol.query." + partner, Reply: "_INBOX.abc", Trace: fmt.Sprintf("%032x", i+1)})
		}
	}
	bad := querylog.Ask{Token: "tok-hostile", At: now.Add(-time.Second), AnsweredAt: now, Request: h.Request(hostile), Partner: hostile, Outcome: "refused", Code: hostile, Door: "query", Subject: hostile, Field: hostile}
	b.Asks = append(b.Asks, bad)
	if _, err := db.Write(context.Background(), b); err != nil {
		t.Fatal(err)
	}
	return db
}

func hasher(t *testing.T) *querylog.Hasher {
	t.Helper()
	h, err := querylog.NewHasher([]byte(strings.Repeat("0123456789abcdef", 4)))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// open serves the section.
func open(t *testing.T, o queries.Options, users *access.Users) string {
	t.Helper()
	page, err := web.New(web.Options{Users: users, Sections: []web.Section{queries.New(o)}})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(page)
	t.Cleanup(srv.Close)
	t.Cleanup(func() {
		for _, r := range page.Reports() {
			t.Errorf("the policy kept something off a page: %s", r)
		}
	})
	return srv.URL
}

func filled(t *testing.T) string { t.Helper(); return filledFor(t, nil) }

func filledFor(t *testing.T, users *access.Users) string {
	t.Helper()
	h := hasher(t)
	db := log(t, h)
	return open(t, queries.Options{Database: func(context.Context) (*database.DB, error) { return db, nil }, Hasher: h}, users)
}

// A reader finds a person by e-mail, opens the query and understands it, in either language, on a
// phone and without JavaScript. The address does not name the person.
func TestFindAndUnderstand(t *testing.T) {
	t.Parallel()
	b := browsertest.Start(t)
	url := filled(t)
	for _, look := range []browsertest.Look{{}, {Lang: "zh-CN", Dark: true}, browsertest.Look{Lang: "zh-CN"}.Phone(), browsertest.Look{Dark: true}.Phone(), {NoScript: true}} {
		tab := b.Tab(t, look)
		tab.Visit(url + "/queries")
		if !look.NoScript {
			tab.Accessible()
			tab.Screenshot("queries-" + tab.Name())
		}
		tab.Type(`input[name="text"]`, "Zhang.San3@example.com")
		tab.Click(".filter-do", ".chip")
		tab.Check()
		if at := tab.HTML(); strings.Contains(at, "an.San3") || strings.Contains(at, "san3@") {
			t.Error("the page shows who was looked for")
		}
		if n := strings.Count(tab.HTML(), "data-row"); n != 2 {
			t.Errorf("%d rows of one person, want 2", n)
		}
		tab.Click(".c-when a", ".timeline")
		tab.Check()
		html := tab.HTML()
		want := []string{"SYSTEM_ERROR", "z***@e***.com", "Call 3", "cut by its worker", "What to do", "booking-3-1"}
		if look.Lang == "zh-CN" {
			want = []string{"SYSTEM_ERROR", "z***@e***.com", "第 3 次调用", "中途终止", "如何处理", "booking-3-1"}
		}
		for _, word := range want {
			if !strings.Contains(html, word) {
				t.Errorf("%+v: the story does not say %q", look, word)
			}
		}
		if !look.NoScript {
			tab.Accessible()
			tab.Screenshot("query-" + tab.Name())
		}
	}
}

// Filters, pages forward and back, counts that follow, a saved view, an export.
func TestFilterAndPages(t *testing.T) {
	t.Parallel()
	b := browsertest.Start(t)
	url := filled(t)
	tab := b.Tab(t, browsertest.Look{})
	tab.Visit(url + "/queries")
	if got := tab.Text(".list-count"); got != "Queries: 181" {
		t.Errorf("count %q", got)
	}
	first := tab.Text(".rows tbody tr:nth-child(2) .c-id")
	tab.Click(`.pager a[rel="next"]`, `.pager a[rel="prev"]`)
	if second := tab.Text(".rows tbody tr:nth-child(2) .c-id"); second == first {
		t.Error("the second page is the first")
	}
	tab.Click(`.pager a[rel="prev"]`, `.pager a[rel="next"]`)
	if back := tab.Text(".rows tbody tr:nth-child(2) .c-id"); back != first {
		t.Errorf("back on the first page %q, want %q", back, first)
	}
	tab.Visit(url + "/queries?outcome=unknown&slow=2s")
	if got := tab.Text(".list-count"); got != "Queries: 40" {
		t.Errorf("count of a filter %q", got)
	}
	tab.Click(".save summary", `.save-box input[name="name"]`)
	tab.Type(`.save-box input[name="name"]`, "Mine <b>")
	tab.Click(".save-box button", ".view.at .view-x")
	tab.Accessible()
	tab.Screenshot("queries-view-" + tab.Name())
	if got := tab.Text(".view.at a"); got != "Mine <b>" {
		t.Errorf("the saved view is called %q", got)
	}
	browsertest.Eval[string](tab, `document.body.id = "before"`)
	tab.Click(".view-x", "body:not(#before) .list-count")
	if strings.Contains(tab.HTML(), "view-x") {
		t.Error("the view is still there")
	}
	for format, want := range map[string]string{"csv": "time,token,", "jsonl": `{"token":"tok-`} {
		r, err := http.Get(url + "/queries/export?format=" + format + "&outcome=unknown")
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(r.Body)
		_ = r.Body.Close()
		if text := string(body); err != nil || !strings.HasPrefix(text, want) || strings.Contains(text, "zhang.san") || strings.Count(text, "\n") < 40 {
			t.Errorf("%s: %d lines, %v: %.80s", format, strings.Count(string(body), "\n"), err, body)
		}
	}
}

// Any text in a row is shown as text. An address that this page did not write is refused.
func TestHostileValues(t *testing.T) {
	t.Parallel()
	b := browsertest.Start(t)
	url := filled(t)
	tab := b.Tab(t, browsertest.Look{})
	tab.Visit(url + "/queries")
	tab.Visit(url + "/queries/tok-hostile")
	if text := tab.Text(".story"); !strings.Contains(text, "<script>alert(1)") {
		t.Errorf("the hostile value is not shown as text: %.200s", text)
	}
	for path, want := range map[string]int{"/queries?at=xx": 400, "/queries?outcome=%3Cb%3E": 400, "/queries/no-such-id": 404, "/queries/export?format=exe": 400} {
		r, err := http.Get(url + path)
		if err != nil {
			t.Fatal(err)
		}
		_ = r.Body.Close()
		if r.StatusCode != want {
			t.Errorf("%s: %d, want %d", path, r.StatusCode, want)
		}
	}
}

// Viewers and operators read the query log, search, keep views and export. Agents and people who
// have not signed in can do none of this, and are offered none of it.
func TestRoles(t *testing.T) {
	t.Parallel()
	b := browsertest.Start(t)
	url := filledFor(t, browsertest.Team(t))
	requests := []struct{ method, path, form string }{{"GET", "/queries", ""}, {"POST", "/queries", "text=a%40example.com"}, {"POST", "/queries/views", "name=mine&query=outcome%3Dunknown"},
		{"GET", "/queries/export?format=csv&outcome=refused", ""}, {"GET", "/queries/tok-hostile", ""}}
	for role, want := range map[string]int{"viewer": http.StatusOK, "operator": http.StatusOK, "agent": http.StatusForbidden} {
		tab := b.Tab(t, browsertest.Look{})
		tab.SignIn(url, role, browsertest.Password)
		tab.Visit(url + "/queries")
		if want == http.StatusOK {
			tab.Click(".c-when a", ".story")
		} else {
			tab.Await(".fault")
		}
		if html := tab.HTML(); strings.Contains(html, `href="/queries"`) != (want == http.StatusOK) {
			t.Errorf("%s: is offered queries, or is not: %d", role, want)
		}
		for _, r := range requests {
			if code := tab.Status(r.method, r.path, r.form); code != want {
				t.Errorf("%s gets %s %s: %d, want %d", role, r.method, r.path, code, want)
			}
		}
	}
	nobody := b.Tab(t, browsertest.Look{})
	nobody.Visit(url + "/queries")
	nobody.Await(`input[name="password"]`)
}

// Without a log the page says how to get one; without its key, that it cannot search for people.
func TestWithoutLog(t *testing.T) {
	t.Parallel()
	b := browsertest.Start(t)
	url := open(t, queries.Options{Database: func(context.Context) (*database.DB, error) { return nil, queries.ErrNoLog }}, nil)
	tab := b.Tab(t, browsertest.Look{})
	tab.Visit(url + "/queries")
	if got := tab.Text(".note"); !strings.Contains(got, "no query log") {
		t.Errorf("says %q", got)
	}
	tab.Type(`input[name="text"]`, "a@example.com")
	tab.Click(".filter-do", ".note.bad")
	if got := tab.Text(".note.bad"); !strings.Contains(got, "--log-hmac-key-file") {
		t.Errorf("says %q", got)
	}
	tab.Accessible()
	tab.Screenshot("queries-nolog-" + tab.Name())
}
