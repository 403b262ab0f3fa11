// Watches as an agent sees them: a real Chromium, real streams, played workers.

package watches

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"protocolq/cmd/protocolq/console/access"
	"protocolq/cmd/protocolq/console/audit"
	"protocolq/cmd/protocolq/console/browsertest"
	"protocolq/cmd/protocolq/console/lookup"
	"protocolq/cmd/protocolq/console/web"
	"protocolq/messages"
)

// asked answers look-ups by the first part of the e-mail.
type asked struct{}

func (asked) Ask(_ context.Context, q messages.Query) (messages.Result, error) {
	r := messages.Result{V: messages.Version, ID: q.ID, Outcome: messages.NotSigned, Code: "NO_SIGN_CUSTOMER", AskedAtMs: time.Now().UnixMilli()}
	switch {
	case strings.HasPrefix(q.UserEmail, "signed"):
		r.Outcome, r.Code = messages.Signed, ""
	case strings.HasPrefix(q.UserEmail, "unknown"):
		r.Outcome, r.Code, r.Retryable = messages.Unknown, "SYSTEM_ERROR", true
	}
	return r, nil
}

// serve is the page with look-up and watches.
func serve(t *testing.T, w *Watches, users *access.Users) (at string, rows audit.Log) {
	t.Helper()
	rows = audit.Memory()
	page, err := web.New(web.Options{Logger: slog.New(slog.NewTextHandler(t.Output(), nil)), Users: users, Audit: rows,
		Sections: []web.Section{lookup.New(lookup.Options{Asker: asked{}, Watch: w}), w.Section()}})
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
	return srv.URL, rows
}

func newest(t *testing.T, rows audit.Log, what string) {
	t.Helper()
	last, err := rows.Recent(t.Context(), 1)
	if err != nil || len(last) != 1 || last[0].What != what || last[0].HowMany != 1 || !strings.Contains(last[0].On, "***") {
		t.Errorf("audit %+v %v, want %s", last, err, what)
	}
}

// An agent looks up a person who has not signed, begins a watch, and is told.
func TestToldInTheBrowser(t *testing.T) {
	t.Parallel()
	b := browsertest.Start(t)
	for _, look := range []browsertest.Look{{}, {Lang: "zh-CN", Dark: true}, browsertest.Look{Lang: "zh-CN"}.Phone(), browsertest.Look{Dark: true}.Phone(), {NoScript: true}} {
		f := newFleet(t)
		w := f.console(false)
		at, rows := serve(t, w, nil)
		tab := b.Tab(t, look)
		seen := func(name string) {
			if tab.Check(); !look.NoScript {
				tab.Accessible()
				tab.Screenshot(name + "-" + tab.Name())
			}
			if strings.Contains(tab.HTML(), "canary") {
				t.Errorf("%s shows whom it is about", name)
			}
		}
		tab.Visit(at + "/watches")
		tab.Await(".empty")
		seen("watches-none")
		for i, account := range []string{"canary@example.com", "unknown-canary@example.com"} {
			tab.Visit(at)
			tab.Type(`input[name="account"]`, account)
			tab.Click(".look-do", ".answer-watch button")
			seen("answer-watch-" + string(rune('a'+i)))
			tab.Click(".answer-watch button", ".note.good")
			newest(t, rows, "watch")
		}
		seen("watches-open")
		tab.Visit(at + "/watches") // a reload does not say again what was done
		if n := strings.Count(tab.HTML(), `class="note`); n != 0 || !strings.Contains(tab.HTML(), "/watches/cancel") {
			t.Errorf("%d notes after it is loaded again", n)
		}
		if n := strings.Count(tab.HTML(), "/watches/cancel"); n != 2 {
			t.Errorf("%d watches", n)
		}
		tab.Click("tbody tr:nth-child(1) .c-do button", "tbody tr:only-child")
		newest(t, rows, "unwatch")
		if n := strings.Count(tab.HTML(), "/watches/cancel"); n != 1 {
			t.Errorf("%d watches after one is cancelled", n)
		}
		yes := true
		f.says(messages.Result{Outcome: messages.Signed, ChargeAgent: &yes, RefundCharge: &yes})
		f.work()
		f.run(w)
		if look.NoScript {
			eventually(t, "the customer has signed", func() bool { n, err := w.Signed(t.Context(), "local"); return err == nil && n == 1 })
			tab.Visit(at + "/watches")
		}
		tab.Await(".badge.good") // without a reload, if there are scripts
		seen("watches-signed")
		tab.Visit(at)
		if text := tab.Text(".note.good"); !strings.Contains(text, "1") {
			t.Errorf("the start page says %q", text)
		}
		seen("lookup-signed")
	}
}

