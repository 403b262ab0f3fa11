// The server's own pages: sign-in, sign-out, language and appearance.

package web

import (
	"embed"
	"errors"
	"io/fs"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"protocolq/cmd/protocolq/console/access"
	"protocolq/cmd/protocolq/console/audit"
	"protocolq/cmd/protocolq/console/words"
)

//go:embed all:templates
var ownTemplates embed.FS

var themes = []string{"auto", "light", "dark"}

// SignOn is the sign-in of the organisation: it sends the browser away, and says who comes back.
type SignOn interface {
	// Begin sends the browser away.
	Begin(x *Exchange, next string) error
	// End returns the name that the organisation vouches for, and the page that the browser wanted.
	End(x *Exchange) (name, next string, err error)
}

func (s *Server) ownSection() Section {
	templates, err := fs.Sub(ownTemplates, "templates")
	if err != nil {
		panic(err) // embedded
	}
	return Section{Name: "own", Templates: templates, Pages: []Page{
		{"GET /sign-in", access.Anyone, s.signInPage},
		{"POST /sign-in", access.Anyone, s.signIn},
		{"POST /sign-out", access.Anyone, s.signOut},
		{"GET /sign-on", access.Anyone, s.signOnBegin},
		{"GET /sign-on/back", access.Anyone, s.signOnEnd},
		{"POST /preferences", access.Anyone, preferences},
	}}
}

// signInView is the data of the sign-in page.
type signInView struct {
	Next, Name, Fault string
	SignOn            bool
	Ended             bool
}

func (s *Server) signInPage(x *Exchange) error {
	next := localPath(x.R.FormValue("next"))
	if x.Visit.User.Name != "" {
		return x.Redirect(next)
	}
	return x.Render("signin.html",
		signInView{Next: next, SignOn: s.o.SignOn != nil, Ended: x.Left().Has("ended")})
}

func (s *Server) signIn(x *Exchange) error {
	if s.o.Users == nil {
		return x.Redirect("/")
	}
	view := signInView{Next: localPath(x.R.PostFormValue("next")), Name: x.R.PostFormValue("name"),
		SignOn: s.o.SignOn != nil}
	if wait := s.throttle.Try(view.Name, throttled(x.Visit.From), time.Now()); wait > 0 {
		view.Fault = x.Say("signin.wait", words.Roughly(x.Visit.Lang, wait))
		return x.RenderStatus(http.StatusTooManyRequests, "signin.html", view)
	}
	user, ok := s.o.Users.Check(view.Name, x.R.PostFormValue("password"))
	if !ok {
		view.Fault = x.Say("signin.wrong")
		return x.RenderStatus(http.StatusUnauthorized, "signin.html", view)
	}
	s.throttle.Passed(view.Name)
	return s.begin(x, user, view.Next)
}

// begin starts a session, which leaves an audit row.
func (s *Server) begin(x *Exchange, user access.User, next string) error {
	x.Visit.User = user
	if err := x.Audit(audit.Row{What: "sign_in", HowMany: 1}); err != nil {
		return err
	}
	x.SetCookie(sessionCookie, s.o.Sealer.Begin(user, time.Now()), access.SessionLife)
	return x.Redirect(next)
}

// signOut ends the session. With "all" it ends every session of its user.
func (s *Server) signOut(x *Exchange) error {
	if c, err := x.R.Cookie(sessionCookie); err == nil && x.Visit.session {
		s.o.Sealer.End(c.Value, x.R.PostFormValue("all") != "", time.Now())
	}
	x.SetCookie(sessionCookie, "", -1*time.Second)
	return x.RedirectWith("/sign-in", url.Values{"ended": {""}})
}

func (s *Server) signOnBegin(x *Exchange) error {
	if s.o.SignOn == nil {
		return NotFound()
	}
	return s.o.SignOn.Begin(x, localPath(x.R.FormValue("next")))
}

func (s *Server) signOnEnd(x *Exchange) error {
	if s.o.SignOn == nil || s.o.Users == nil {
		return NotFound()
	}
	name, next, err := s.o.SignOn.End(x)
	if err != nil {
		return &Fault{Status: http.StatusForbidden, Err: err}
	}
	user, ok := s.o.Users.Find(name)
	if !ok {
		s.o.Logger.Warn("console sign-in of somebody who is not in the users file", "name", name)
		view := signInView{Next: "/", Fault: x.Say("signin.unknown", name), SignOn: true}
		return x.RenderStatus(http.StatusForbidden, "signin.html", view)
	}
	return s.begin(x, user, localPath(next))
}

// preferences keeps language and appearance in cookies, and returns to the page that asked.
func preferences(x *Exchange) error {
	const year = 365 * 24 * time.Hour
	lang, theme := x.R.PostFormValue("lang"), x.R.PostFormValue("theme")
	l, known := words.Parse(lang)
	switch {
	case known:
		x.SetCookie(langCookie, string(l), year)
	case slices.Contains(themes, theme):
		x.SetCookie(themeCookie, theme, year)
	default:
		return &Fault{Status: http.StatusBadRequest, Err: errors.New("no such language or appearance")}
	}
	return x.Redirect(localPath(x.R.PostFormValue("back")))
}

// localPath returns path if it leads to this server, else the start page. A browser must not be
// sent to what it takes for another host's address.
func localPath(path string) string {
	if !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") || strings.ContainsAny(path, "\\\r\n\t") {
		return "/"
	}
	return path
}

// throttled is the address for counting tries: an IPv6 reader has 2^64 addresses.
func throttled(a netip.Addr) string {
	if a.Is6() {
		if p, err := a.Prefix(64); err == nil {
			return p.String()
		}
	}
	return a.String()
}
