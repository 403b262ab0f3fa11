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

// Visit is who asks, and how they like it.
type Visit struct {
	User access.User
	// Local is true where no users are configured: everybody on this machine is an operator.
	Local   bool
	Lang    words.Lang
	Theme   string // "auto", "light" or "dark"
	From    netip.Addr
	HTTPS   bool
	session bool // by a cookie of ours, so that it can be signed out
}

// May tells whether the reader has a right; templates ask it, too.
func (v *Visit) May(right access.Right) bool { return v.User.Role.May(right) }

// Exchange is one request and its answer.
type Exchange struct {
	W       http.ResponseWriter
	R       *http.Request
	Visit   *Visit
	server  *Server
	section *Section
}

// Say is a text in the reader's language.
func (x *Exchange) Say(key string, args ...any) string { return words.Say(x.Visit.Lang, key, args...) }

// Has tells whether there is a section of this name that the reader may see: others link to it.
func (x *Exchange) Has(section string) bool {
	return slices.ContainsFunc(x.server.o.Sections,
		func(s Section) bool { return s.Name == section && x.Visit.May(s.Right) })
}

// Render answers with a page.
func (x *Exchange) Render(name string, data any) error {
	return x.RenderStatus(http.StatusOK, name, data)
}

// RenderStatus answers with a page and a status of its own.
func (x *Exchange) RenderStatus(status int, name string, data any) error {
	return x.server.render(x, status, name, data)
}

// Part renders one block of a page's template by itself, for a stream that replaces a part of the
// page.
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

// Audit keeps a row of what the reader did: see audit.Log. Who, from where and when are filled in.
func (x *Exchange) Audit(r audit.Row) error {
	r.Who, r.From, r.AtMs = x.Visit.User.Name, x.Visit.From.String(), time.Now().UnixMilli()
	x.server.o.Logger.Info("console action", "who", r.Who, "from", r.From, "what", r.What, "how_many", r.HowMany,
		"fault", r.Fault)
	if err := x.server.o.Audit.Append(x.R.Context(), r); err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	return nil
}

// Fault is a refusal that the reader sees as a page.
type Fault struct {
	Status int
	Wait   time.Duration // of 429: how long
	Err    error         // for the log; nil: nothing to say
}

func (f *Fault) Error() string {
	if f.Err == nil {
		return http.StatusText(f.Status)
	}
	return fmt.Sprintf("%s: %v", http.StatusText(f.Status), f.Err)
}

func (f *Fault) Unwrap() error { return f.Err }

// NotFound is the fault of what is not there, or is not this reader's to see.
func NotFound() error { return &Fault{Status: http.StatusNotFound} }
