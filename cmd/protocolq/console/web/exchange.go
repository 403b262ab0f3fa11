// One request and its answer.

package web

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"protocolq/cmd/protocolq/console/access"
	"protocolq/cmd/protocolq/console/audit"
	"protocolq/cmd/protocolq/console/words"
)

// Visit is who the reader is, and which language and theme the reader wants.
type Visit struct {
	User access.User
	// Local is true if no users are configured: everybody on this machine is an operator.
	Local   bool
	Lang    words.Lang
	Theme   string // "auto", "light" or "dark"
	From    netip.Addr
	HTTPS   bool
	session bool // by a cookie of ours, so that the reader can sign out
}

// May reports whether the reader has a right. Templates call it, too.
func (v *Visit) May(right access.Right) bool { return v.User.Role.May(right) }

// Exchange is one request and its answer.
type Exchange struct {
	W       http.ResponseWriter
	R       *http.Request
	Visit   *Visit
	server  *Server
	section *Section
}

// Say returns a text in the reader's language.
func (x *Exchange) Say(key string, args ...any) string { return words.Say(x.Visit.Lang, key, args...) }

// Has reports whether there is a section of this name that the reader may see, for links to it.
func (x *Exchange) Has(section string) bool {
	return slices.ContainsFunc(x.server.o.Sections,
		func(s Section) bool { return s.Name == section && x.Visit.May(s.Right) })
}

// Render answers with a page.
func (x *Exchange) Render(name string, data any) error {
	return x.RenderStatus(http.StatusOK, name, data)
}

// RenderStatus answers with a page and another status.
func (x *Exchange) RenderStatus(status int, name string, data any) error {
	return x.server.render(x, status, name, data)
}

// Part renders one block of a page's template, for a stream that replaces a part of the page.
func (x *Exchange) Part(page, block string, data any) (string, error) {
	t := x.server.templates[x.Visit.Lang][page]
	if t == nil {
		return "", fmt.Errorf("there is no template %s", page)
	}
	var out strings.Builder
	if err := t.ExecuteTemplate(&out, block, data); err != nil {
		return "", fmt.Errorf("render %s of %s: %w", block, page, err)
	}
	return out.String(), nil
}

// Redirect sends the reader on after a POST.
func (x *Exchange) Redirect(path string) error {
	http.Redirect(x.W, x.R, path, http.StatusSeeOther)
	return nil
}

// Audit keeps a row of the reader's action: see audit.Log. It fills in who, from where and when.
func (x *Exchange) Audit(r audit.Row) error {
	r.Who, r.From, r.AtMs = x.Visit.User.Name, x.Visit.From.String(), time.Now().UnixMilli()
	x.server.o.Logger.Info("console action", "who", r.Who, "from", r.From, "what", r.What, "how_many", r.HowMany,
		"fault", r.Fault)
	if err := x.server.o.Audit.Append(x.R.Context(), r); err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	return nil
}

// Fault is a refusal, shown to the reader as a page.
type Fault struct {
	Status int
	Wait   time.Duration // of 429: how long
	Err    error         // for the log; nil: nothing to log
}

func (f *Fault) Error() string {
	if f.Err == nil {
		return http.StatusText(f.Status)
	}
	return fmt.Sprintf("%s: %v", http.StatusText(f.Status), f.Err)
}

func (f *Fault) Unwrap() error { return f.Err }

// NotFound is the fault of a page that does not exist, or that this reader may not see.
func NotFound() error { return &Fault{Status: http.StatusNotFound} }
