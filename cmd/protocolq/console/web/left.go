// What a redirect leaves for the next page.

package web

import (
	"net/http"
	"net/url"
	"strings"
	"time"
)

const leftCookie = "protocolq_left"

// Bounds of what is left.
const (
	leftFor  = time.Minute
	mostLeft = 512
)

// RedirectWith is Redirect, and leaves words for the next page: see Left.
func (x *Exchange) RedirectWith(path string, words url.Values) error {
	x.leave(path, words.Encode(), leftFor)
	return x.Redirect(path)
}

// Left returns the words that a redirect left for this page, once. They are not in the address, so
// that a page that is reloaded, or a link sent to a colleague, does not repeat what was done. Like
// everything from a browser they may be forged.
func (x *Exchange) Left() url.Values {
	c, err := x.R.Cookie(leftCookie)
	if err != nil || len(c.Value) > mostLeft {
		return nil
	}
	x.leave(x.R.URL.Path, "", -time.Second)
	words, err := url.ParseQuery(c.Value)
	if err != nil {
		return nil
	}
	return words
}

// leave sets the cookie of a page.
func (x *Exchange) leave(path, value string, life time.Duration) {
	path, _, _ = strings.Cut(path, "?")
	http.SetCookie(x.W, &http.Cookie{Name: leftCookie, Value: value, Path: path, MaxAge: int(life / time.Second),
		HttpOnly: true, Secure: x.Visit.HTTPS, SameSite: http.SameSiteLaxMode})
}
