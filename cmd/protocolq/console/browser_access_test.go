// Who gets in, and what each role sees, in a real browser.

package console_test

import (
	"os"
	"path/filepath"
	"testing"

	"protocolq/cmd/protocolq/console/access"
	"protocolq/cmd/protocolq/console/browsertest"
)

const password = "correct horse battery"

// team is a file of users with one of each role.
func team(t *testing.T) (*access.Users, func(...access.User)) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "users.yaml")
	write := func(list ...access.User) {
		data, err := access.FormatUsers(list)
		if err == nil {
			err = os.WriteFile(path, data, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	write(member("li", access.Agent), member("vera", access.Viewer), member("wang", access.Operator))
	users, err := access.OpenUsers(path)
	if err != nil {
		t.Fatal(err)
	}
	return users, write
}

func member(name string, role access.Role) access.User {
	u := access.User{Name: name, Role: role, Password: access.HashPassword(password)}
	if role == access.Agent {
		u.Partners, u.Minute = []string{"2088000000000002"}, 3
	}
	return u
}

func TestAgentsInTheBrowser(t *testing.T) {
	t.Parallel()
	b := browsertest.Start(t)
	users, write := team(t)
	url, p := open(t, users)

	tab := b.Tab(t, browsertest.Look{})
	tab.Visit(url)
	tab.Accessible()
	tab.Screenshot("signin-" + tab.Name())
	tab.Type(`input[name="name"]`, "li")
	tab.Type(`input[name="password"]`, "wrong")
	tab.Click("main button.primary", ".note.bad")
	if got := tab.Text(".note.bad"); got != "Name or password is wrong." {
		t.Errorf("a wrong password: %q", got)
	}
	tab.Accessible()
	tab.Screenshot("signin-wrong-" + tab.Name())
	tab.SignIn(url, "li", password)
	lookUp(tab, url, "signed@example.com")
	link := browsertest.Eval[string](tab, "location.href")
	p.mu.Lock()
	if q := p.asked[0]; q.Partner != "2088000000000002" || q.MaxAgeMs != nil {
		t.Errorf("asked %+v", q)
	}
	p.mu.Unlock()

	// A colleague of the same partner sees the answer by its link, without knowing the e-mail.
	colleague := b.Tab(t, browsertest.Look{Lang: "zh-CN"}.Phone())
	colleague.Visit(link)
	colleague.Screenshot("signin-" + colleague.Name())
	colleague.Type(`input[name="name"]`, "wang")
	colleague.Type(`input[name="password"]`, password)
	colleague.Click("main button.primary", ".answer")
	if got := colleague.Text(".answer h1"); got != "已签约，可扣款、可退款" {
		t.Errorf("a colleague sees %q", got)
	}

	// A user has a limited number of look-ups a minute.
	lookUp(tab, url, "debit-only@example.com")
	lookUp(tab, url, "not-signed@example.com")
	if got := lookUp(tab, url, "signed@example.com"); got[:20] != "You have used your l" {
		t.Errorf("the fourth in a minute: %q", got)
	}
	tab.Screenshot("quota-" + tab.Name())

	// A removed user is out at the next step.
	write(member("wang", access.Operator))
	for range 100 {
		tab.Visit(url)
		if browsertest.Eval[string](tab, "location.pathname") == "/sign-in" {
			return
		}
	}
	t.Error("a removed user is still in")
}

func TestViewersMayNotAsk(t *testing.T) {
	t.Parallel()
	b := browsertest.Start(t)
	users, _ := team(t)
	url, _ := open(t, users)
	for _, look := range []browsertest.Look{{}, browsertest.Look{Lang: "zh-CN", Dark: true}.Phone()} {
		tab := b.Tab(t, look)
		tab.SignIn(url, "vera", password)
		tab.Visit(url)
		tab.Await(".fault")
		tab.Accessible()
		tab.Screenshot("forbidden-" + tab.Name())
		tab.Visit(url + "/nothing")
		tab.Screenshot("nothing-" + tab.Name())
	}
}
