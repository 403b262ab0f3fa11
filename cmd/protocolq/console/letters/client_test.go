// A reader without a browser.

package letters_test

import (
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"testing"

	"protocolq/cmd/protocolq/console/browsertest"
)

func signedIn(t *testing.T, at, name string) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	r, err := client.PostForm(at+"/sign-in", url.Values{"name": {name}, "password": {browsertest.Password}})
	if err != nil || r.StatusCode != http.StatusSeeOther {
		t.Fatalf("sign in as %s: %v %v", name, r, err)
	}
	_ = r.Body.Close()
	return client
}

func status(t *testing.T, client *http.Client, method, at string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, at, nil)
	if err != nil {
		t.Fatal(err)
	}
	a, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = a.Body.Close()
	return a.StatusCode
}
