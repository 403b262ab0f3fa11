package lookup

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"protocolq/cmd/protocolq/console/access"
	"protocolq/cmd/protocolq/console/web"
)

const one, two = "2088000000000001", "2088000000000002"

// browse serves the look-up to users whom a proxy names, and returns the response to one request.
func browse(t *testing.T, users ...access.User) func(who, method, path string, form url.Values) *httptest.ResponseRecorder {
	t.Helper()
	path := filepath.Join(t.TempDir(), "users.yaml")
	data, err := access.FormatUsers(users)
	if err == nil {
		err = os.WriteFile(path, data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	file, err := access.OpenUsers(path)
	if err != nil {
		t.Fatal(err)
	}
	page, err := web.New(web.Options{Users: file, Header: "X-User", Proxies: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")},
		Sections: []web.Section{New(Options{Asker: signedAsker{}, Partners: []string{one, two}})}})
	if err != nil {
		t.Fatal(err)
	}
	return func(who, method, path string, form url.Values) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(t.Context(), method, "http://console.example"+path, strings.NewReader(form.Encode()))
		r.RemoteAddr = "192.0.2.1:1234"
		r.Header.Set("X-User", who)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		page.ServeHTTP(w, r)
		return w
	}
}

// An agent asks for the partners in the agent's row, and sees only look-ups of those partners.
func TestPartnersAreKeptApart(t *testing.T) {
	do := browse(t, access.User{Name: "li", Role: access.Agent, Partners: []string{one}}, access.User{Name: "liu", Role: access.Agent, Partners: []string{one, two}},
		access.User{Name: "zhang", Role: access.Agent, Partners: []string{two}}, access.User{Name: "zhao", Role: access.Agent}, access.User{Name: "wang", Role: access.Operator})
	for _, tt := range []struct {
		who, partner string
		status       int
		seen         string // which other user may see the answer
	}{
		{"li", "", 303, "li liu wang"},
		{"li", one, 303, "li liu wang"},
		{"li", two, 403, ""},
		{"liu", two, 303, "liu zhang wang"},
		{"zhang", one, 403, ""},
		{"zhao", "", 303, "zhao wang"},
		{"zhao", one, 403, ""},
		{"wang", two, 303, "liu zhang wang"},
		{"wang", "2088000000000003", 403, ""},
	} {
		w := do(tt.who, "POST", "/look-up", url.Values{"account": {"a@example.com"}, "partner": {tt.partner}})
		if w.Code != tt.status {
			t.Errorf("%s asks for %q: %d, want %d", tt.who, tt.partner, w.Code, tt.status)
		}
		at := w.Header().Get("Location")
		if at == "" {
			continue
		}
		for _, reader := range []string{"li", "liu", "zhang", "zhao", "wang"} {
			may := strings.Contains(" "+tt.seen+" ", " "+reader+" ")
			if code := do(reader, "GET", at, nil).Code; (code == http.StatusOK) != may {
				t.Errorf("%s looks at %s's for %q: %d", reader, tt.who, tt.partner, code)
			}
			again := do(reader, "POST", "/look-up", url.Values{"ref": {strings.TrimPrefix(at, "/look-up/")}, "fresh": {"1"}})
			if (again.Code == http.StatusSeeOther) != may {
				t.Errorf("%s asks %s's for %q again: %d", reader, tt.who, tt.partner, again.Code)
			}
		}
	}
}

// A user has a limited number of look-ups a minute, and other users have their own.
func TestQuota(t *testing.T) {
	do := browse(t, access.User{Name: "li", Role: access.Agent, Minute: 2}, access.User{Name: "zhang", Role: access.Agent, Minute: 2})
	for i, want := range []int{303, 303, 429} {
		if w := do("li", "POST", "/look-up", url.Values{"account": {"a@example.com"}}); w.Code != want {
			t.Errorf("look-up %d: %d, want %d", i+1, w.Code, want)
		}
	}
	if w := do("zhang", "POST", "/look-up", url.Values{"account": {"a@example.com"}}); w.Code != http.StatusSeeOther {
		t.Errorf("another user: %d", w.Code)
	}
}
