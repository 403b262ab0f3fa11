package browsertest_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"protocolq/cmd/protocolq/console/browsertest"
)

// The harness sees what it is for: a script's fault, a violated policy, a missing text, a page that
// is too wide.
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

// recorder keeps what would have failed the test.
type recorder struct {
	testing.TB
	said []string
}

func (r *recorder) Errorf(format string, args ...any) {
	r.said = append(r.said, fmt.Sprintf(format, args...))
}
