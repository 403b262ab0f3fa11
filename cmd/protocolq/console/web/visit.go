// Who the reader is: by a session, by a trusted proxy, or anybody if there are no users.

package web

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"protocolq/cmd/protocolq/console/access"
	"protocolq/cmd/protocolq/console/words"
)

const (
	sessionCookie = "protocolq_session"
	langCookie    = "protocolq_lang"
	themeCookie   = "protocolq_theme"
)

// visit reads all of it from one request.
func (s *Server) visit(r *http.Request) *Visit {
	v := &Visit{Lang: words.Preferred(r.Header), Theme: "auto", From: s.from(r), HTTPS: s.https(r)}
	if c, err := r.Cookie(langCookie); err == nil {
		if l, ok := words.Parse(c.Value); ok {
			v.Lang = l
		}
	}
	if c, err := r.Cookie(themeCookie); err == nil && slices.Contains(themes, c.Value) {
		v.Theme = c.Value
	}
	if s.o.Users == nil {
		v.Local, v.User = true, access.User{Name: "local", Role: access.Operator}
		return v
	}
	if s.proxied(r) && s.o.Header != "" {
		// If there are two names, the browser may have sent one: some proxies add their header to those
		// that are there.
		if names := r.Header.Values(s.o.Header); len(names) == 1 {
			if u, ok := s.o.Users.Find(names[0]); ok {
				v.User = u
				return v
			}
		}
	}
	if c, err := r.Cookie(sessionCookie); err == nil {
		if u, ok := s.o.Sealer.Resume(s.o.Users, c.Value, time.Now()); ok {
			v.User, v.session = u, true
		}
	}
	return v
}

// peer is the other end of the connection.
func peer(r *http.Request) netip.Addr {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return at.Addr().Unmap()
}

// proxied reports whether the request comes from a trusted proxy.
func (s *Server) proxied(r *http.Request) bool { return s.trusts(peer(r)) }

func (s *Server) trusts(a netip.Addr) bool {
	return slices.ContainsFunc(s.o.Proxies, func(p netip.Prefix) bool { return p.Contains(a) })
}

// from is the browser's address: the last address in X-Forwarded-For that is not a trusted proxy.
// The browser may have made up all addresses before it.
func (s *Server) from(r *http.Request) netip.Addr {
	at := peer(r)
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && s.trusts(at); i-- {
		before, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		at = before.Unmap()
	}
	return at
}

// https reports whether the browser uses TLS, with us or with the proxy. If readers are to come by
// https, a cookie must not go out over http, whatever the proxy says.
func (s *Server) https(r *http.Request) bool {
	return s.o.URL != nil && s.o.URL.Scheme == "https" ||
		s.proxied(r) && r.Header.Get("X-Forwarded-Proto") == "https" || r.TLS != nil
}

// SetCookie sets a cookie that scripts cannot read and that other sites cannot send along with a
// form.
func (x *Exchange) SetCookie(name, value string, life time.Duration) {
	http.SetCookie(x.W, &http.Cookie{Name: name, Value: value, Path: "/", MaxAge: int(life / time.Second),
		HttpOnly: true, Secure: x.Visit.HTTPS, SameSite: http.SameSiteLaxMode})
}
