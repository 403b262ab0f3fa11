// The headers of every response, and the requests that are refused before they reach a page.

package web

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"runtime/debug"
	"sync"
)

const reportPath = "/csp-report"

// policy lets the page load only what this server serves: no inline script or style, and no frame
// around it.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; " +
	"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; report-uri " + reportPath

// guarded wraps the pages in middleware. A request meets the outermost first.
func (s *Server) guarded(pages http.Handler) (http.Handler, error) {
	sameOrigin := http.NewCrossOriginProtection()
	if s.o.URL != nil {
		origin := (&url.URL{Scheme: s.o.URL.Scheme, Host: s.o.URL.Host}).String()
		if err := sameOrigin.AddTrustedOrigin(origin); err != nil {
			return nil, fmt.Errorf("console-url: %w", err)
		}
	}
	sameOrigin.AddInsecureBypassPattern("POST " + reportPath) // browsers send it without an origin
	sameOrigin.SetDenyHandler(s.fault(http.StatusForbidden))
	return s.recovered(s.headers(s.known(bounded(sameOrigin.Handler(pages))))), nil
}

// fault answers with the page of a refusal.
func (s *Server) fault(status int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.refuse(&Exchange{W: w, R: r, server: s, Visit: s.visit(r)}, &Fault{Status: status})
	})
}

func (s *Server) headers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")        // for browsers before frame-ancestors
		h.Set("Referrer-Policy", "same-origin") // addresses of look-ups stay here
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
		if s.https(r) {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		next.ServeHTTP(w, r)
	})
}

// known refuses foreign names for this machine if there are no users. A page of another site whose
// name has been pointed to 127.0.0.1 would be same-origin with this page.
func (s *Server) known(next http.Handler) http.Handler {
	if s.o.Users != nil {
		return next
	}
	refused := s.fault(http.StatusMisdirectedRequest)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = r.Host
		}
		address, err := netip.ParseAddr(host)
		if host == "localhost" || err == nil && address.IsLoopback() || s.o.URL != nil && r.Host == s.o.URL.Host {
			next.ServeHTTP(w, r)
			return
		}
		refused.ServeHTTP(w, r)
	})
}

func bounded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, mostBody)
		next.ServeHTTP(w, r)
	})
}

// recovered keeps a panic in one page from ending the process.
func (s *Server) recovered(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if p := recover(); p != nil && p != http.ErrAbortHandler { //nolint:errorlint // as net/http compares it
				// Its value may be personal.
				s.o.Logger.Error("console page panicked", "path", r.Pattern, "type", fmt.Sprintf("%T", p), "stack",
					string(debug.Stack()))
				w.WriteHeader(http.StatusInternalServerError)
			} else if p != nil {
				panic(p)
			}
		}()
		next.ServeHTTP(w, r)
	})
}

// reports counts what browsers refused because of the policy, and keeps the last few.
type reports struct {
	mu   sync.Mutex // guards last
	last []string
}

const mostReports = 20

// report takes a browser's report of what the policy kept off a page: either a fault of the page or
// an attack.
func (s *Server) report(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Report struct {
			Directive string `json:"effective-directive"`
			Blocked   string `json:"blocked-uri"`
			Document  string `json:"document-uri"`
		} `json:"csp-report"`
	}
	if err := json.NewDecoder(io.LimitReader(r.Body, 8<<10)).Decode(&body); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	document, _ := url.Parse(body.Report.Document)
	path := ""
	if document != nil {
		path = document.Path
	}
	s.reports.mu.Lock()
	first := len(s.reports.last) < mostReports
	if first {
		s.reports.last = append(s.reports.last,
			fmt.Sprintf("%.100s %.200s on %.100s", body.Report.Directive, body.Report.Blocked, path))
	}
	s.reports.mu.Unlock()
	if first { // otherwise such requests would fill the log
		s.o.Logger.Warn("a browser kept something off a page", "directive",
			fmt.Sprintf("%.100s", body.Report.Directive), "path", fmt.Sprintf("%.100s", path))
	}
	w.WriteHeader(http.StatusNoContent)
}

// Reports are the first reports of the policy's refusals: tests expect none.
func (s *Server) Reports() []string {
	s.reports.mu.Lock()
	defer s.reports.mu.Unlock()
	return append([]string(nil), s.reports.last...)
}
