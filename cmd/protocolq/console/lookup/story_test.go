package lookup

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/fstest"

	"protocolq/cmd/protocolq/console/access"
	"protocolq/cmd/protocolq/console/web"
	"protocolq/messages"
)

type signedAsker struct{}

func (signedAsker) Ask(_ context.Context, q messages.Query) (messages.Result, error) {
	yes := true
	return messages.Result{V: 1, ID: q.ID, Outcome: messages.Signed, ChargeAgent: &yes, RefundCharge: &yes}, nil
}

// If there is a query log, an answer links to its story. A link that this console does not know
// leads to the story at once: it may be from another console, or an earlier one.
func TestStory(t *testing.T) {
	log := web.Section{Name: "queries", Path: "/queries", Right: access.See, Templates: fstest.MapFS{"log.html": {Data: []byte("x")}}}
	for _, tt := range []struct {
		sections []web.Section
		story    bool
		unknown  int
	}{{nil, false, http.StatusNotFound}, {[]web.Section{log}, true, http.StatusSeeOther}} {
		page, err := web.New(web.Options{Sections: append([]web.Section{New(Options{Asker: signedAsker{}})}, tt.sections...)})
		if err != nil {
			t.Fatal(err)
		}
		get := func(method, path string, form url.Values) *httptest.ResponseRecorder {
			r := httptest.NewRequestWithContext(t.Context(), method, "http://localhost"+path, strings.NewReader(form.Encode()))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			w := httptest.NewRecorder()
			page.ServeHTTP(w, r)
			return w
		}
		at := get("POST", "/look-up", url.Values{"account": {"zhang@example.com"}}).Header().Get("Location")
		ref := strings.TrimPrefix(at, "/look-up/")
		if body := get("GET", at, nil).Body.String(); strings.Contains(body, `href="/queries/page-`+ref+`"`) != tt.story || strings.Contains(body, "zhang") {
			t.Errorf("the story is shown: %v, want %v", !tt.story, tt.story)
		}
		if w := get("GET", "/look-up/of-elsewhere", nil); w.Code != tt.unknown || tt.story && w.Header().Get("Location") != "/queries/page-of-elsewhere" {
			t.Errorf("a link of elsewhere: %d %s", w.Code, w.Header().Get("Location"))
		}
	}
}
