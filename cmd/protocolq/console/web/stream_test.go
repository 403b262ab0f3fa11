// Streams: what they send, and how many may be open.

package web_test

import (
	"context"
	"net/http"
	"net/http/cookiejar"
	"strings"
	"testing"

	"protocolq/cmd/protocolq/console/web"
)

func TestStream(t *testing.T) {
	address, c := open(t, web.Options{})
	a, body := do(t, c, "GET", address+"/stream", nil)
	if a.Header.Get("Content-Type") != "text/event-stream" || !strings.Contains(body, "event: text\ndata: 3\n\n") || strings.Contains(body, "data: 4") {
		t.Errorf("%v %q", a.Header, body)
	}
}

// A reader with too many tabs keeps no other reader from opening theirs, and has room again once
// one is closed.
func TestOneReaderTakesNotAllStreams(t *testing.T) {
	users, _ := usersFile(t, rows()...)
	address, vera := open(t, web.Options{Users: users})
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	wang := &http.Client{Jar: jar, CheckRedirect: vera.CheckRedirect}
	signIn(t, vera, address, "vera", password)
	signIn(t, wang, address, "wang", password)
	tab := func(c *http.Client) (int, func()) {
		ctx, leave := context.WithCancel(t.Context())
		r, err := http.NewRequestWithContext(ctx, "GET", address+"/tab", nil)
		if err != nil {
			t.Fatal(err)
		}
		a, err := c.Do(r) //nolint:bodyclose // leave does
		if err != nil {
			t.Fatal(err)
		}
		return a.StatusCode, func() { leave(); a.Body.Close() }
	}
	var leave func()
	for i := range 50 {
		status, left := tab(vera)
		defer left()
		if leave = left; status != http.StatusOK {
			t.Fatalf("tab %d: %d", i+1, status)
		}
	}
	if status, left := tab(vera); status != http.StatusServiceUnavailable {
		t.Errorf("one too many: %d", status)
	} else {
		left()
	}
	if status, left := tab(wang); status != http.StatusOK {
		t.Errorf("another reader: %d", status)
	} else {
		left()
	}
	leave()
	eventually(t, func() bool { status, left := tab(vera); left(); return status == http.StatusOK })
}
