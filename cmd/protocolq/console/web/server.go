// The server: sections in, an http.Handler out.

package web

import (
	"cmp"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"time"

	"protocolq/cmd/protocolq/console/access"
	"protocolq/cmd/protocolq/console/audit"
)

// Options say how to serve. The zero value of a field is its default.
type Options struct {
	Sections []Section
	// Users is nil if everybody on this machine is an operator.
	Users  *access.Users
	Sealer *access.Sealer // nil: a key of its own
	Audit  audit.Log      // nil: in memory
	Logger *slog.Logger
	// URL is the address for readers, if it is not the address on which the server listens.
	URL *url.URL
	// Proxies are trusted to name the user, in the header Header.
	Proxies []netip.Prefix
	Header  string
	// SignOn is the organisation's own sign-in; nil: there is none.
	SignOn SignOn
}

// Server is the page.
type Server struct {
	o         Options
	throttle  *access.Throttle
	templates templates
	tabs      tabs
	reports   *reports
	handler   http.Handler
}

// mostBody bounds the body of a request.
const mostBody = 64 << 10

// New makes a Server. The error names a template or a page that is wrong.
func New(o Options) (*Server, error) {
	if o.Sealer == nil {
		o.Sealer, _ = access.NewSealer(nil) // its own key is long enough
	}
	if o.Audit == nil {
		o.Audit = audit.Memory()
	}
	o.Logger = cmp.Or(o.Logger, slog.New(slog.DiscardHandler))
	s := &Server{o: o, throttle: access.NewThrottle(), reports: &reports{}}
	own := s.ownSection()
	var err error
	if s.templates, err = parseTemplates(append([]Section{own}, o.Sections...)); err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /static/", assets)
	mux.HandleFunc("POST "+reportPath, s.report)
	s.add(mux, &own)
	for i := range o.Sections {
		s.add(mux, &o.Sections[i])
	}
	mux.HandleFunc("/", s.page(&own, access.Anyone, func(*Exchange) error { return NotFound() }))
	s.handler, err = s.guarded(mux)
	return s, err
}

func (s *Server) add(mux *http.ServeMux, section *Section) {
	for _, p := range section.Pages {
		mux.HandleFunc(p.Pattern, s.page(section, p.Right, p.Handle))
	}
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// page finds out who the reader is, and whether the reader may see the page, before the handler
// runs.
func (s *Server) page(section *Section, right access.Right, handle Handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		x := &Exchange{W: w, R: r, server: s, section: section, Visit: s.visit(r)}
		switch known := x.Visit.User.Name != ""; {
		case x.Visit.May(right):
			s.finish(x, handle(x))
		case known:
			s.finish(x, &Fault{Status: http.StatusForbidden})
		case r.Method == http.MethodGet:
			http.Redirect(w, r, "/sign-in?next="+url.QueryEscape(r.URL.RequestURI()), http.StatusSeeOther)
		default:
			http.Redirect(w, r, "/sign-in", http.StatusSeeOther)
		}
	}
}

// finish shows an error as a page.
func (s *Server) finish(x *Exchange, err error) {
	if err == nil || x.R.Context().Err() != nil {
		return
	}
	fault := &Fault{Status: http.StatusInternalServerError}
	var tooLarge *http.MaxBytesError
	if !errors.As(err, &fault) && errors.As(err, &tooLarge) {
		fault = &Fault{Status: http.StatusRequestEntityTooLarge}
	}
	if fault.Status >= http.StatusInternalServerError {
		s.o.Logger.Error("console page failed", "path", x.R.Pattern, "err", err)
	}
	s.refuse(x, fault)
}

// refuse renders the page of a fault.
func (s *Server) refuse(x *Exchange, f *Fault) {
	status := strconv.Itoa(f.Status)
	data := struct {
		Status string
		Wait   time.Duration
	}{status, f.Wait.Round(time.Second)}
	if f.Wait > 0 {
		x.W.Header().Set("Retry-After", strconv.Itoa(max(int(f.Wait/time.Second), 1)))
	}
	if err := s.render(x, f.Status, "fault.html", data); err != nil {
		s.o.Logger.Error("console page failed", "path", x.R.Pattern, "err", err)
	}
}