// A watch is offered if it can work. If the server is too old, the page of watches says so.
func TestOfferedInTheBrowser(t *testing.T) {
	t.Parallel()
	b := browsertest.Start(t)
	f := newFleet(t)
	for fault, want := range map[error][2]string{nil: {"", ""}, ErrOldServer: {"2.12", "2.12"}, ErrNoStream: {"provision", "provision"}} {
		w := f.console(false)
		w.ready = readiness{at: time.Now().Add(time.Hour), err: fault}
		at, _ := serve(t, w, nil)
		for i, look := range []browsertest.Look{{}, {Lang: "zh-CN"}} {
			tab := b.Tab(t, look)
			for _, account := range []string{"signed@example.com", "not@example.com"} {
				tab.Visit(at)
				tab.Type(`input[name="account"]`, account)
				tab.Click(".look-do", ".answer h1")
				offered := strings.Contains(tab.HTML(), "answer-watch")
				if offered != (fault == nil && account == "not@example.com") {
					t.Errorf("%v: offered for %s: %v", fault, account, offered)
				}
				if !offered {
					r, err := http.PostForm(browsertest.Eval[string](tab, "location.href")+"/watch", url.Values{})
					if err != nil || r.StatusCode != http.StatusBadRequest {
						t.Errorf("begun all the same: %v %v", r, err)
					}
					_ = r.Body.Close()
				}
			}
			if fault == nil {
				continue
			}
			tab.Visit(at + "/watches")
			if text := tab.Text(".note.warn"); !strings.Contains(text, want[i]) {
				t.Errorf("%v: %q", fault, text)
			}
			tab.Accessible()
			tab.Screenshot("watches-fault-" + tab.Name())
		}
	}
}

// A user who is added under the name of a removed user sees nothing of that user.
func TestSameNameAgain(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "users.yaml")
	write := func(more string) {
		if err := os.WriteFile(path, []byte("users:\n- {name: li, role: agent"+more+"}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("")
	users, err := access.OpenUsers(path)
	if err != nil {
		t.Fatal(err)
	}
	f := newFleet(t)
	w := f.console(false)
	f.begin(w, "li", "canary@example.com", "begun")
	page, err := web.New(web.Options{Users: users, Audit: audit.Memory(), Sections: []web.Section{w.Section()},
		Proxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Header: "X-User"})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(page)
	t.Cleanup(srv.Close)
	shown := func() (status int, first bool) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL+"/watches", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-User", "li")
		a, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer a.Body.Close()
		body, err := io.ReadAll(a.Body)
		if err != nil {
			t.Fatal(err)
		}
		return a.StatusCode, strings.Contains(string(body), messages.MaskEmail("canary@example.com"))
	}
	if status, first := shown(); status != http.StatusOK || !first {
		t.Errorf("the first: %d, sees it: %v", status, first)
	}
	write(", added: 2026-11-29T12:00:00.5Z")
	eventually(t, "the second sees nothing", func() bool { status, first := shown(); return status == http.StatusOK && !first })
}

// Agents and operators watch, each for themselves; viewers do not.
func TestRoles(t *testing.T) {
	t.Parallel()
	users := browsertest.Team(t)
	f := newFleet(t)
	at, _ := serve(t, f.console(false), users)
	b := browsertest.Start(t)
	for _, role := range []string{"agent", "operator"} {
		tab := b.Tab(t, browsertest.Look{})
		tab.SignIn(at, role, browsertest.Password)
		tab.Visit(at)
		tab.Type(`input[name="account"]`, "not-signed@example.com")
		tab.Click(".look-do", ".answer-watch button")
		tab.Click(".answer-watch button", ".note.good")
		if n := strings.Count(tab.HTML(), "/watches/cancel"); n != 1 {
			t.Errorf("%s sees %d watches", role, n)
		}
	}
	tab := b.Tab(t, browsertest.Look{})
	tab.SignIn(at, "viewer", browsertest.Password)
	tab.Visit(at + "/watches")
	tab.Await(".fault")
	if html := tab.HTML(); strings.Contains(html, `href="/watches"`) {
		t.Error("a viewer is offered watches")
	}
	own, err := f.console(false).store.list(t.Context(), ownerOf("agent"))
	if err != nil || len(own) != 1 {
		t.Fatalf("%+v %v", own, err)
	}
	for _, path := range []string{"/watches/cancel", "/look-up/x/watch"} {
		code := tab.Status("POST", path, "id="+own[0].id)
		if code != http.StatusForbidden {
			t.Errorf("a viewer posts to %s: %d", path, code)
		}
	}
}
