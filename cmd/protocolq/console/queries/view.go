// Saved views: named filters that the reader's browser keeps. A view holds no personal data,
// because an address holds none.

package queries

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"protocolq/cmd/protocolq/console/web"
)

// view is a filter with a name.
type view struct {
	Name  string `json:"n"`
	Query string `json:"q"`
	Own   bool   `json:"-"` // the reader's own, which the reader can remove
}

// Link is the address of the view.
func (v view) Link() string { return "/queries?" + v.Query }

const (
	viewsCookie = "protocolq_views"
	mostViews   = 12
	mostName    = 40
	mostCookie  = 3500 // bytes: browsers take 4096 with name and attributes
	viewsLife   = 365 * 24 * time.Hour
)

// builtIn are the views that every reader has.
func builtIn(x *web.Exchange) []view {
	return []view{
		{Name: x.Say("queries.view.unknown"), Query: "outcome=unknown&span=24h"},
		{Name: x.Say("queries.view.refused"), Query: "outcome=refused&span=24h"},
		{Name: x.Say("queries.view.slow"), Query: "slow=2s&span=24h"},
	}
}

// views are the reader's own views.
func views(x *web.Exchange) (list []view) {
	c, err := x.R.Cookie(viewsCookie)
	if err != nil || len(c.Value) > mostCookie {
		return nil
	}
	return readViews(c.Value)
}

func readViews(text string) (list []view) {
	data, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || json.Unmarshal(data, &list) != nil {
		return nil
	}
	list = slices.DeleteFunc(list, func(v view) bool { return !v.right() })
	for i := range list {
		list[i].Own = true
	}
	return list[:min(len(list), mostViews)]
}

// right reports whether this page would keep the view.
func (v view) right() bool {
	values, err := url.ParseQuery(v.Query)
	if err == nil {
		_, err = parse(values, time.Now())
	}
	return err == nil && v.Name != "" && len([]rune(v.Name)) <= mostName
}

// kept adds a view, or replaces one of the same name, or removes it; ok is false if there is no
// room.
func kept(list []view, v view, remove bool) (text string, ok bool) {
	list = slices.DeleteFunc(slices.Clone(list), func(was view) bool { return was.Name == v.Name })
	if !remove {
		list = append(list, v)
	}
	data, err := json.Marshal(list)
	text = base64.RawURLEncoding.EncodeToString(data)
	return text, err == nil && len(list) <= mostViews && len(text) <= mostCookie
}

func (s *section) keepView(x *web.Exchange) error {
	v := view{Name: strings.TrimSpace(x.R.PostFormValue("name")), Query: x.R.PostFormValue("query")}
	if !v.right() {
		return &web.Fault{Status: http.StatusBadRequest}
	}
	text, ok := kept(views(x), v, x.R.PostFormValue("do") == "remove")
	if !ok {
		return &web.Fault{Status: http.StatusRequestEntityTooLarge}
	}
	http.SetCookie(x.W,
		&http.Cookie{Name: viewsCookie, Value: text, Path: "/queries", MaxAge: int(viewsLife / time.Second),
			HttpOnly: true, Secure: x.Visit.HTTPS, SameSite: http.SameSiteLaxMode})
	return x.Redirect("/queries?" + v.Query)
}
