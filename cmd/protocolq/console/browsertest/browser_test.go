package browsertest_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"protocolq/cmd/protocolq/console/browsertest"
)

// The harness sees the faults that it looks for: a script's error, a violated policy, a missing
// text, a page that is too wide.
func TestFaultsAreSeen(t *testing.T) {
	b := browsertest.Start(t)
	for name, tt := range map[string]struct{ page, want string }{
		"nothing":   {`<p>fine</p>`, ""},
		"exception": {`<script src="/throw.js"></script>`, "script"},
		"inline":    {`<script>1</script>`, "Content Security Policy"},
		"missing":   {`<p>⟦no.such⟧</p>`, "missing"},
		"too wide":  {`<img src="/wide.svg" width="3000" height="10" alt="">`, "sideways"},
	} {
		t.Run(name, func(t *testing.T) {
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				switch r.URL.Path {
				case "/throw.js":
					w.Header().Set("Content-Type", "text/javascript")
					_, _ = w.Write([]byte(`throw new Error("on purpose")`))
				case "/":
					w.Header().Set("Content-Security-Policy", "default-src 'self'")
					w.Header().Set("Content-Type", "text/html; charset=utf-8")
					_, _ = w.Write([]byte("<!doctype html><title>t</title>" + tt.page))
				}
			}))
			defer srv.Close()
			heard := &recorder{TB: t}
			t.Run("page", func(t *testing.T) {
				heard.TB = t
				b.Tab(heard, browsertest.Look{}).Visit(srv.URL)
			})
			if got := strings.Join(heard.said, "; "); (tt.want == "") != (got == "") || !strings.Contains(got, tt.want) {
				t.Errorf("the harness says %q, want %q", got, tt.want)
			}
		})
	}
}

// With a directory for it, a picture is taken; without one, the page is only checked.
func TestScreenshot(t *testing.T) {
	b := browsertest.Start(t)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write([]byte("<!doctype html><title>t</title><link rel=icon href='data:,'><p>fine</p>"))
	}))
	defer srv.Close()
	dir := t.TempDir()
	tab := b.Tab(t, browsertest.Look{})
	tab.Visit(srv.URL)
	t.Setenv("PROTOCOLQ_SCREENSHOTS", "")
	tab.Screenshot("none")
	t.Setenv("PROTOCOLQ_SCREENSHOTS", dir)
	tab.Screenshot("one")
	png, err := os.ReadFile(filepath.Join(dir, "one.png"))
	if err != nil || !strings.HasPrefix(string(png), "\x89PNG") {
		t.Errorf("the picture is %.8q, %v", png, err)
	}
	if got, err := filepath.Glob(filepath.Join(dir, "*")); len(got) != 1 || err != nil {
		t.Errorf("pictures: %q, %v", got, err)
	}
}

// A page that is replaced while it is read is read again.
func TestPageIsReplacedWhileRead(t *testing.T) {
	b := browsertest.Start(t)
	var pages atomic.Int32
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		body := "<meta http-equiv=refresh content=0><p>there soon"
		if pages.Add(1) == 10 {
			body = "<p>there"
		}
		time.Sleep(30 * time.Millisecond) //nolint:forbidigo // for so long a page is there
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write([]byte("<!doctype html><html lang=en><title>t</title><link rel=icon href='data:,'>" + body))
	}))
	defer srv.Close()
	tab := b.Tab(t, browsertest.Look{NoScript: true})
	tab.Visit(srv.URL)
	for tab.Text("p") != "there" {
		tab.Await("p")
		tab.HTML()
	}
}

// recorder keeps what would have failed the test.
type recorder struct {
	testing.TB
	said []string
}

func (r *recorder) Errorf(format string, args ...any) {
	r.said = append(r.said, fmt.Sprintf(format, args...))
}
