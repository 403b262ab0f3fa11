// "Tell me when it is signed": which answers offer a watch, and how it begins.

package lookup

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"protocolq/cmd/protocolq/console/audit"
	"protocolq/cmd/protocolq/console/web"
	"protocolq/messages"
)

// Watcher asks again on a schedule; console/watches does.
type Watcher interface {
	// Ready returns nil if Begin can be called.
	Ready(ctx context.Context) error
	// Begin watches a person for a user. The word says what came of it, as the page /watches shows it.
	Begin(ctx context.Context, by, shown string, q messages.Query) (word string, err error)
	// Signed is how many persons whom the user watched have signed lately.
	Signed(ctx context.Context, by string) (int, error)
}

// begun is the word of a watch that has begun.
const begun = "begun"

// watchable reports whether the page offers a watch: if the answer is "no", or not known.
func (s *section) watchable(x *web.Exchange, a Answer) bool {
	return s.o.Watch != nil && (a.Word == "not_signed" || a.Word == "unknown") && s.o.Watch.Ready(x.R.Context()) == nil
}

// watch begins a watch.
func (s *section) watch(x *web.Exchange) error {
	l := s.find(x, x.R.PathValue("ref"))
	if l == nil {
		return web.NotFound()
	}
	if r, done := l.Answered(); !done || !s.watchable(x, Read(r)) {
		return &web.Fault{Status: http.StatusBadRequest}
	}
	word, err := s.o.Watch.Begin(x.R.Context(), x.Visit.User.Key(), l.Shown(), l.Query)
	if err != nil {
		return &web.Fault{Status: http.StatusServiceUnavailable, Err: err}
	}
	if word == begun {
		if err := x.Audit(audit.Row{What: "watch", On: l.Shown(), HowMany: 1}); err != nil {
			return err
		}
	}
	return x.RedirectWith("/watches", url.Values{"note": {word}})
}

// signed is the number of persons that have signed, as text; "" if there are none, or it is not
// known.
func (s *section) signed(x *web.Exchange) string {
	if s.o.Watch == nil || s.o.Watch.Ready(x.R.Context()) != nil {
		return ""
	}
	n, err := s.o.Watch.Signed(x.R.Context(), x.Visit.User.Key())
	if err != nil {
		s.o.Logger.Debug("watches were not read", "err", err)
	}
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}
