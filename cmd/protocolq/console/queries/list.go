// The list: one page of queries, newest first, with a count for the filter.

package queries

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"time"

	"protocolq/cmd/protocolq/cli"
	"protocolq/cmd/protocolq/console/web"
	"protocolq/messages"
	"protocolq/worker/querylog/database"
)

// How much the list shows, and how long a reader waits for it.
const (
	perPage      = 50
	countedUpTo  = 1000 // rows to count where no counter has the number
	searchTime   = 2 * time.Second
	countTime    = 300 * time.Millisecond
	mostPartners = 200 // partners to choose from in the form
)

// listView is the data of the list's template.
type listView struct {
	Filter       Filter
	Typed, Kind  string
	Fault        string
	NoLog, NoKey bool
	Rows         []row
	Tally        database.Tally
	Looked       time.Time // the time back to which was searched, if the search ran out of time
	Older, Newer string    // addresses of the pages before and after this one
	First        string    // the first page of the list, if this is another
	Partners     []string
	Views        []view
	At           string // this list's address, as a saved view keeps it
}

// row is one line of the list.
type row struct {
	database.Ask
	Link, Tone string
}

// Took is how long the asker waited.
func (r row) Took() time.Duration { return time.Duration(r.TookMs) * time.Millisecond }

// When is when the ask arrived.
func (r row) When() time.Time { return time.UnixMilli(r.AtMs) }

// The choices of the form, for its template.
func (listView) Spans() []string    { return spans }
func (listView) Slownes() []string  { return slownes }
func (listView) Outcomes() []string { return outcomes }
func (listView) Kinds() []string    { return kinds }

// Filtered reports whether the filter excludes anything.
func (v listView) Filtered() bool { return len(v.Filter.Values()) > 0 }

// Open reports whether to show the choices below the search field.
func (v listView) Open() bool { return v.Filter.Since != "" || v.Filter.Until != "" }

// tone is the colour of an outcome.
func tone(outcome string) string {
	switch messages.Outcome(outcome) {
	case messages.Signed, messages.Accepted:
		return "good"
	case messages.NotSigned:
		return "idle"
	case messages.Abnormal, messages.Unknown:
		return "warn"
	}
	return "bad"
}

func (s *section) list(x *web.Exchange) error {
	values := x.R.URL.Query()
	at, err := database.ParseCursor(values.Get("at"))
	values.Del("at")
	var f Filter
	if err == nil {
		f, err = parse(values, time.Now())
	}
	if err != nil {
		return &web.Fault{Status: http.StatusBadRequest, Err: err}
	}
	return s.showList(x, http.StatusOK, listView{Filter: f}, at)
}

func (s *section) showList(x *web.Exchange, status int, v listView, at database.Cursor) error {
	address := v.Filter.Values()
	v.NoKey, v.At = s.o.Hasher == nil, address.Encode()
	v.Views = append(builtIn(x), views(x)...)
	v.Kind = cmp.Or(v.Kind, "auto")
	db, err := s.o.Database(x.R.Context())
	if errors.Is(err, ErrNoLog) {
		v.NoLog = true
		return x.RenderStatus(status, "queries.html", v)
	}
	if err != nil {
		return &web.Fault{Status: http.StatusServiceUnavailable, Err: err}
	}
	if err := s.read(x, db, &v, at); err != nil {
		return err
	}
	return x.RenderStatus(status, "queries.html", v)
}

// read fills in what the database returns.
func (s *section) read(x *web.Exchange, db *database.DB, v *listView, at database.Cursor) error {
	ctx := x.R.Context()
	found, err := db.Search(ctx, v.Filter.Filter, at, perPage, searchTime)
	if err != nil {
		return &web.Fault{Status: http.StatusServiceUnavailable, Err: err}
	}
	for _, a := range found.Asks {
		v.Rows = append(v.Rows,
			row{Ask: a, Tone: tone(a.Outcome), Link: "/queries/" + url.PathEscape(cmp.Or(a.Run, a.Token))})
	}
	v.Looked = found.Until
	v.Older, v.Newer = s.address(v, found.Next), s.address(v, found.Previous)
	if at != (database.Cursor{}) {
		v.First = "/queries?" + v.At
	}
	if v.Tally, err = db.Tally(ctx, v.Filter.Filter, countedUpTo, countTime); err != nil {
		s.o.Logger.Warn("queries not counted", "err", err)
	}
	if v.Partners, err = db.Partners(ctx); err != nil {
		s.o.Logger.Warn("partners not listed", "err", err)
	}
	v.Partners = v.Partners[:min(len(v.Partners), mostPartners)]
	return nil
}

// address is the address of the page at a place of the list, "" for none.
func (s *section) address(v *listView, at database.Cursor) string {
	if at == (database.Cursor{}) {
		return ""
	}
	values := v.Filter.Values()
	values.Set("at", at.String())
	return "/queries?" + values.Encode()
}

// find turns the form into an address. The form is posted: if the browser made an address of the
// form, it would hold what the reader typed.
func (s *section) find(x *web.Exchange) error {
	if err := x.R.ParseForm(); err != nil {
		return &web.Fault{Status: http.StatusBadRequest, Err: err}
	}
	chosen := url.Values{}
	for _, name := range []string{"partner", "outcome", "code", "span", "since", "until", "slow", "email", "account",
		"key", "run"} {
		if value := x.R.PostForm.Get(name); value != "" {
			chosen.Set(name, value)
		}
	}
	if ids := x.R.PostForm["id"]; len(ids) > 0 {
		chosen["id"] = ids
	}
	v := listView{Typed: x.R.PostForm.Get("text"), Kind: x.R.PostForm.Get("kind")}
	var err error
	if v.Filter, err = parse(chosen, time.Now()); err != nil {
		v.Fault = x.Say(faultFilter)
	} else if fault := v.Filter.typed(v.Kind, v.Typed, s.o.Hasher); fault != "" {
		v.Fault = x.Say(fault)
	}
	if v.Fault != "" {
		return s.showList(x, http.StatusUnprocessableEntity, v, database.Cursor{})
	}
	if address := v.Filter.Values().Encode(); address != "" {
		return x.Redirect("/queries?" + address)
	}
	return x.Redirect("/queries")
}

// Counted is the tally in readable digits.
func (v listView) Counted() string { return cli.Grouped(v.Tally.N) }

// Hidden are the parts of the filter that have no field in the form. So the person of the search
// stays the same until the reader types another one.
func (v listView) Hidden() map[string][]string {
	hidden := map[string][]string{}
	for name, list := range v.Filter.Values() {
		switch name {
		case "email", "account", "key", "id", "run":
			hidden[name] = list
		}
	}
	return hidden
}

// Export is the address of the whole list as a file.
func (v listView) Export(format string) string {
	values := v.Filter.Values()
	values.Set("format", format)
	return "/queries/export?" + values.Encode()
}
