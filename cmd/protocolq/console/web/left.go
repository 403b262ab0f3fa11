// What a redirect leaves for the page that follows.

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

// RedirectWith is Redirect, and leaves words for the page that follows: see Left.
func (x *Exchange) RedirectWith(path string, words url.Values) error {
	x.leave(path, words.Encode(), leftFor)
	return x.Redirect(path)
}

// Left are the words that a redirect left for this page, given once. They are in no address: a page
// that is loaded again, or whose address is sent to a colleague, does not say what was done. As
// whatever comes from a browser they may be made up.
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
