// The server over plain HTTP: what is refused, who gets in, and what every response carries.

package web_test

import (
	"bytes"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"protocolq/cmd/protocolq/console/access"
	"protocolq/cmd/protocolq/console/audit"
	"protocolq/cmd/protocolq/console/web"
	"protocolq/cmd/protocolq/console/words"
)

const password = "correct horse battery"

// rows are the users in most tests.
func rows() []access.User {
	hash := access.HashPassword(password)
	return []access.User{{Name: "li", Role: access.Agent, Password: hash}, {Name: "vera", Role: access.Viewer, Password: hash}, {Name: "wang", Role: access.Operator, Password: hash}}
}

func usersFile(t *testing.T, list ...access.User) (*access.Users, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "users.yaml")
	writeUsers(t, path, list...)
	users, err := access.OpenUsers(path)
	if err != nil {
		t.Fatal(err)
	}
	return users, path
}

func writeUsers(t *testing.T, path string, list ...access.User) {
	t.Helper()
	data, err := access.FormatUsers(list)
	if err == nil {
		err = os.WriteFile(path, data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// section has a page for each right.
func section() web.Section {
	var files fs.FS = fstest.MapFS{"probe.html": {Data: []byte(`{{define "title"}}probe{{end}}{{define "content"}}<p id="who">{{.User.Name}} from {{.From}}</p><p>{{.Data}}</p>{{end}}`)}}
	show := func(x *web.Exchange) error { return x.Render("probe.html", x.R.FormValue("text")) }
	return web.Section{Name: "lookup", Path: "/ask", Right: access.Ask, Templates: files, Pages: []web.Page{
		{Pattern: "GET /ask", Right: access.Ask, Handle: show}, {Pattern: "GET /see", Right: access.See, Handle: show},
		{Pattern: "GET /act", Right: access.Act, Handle: show}, {Pattern: "POST /act", Right: access.Act, Handle: show},
		{Pattern: "POST /leave", Right: access.Act, Handle: func(x *web.Exchange) error {
			return x.RedirectWith("/left?x=1", url.Values{"done": {"all&sundry"}, "n": {"2"}})
		}},
		{Pattern: "GET /left", Right: access.See, Handle: func(x *web.Exchange) error { return x.Render("probe.html", x.Left().Encode()) }},
		{Pattern: "GET /panic", Right: access.Anyone, Handle: func(*web.Exchange) error { panic("on purpose") }},
		{Pattern: "GET /tab", Right: access.See, Handle: func(x *web.Exchange) error {
			return x.Stream(time.Hour, func(func(string, any) error) (bool, error) { return true, nil })
		}},
		{Pattern: "GET /stream", Right: access.See, Handle: func(x *web.Exchange) error {
			n := 0
			return x.Stream(time.Millisecond, func(send func(string, any) error) (bool, error) { n++; return n < 3, send("text", n) })
		}},
	}}
}

// open serves the section and returns a client with its own cookies that follows no redirect.
func open(t *testing.T, o web.Options) (string, *http.Client) {
	t.Helper()
	o.Sections = []web.Section{section()}
	page, err := web.New(o)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(page)
	t.Cleanup(srv.Close)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return srv.URL, &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// answer is the part of a response that the tests look at.
type answer struct {
	StatusCode int
	Header     http.Header
}

// do sends one request and returns the response with its body.
func do(t *testing.T, c *http.Client, method, address string, form url.Values, headers ...string) (answer, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
		if headers[i] == "Host" {
			r.Host = headers[i+1]
		}
	}
	a, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	body, err := io.ReadAll(a.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{a.StatusCode, a.Header}, string(body)
}

func signIn(t *testing.T, c *http.Client, address, name, password string) int {
	t.Helper()
	a, _ := do(t, c, "POST", address+"/sign-in", url.Values{"name": {name}, "password": {password}, "next": {"/ask"}})
	return a.StatusCode
}

func TestEveryAnswerIsGuarded(t *testing.T) {
	address, c := open(t, web.Options{})
	for _, path := range []string{"/ask", "/sign-in", "/nothing", "/panic", "/static/nothing"} {
		a, _ := do(t, c, "GET", address+path, nil)
		policy := a.Header.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"} {
			if !strings.Contains(policy, want) {
				t.Errorf("%s: the policy %q lacks %s", path, policy, want)
			}
		}
		if strings.Contains(policy, "unsafe") || a.Header.Get("Cache-Control") != "no-store" || a.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %v", path, a.Header)
		}
	}
}

// The log says where a page failed, and not about whom.
func TestPanicIsLogged(t *testing.T) {
	var log bytes.Buffer
	address, c := open(t, web.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if a, _ := do(t, c, "GET", address+"/panic", nil); a.StatusCode != http.StatusInternalServerError {
		t.Errorf("%d", a.StatusCode)
	}
	if said := log.String(); strings.Contains(said, "on purpose") || !strings.Contains(said, "web_test.go") {
		t.Error(said)
	}
}

func TestForeignersAreKeptOut(t *testing.T) {
	address, c := open(t, web.Options{})
	host := strings.TrimPrefix(address, "http://")
	for name, tt := range map[string]struct {
		method  string
		headers []string
		want    int
	}{
		"own page":                {"POST", []string{"Sec-Fetch-Site", "same-origin"}, 200},
		"own origin":              {"POST", []string{"Origin", address}, 200},
		"a program":               {"POST", nil, 200},
		"another site":            {"POST", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		"another origin":          {"POST", []string{"Origin", "https://evil.example"}, 403},
		"another name for us":     {"GET", []string{"Host", "evil.example"}, 421},
		"another name, our port":  {"GET", []string{"Host", "evil.example" + host[strings.LastIndex(host, ":"):]}, 421},
		"localhost":               {"GET", []string{"Host", "localhost:8470"}, 200},
		"an address of this kind": {"GET", []string{"Host", "[::1]:8470"}, 200},
		"an address of elsewhere": {"GET", []string{"Host", "192.0.2.1"}, 421},
	} {
		if a, _ := do(t, c, tt.method, address+"/act", url.Values{}, tt.headers...); a.StatusCode != tt.want {
			t.Errorf("%s: %d, want %d", name, a.StatusCode, tt.want)
		}
	}
}

func TestRolesGetTheirPagesAndNoOthers(t *testing.T) {
	users, _ := usersFile(t, rows()...)
	address, _ := open(t, web.Options{Users: users})
	for name, may := range map[string]string{"": "", "li": "ask", "vera": "see", "wang": "ask see act"} {
		_, c := open(t, web.Options{}) // with its own cookies
		if name != "" {
			if code := signIn(t, c, address, name, password); code != http.StatusSeeOther {
				t.Fatalf("%s signs in: %d", name, code)
			}
		}
		for _, right := range []string{"ask", "see", "act"} {
			want := http.StatusForbidden
			if name == "" {
				want = http.StatusSeeOther
			}
			if strings.Contains(may, right) {
				want = http.StatusOK
			}
			if a, _ := do(t, c, "GET", address+"/"+right, nil); a.StatusCode != want {
				t.Errorf("%q at /%s: %d, want %d", name, right, a.StatusCode, want)
			}
		}
	}
}

func TestSignIn(t *testing.T) {
	users, path := usersFile(t, rows()...)
	log := audit.Memory()
	address, c := open(t, web.Options{Users: users, Audit: log})
	a, _ := do(t, c, "GET", address+"/ask?x=1", nil)
	if at := a.Header.Get("Location"); a.StatusCode != http.StatusSeeOther || at != "/sign-in?next=%2Fask%3Fx%3D1" {
		t.Errorf("%d to %s", a.StatusCode, at)
	}
	if code := signIn(t, c, address, "li", "wrong"); code != http.StatusUnauthorized {
		t.Errorf("a wrong password: %d", code)
	}
	a, _ = do(t, c, "POST", address+"/sign-in", url.Values{"name": {"li"}, "password": {password}, "next": {"/ask?x=1"}})
	cookie := a.Header.Get("Set-Cookie")
	if at := a.Header.Get("Location"); at != "/ask?x=1" || !strings.Contains(cookie, "HttpOnly") || !strings.Contains(cookie, "SameSite=Lax") || strings.Contains(cookie, "Secure") {
		t.Errorf("to %s with %s", at, cookie)
	}
	if rows, _ := log.Recent(t.Context(), 5); len(rows) != 1 || rows[0].Who != "li" || rows[0].What != "sign_in" || rows[0].From == "" {
		t.Errorf("the audit log has %+v", rows)
	}
	if a, body := do(t, c, "GET", address+"/ask", nil); a.StatusCode != 200 || !strings.Contains(body, "li from 127.0.0.1") {
		t.Errorf("%d", a.StatusCode)
	}
	// A removed user has no session any more.
	writeUsers(t, path, rows()[2])
	eventually(t, func() bool { a, _ := do(t, c, "GET", address+"/ask", nil); return a.StatusCode == http.StatusSeeOther })
	writeUsers(t, path, rows()...)
	if code := signIn(t, c, address, "wang", password); code != http.StatusSeeOther {
		t.Fatalf("%d", code)
	}
	if a, _ := do(t, c, "POST", address+"/sign-out", url.Values{}); a.Header.Get("Location") != "/sign-in" {
		t.Errorf("%v", a.Header)
	}
	for _, says := range []bool{true, false} { // once
		if _, body := do(t, c, "GET", address+"/sign-in", nil); strings.Contains(body, words.Say(words.English, "signin.ended")) != says {
			t.Errorf("that the session has ended is said: %v; want %v", !says, says)
		}
	}
	if a, _ := do(t, c, "GET", address+"/ask", nil); a.StatusCode != http.StatusSeeOther {
		t.Errorf("signed out, and still in: %d", a.StatusCode)
	}
}

// A copied cookie is worth nothing once its session has ended. After "sign out everywhere" this
// holds for all cookies of the user.
func TestSignOutEndsCopies(t *testing.T) {
	users, _ := usersFile(t, rows()...)
	address, c := open(t, web.Options{Users: users})
	cookie := func() string {
		t.Helper()
		a, _ := do(t, c, "POST", address+"/sign-in", url.Values{"name": {"wang"}, "password": {password}, "next": {"/ask"}})
		text, _, _ := strings.Cut(a.Header.Get("Set-Cookie"), ";")
		return text
	}
	copied := &http.Client{CheckRedirect: c.CheckRedirect}
	want := func(cookie string, want int) {
		t.Helper()
		if a, _ := do(t, copied, "GET", address+"/ask", nil, "Cookie", cookie); a.StatusCode != want {
			t.Errorf("%d, want %d", a.StatusCode, want)
		}
	}
	first, second := cookie(), cookie() // in two browsers
	want(first, http.StatusOK)
	do(t, copied, "POST", address+"/sign-out", url.Values{}, "Cookie", first)
	want(first, http.StatusSeeOther)
	want(second, http.StatusOK)
	third := cookie()
	do(t, copied, "POST", address+"/sign-out", url.Values{"all": {"1"}}, "Cookie", third)
	want(second, http.StatusSeeOther)
	want(third, http.StatusSeeOther)
}

// eventually waits for what may take a second, the interval at which the file is read.
func eventually(t *testing.T, true func() bool) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); !true(); {
		if time.Now().After(end) {
			t.Fatal("it did not come true")
		}
		select {
		case <-t.Context().Done():
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func TestGuessesAreThrottled(t *testing.T) {
	users, _ := usersFile(t, rows()...)
	address, c := open(t, web.Options{Users: users})
	last := 0
	for range 6 {
		last = signIn(t, c, address, "li", "wrong")
	}
	if last != http.StatusTooManyRequests {
		t.Errorf("the sixth guess: %d", last)
	}
	if code := signIn(t, c, address, "li", password); code != http.StatusTooManyRequests {
		t.Errorf("the right password among guesses: %d", code)
	}
	if code := signIn(t, c, address, "wang", password); code != http.StatusSeeOther {
		t.Errorf("another user waits: %d", code)
	}
}

// Signing in never leads to another site.
func TestNextIsOurs(t *testing.T) {
	users, _ := usersFile(t, rows()...)
	for next, want := range map[string]string{
		"/ask?a=1": "/ask?a=1", "https://evil.example": "/", "//evil.example": "/", `/\evil.example`: "/", "/\t/evil.example": "/", "javascript:alert(1)": "/", "": "/",
	} {
		address, c := open(t, web.Options{Users: users})
		a, _ := do(t, c, "POST", address+"/sign-in", url.Values{"name": {"wang"}, "password": {password}, "next": {next}})
		if at := a.Header.Get("Location"); at != want {
			t.Errorf("next %q leads to %q", next, at)
		}
	}
}

// A proxy is believed if it is known, and only about users in the file.
func TestProxies(t *testing.T) {
	users, _ := usersFile(t, rows()...)
	trusted := web.Options{Users: users, Proxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8")}, Header: "X-Forwarded-User"}
	foreign := trusted
	foreign.Proxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	for name, tt := range map[string]struct {
		o       web.Options
		headers []string
		want    string // on the page; "" is the sign-in page
	}{
		"trusted":        {trusted, []string{"X-Forwarded-User", "wang", "X-Forwarded-For", "198.51.100.7"}, "wang from 198.51.100.7"},
		"two proxies":    {trusted, []string{"X-Forwarded-User", "wang", "X-Forwarded-For", "203.0.113.9, 198.51.100.7, 10.0.0.1"}, "wang from 198.51.100.7"},
		"made up":        {trusted, []string{"X-Forwarded-User", "wang", "X-Forwarded-For", "nonsense, 198.51.100.7"}, "wang from 198.51.100.7"},
		"nobody we know": {trusted, []string{"X-Forwarded-User", "zhao"}, ""},
		"no name":        {trusted, nil, ""},
		"not trusted":    {foreign, []string{"X-Forwarded-User", "wang"}, ""},
	} {
		address, c := open(t, tt.o)
		a, body := do(t, c, "GET", address+"/ask", nil, tt.headers...)
		if (tt.want == "") != (a.StatusCode == http.StatusSeeOther) || !strings.Contains(body, tt.want) {
			t.Errorf("%s: %d", name, a.StatusCode)
		}
	}
	address, c := open(t, trusted)
	// A proxy that adds its header, but keeps the header that the browser sent.
	twice, err := http.NewRequestWithContext(t.Context(), "GET", address+"/ask", nil)
	if err != nil {
		t.Fatal(err)
	}
	twice.Header["X-Forwarded-User"] = []string{"wang", "li"}
	r, err := c.Do(twice)
	if err != nil {
		t.Fatal(err)
	}
	if r.Body.Close(); r.StatusCode != http.StatusSeeOther {
		t.Errorf("two names: %d", r.StatusCode)
	}
	a, _ := do(t, c, "POST", address+"/sign-in", url.Values{"name": {"wang"}, "password": {password}}, "X-Forwarded-Proto", "https")
	if !strings.Contains(a.Header.Get("Set-Cookie"), "Secure") || a.Header.Get("Strict-Transport-Security") == "" {
		t.Errorf("behind TLS: %v", a.Header)
	}
	// If readers come by https, a cookie stays there, whatever is known of the proxy.
	unknown := web.Options{Users: users, URL: &url.URL{Scheme: "https", Host: "console.example.com"}}
	address, c = open(t, unknown)
	a, _ = do(t, c, "POST", address+"/sign-in", url.Values{"name": {"wang"}, "password": {password}})
	if !strings.Contains(a.Header.Get("Set-Cookie"), "Secure") || a.Header.Get("Strict-Transport-Security") == "" {
		t.Errorf("behind TLS of a proxy that is not known: %v", a.Header)
	}
}

func TestLanguageAndAppearance(t *testing.T) {
	address, c := open(t, web.Options{})
	shows := func(want string, headers ...string) {
		t.Helper()
		if _, body := do(t, c, "GET", address+"/ask", nil, headers...); !strings.Contains(body, want) {
			t.Errorf("no %s in %.300s", want, body)
		}
	}
	shows(`<html lang="en" data-theme="auto">`)
	shows(`<html lang="zh-CN" data-theme="auto">`, "Accept-Language", "zh-CN,zh;q=0.9")
	a, _ := do(t, c, "POST", address+"/preferences", url.Values{"lang": {"zh-CN"}, "back": {"/ask?x=1"}})
	if at := a.Header.Get("Location"); at != "/ask?x=1" {
		t.Errorf("back to %s", at)
	}
	do(t, c, "POST", address+"/preferences", url.Values{"theme": {"dark"}, "back": {"/ask"}})
	shows(`<html lang="zh-CN" data-theme="dark">`)
	if a, _ := do(t, c, "POST", address+"/preferences", url.Values{"theme": {"pink"}}); a.StatusCode != http.StatusBadRequest {
		t.Errorf("pink: %d", a.StatusCode)
	}
}

func TestTextIsText(t *testing.T) {
	address, c := open(t, web.Options{})
	_, body := do(t, c, "GET", address+"/ask?text="+url.QueryEscape(`<script>alert(1)</script>"'`), nil)
	if strings.Contains(body, "<script>alert") {
		t.Errorf("%s", body)
	}
	if _, body := do(t, c, "GET", address+"/static/nothing%3Cscript%3E", nil); strings.Contains(body, "<script>") {
		t.Errorf("%s", body)
	}
}

// What a redirect leaves is given once, only to its page, and is in no address.
func TestLeft(t *testing.T) {
	address, c := open(t, web.Options{})
	const left = "done=all%26sundry&amp;n=2"
	a, _ := do(t, c, "POST", address+"/leave", url.Values{})
	if at, cookie := a.Header.Get("Location"), a.Header.Get("Set-Cookie"); at != "/left?x=1" || !strings.Contains(cookie, "Path=/left;") || !strings.Contains(cookie, "HttpOnly") {
		t.Errorf("to %s with %s", at, cookie)
	}
	if _, body := do(t, c, "GET", address+"/ask", nil); strings.Contains(body, "sundry") {
		t.Error("another page has it")
	}
	for i, want := range []bool{true, false} {
		if _, body := do(t, c, "GET", address+"/left?x=1", nil); strings.Contains(body, left) != want {
			t.Errorf("at visit %d: %s", i, body)
		}
	}
	for _, made := range []string{"protocolq_left=%zz", "protocolq_left=done=" + strings.Repeat("x", 600)} {
		if a, body := do(t, c, "GET", address+"/left", nil, "Cookie", made); a.StatusCode != 200 || strings.Contains(body, "xxx") {
			t.Errorf("made up: %d %s", a.StatusCode, body)
		}
	}
}

// A browser's reports are kept, up to a bound.
func TestReports(t *testing.T) {
	page, err := web.New(web.Options{})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(page)
	defer srv.Close()
	for i := range 50 {
		body := `{"csp-report":{"effective-directive":"script-src-elem","blocked-uri":"inline","document-uri":"http://127.0.0.1/look-up/secret?e=zhang@example.com"}}`
		if i == 1 {
			body = "nonsense"
		}
		a, err := http.Post(srv.URL+"/csp-report", "application/csp-report", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		a.Body.Close()
	}
	if got := page.Reports(); len(got) != 20 || got[0] != "script-src-elem inline on /look-up/secret" {
		t.Errorf("%d reports, the first %q", len(got), got[0])
	}
}
