// The list of dead letters, and the page of one dead letter.

package letters

import (
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"protocolq/cmd/protocolq/cli"
	"protocolq/cmd/protocolq/console/access"
	"protocolq/cmd/protocolq/console/audit"
	"protocolq/cmd/protocolq/console/web"
	"protocolq/cmd/protocolq/console/words"
	"protocolq/cmd/protocolq/dead"
	"protocolq/cmd/protocolq/explain"
	"protocolq/cmd/protocolq/settings"
	"protocolq/messages"
	"protocolq/worker/querylog"
)

const (
	span       = 20_000 // the newest sequences are searched
	mostShown  = 200
	mostActed  = 5000 // letters in one action
	mostAudits = 20
)

// filter is the filter of an address. For a person it holds the look-up ids of the query log.
type filter struct {
	Reason, Partner, Person string
}

var errFilter = errors.New("not a filter that this page writes")

func parse(v url.Values) (f filter, err error) {
	f = filter{v.Get("reason"), v.Get("partner"), v.Get("person")}
	if f.Reason != "" && !slices.Contains(dead.Reasons(), f.Reason) ||
		f.Partner != "" && settings.CheckPartnerID(f.Partner) != nil {
		return f, errFilter
	}
	for id := range strings.SplitSeq(f.Person, ",") {
		if _, err := hex.DecodeString(id); err != nil ||
			len(id) != hex.EncodedLen(len(querylog.LookUp{})) && f.Person != "" {
			return f, errFilter
		}
	}
	return f, nil
}

// Values returns the filter as it stands in an address.
func (f filter) Values() url.Values {
	v := url.Values{}
	for name, value := range map[string]string{"reason": f.Reason, "partner": f.Partner, "person": f.Person} {
		if value != "" {
			v.Set(name, value)
		}
	}
	return v
}

// of makes the filter of letters. It finds a person by the same keyed hash as the query log.
func (s *section) of(f filter) dead.Filter {
	d := dead.Filter{Reason: f.Reason, Partner: f.Partner}
	if f.Person != "" {
		wanted := strings.Split(f.Person, ",")
		d.Matches = func(q *messages.Query) bool {
			return s.o.Hasher != nil && (slices.Contains(wanted, s.o.Hasher.Email(q.UserEmail).LookUp().String()) ||
				slices.Contains(wanted, s.o.Hasher.Account(q.AccountNo).LookUp().String()))
		}
	}
	return d
}

// listView is the data of the list's template.
type listView struct {
	Filter        filter
	Fault         string
	NoKey         bool
	Letters       []dead.Letter
	Count         int // of all letters that the filter selects
	Partial, Act  bool
	Done          string // the result of the last action
	Audits        []audit.Row
	Reasons       []string
	Partners      []string
	PersonChosen  bool
	Now           time.Time
	Shown, Actual string
}

// Filtered reports whether the filter excludes anything.
func (v listView) Filtered() bool { return len(v.Filter.Values()) > 0 }

func (s *section) list(x *web.Exchange) error {
	f, err := parse(x.R.URL.Query())
	if err != nil {
		return &web.Fault{Status: http.StatusBadRequest, Err: err}
	}
	return s.showList(x, http.StatusOK, listView{Filter: f, Done: done(x)})
}

func (s *section) showList(x *web.Exchange, status int, v listView) error {
	found, err := s.o.Box.Find(x.R.Context(), s.of(v.Filter), span)
	if err != nil {
		return &web.Fault{Status: http.StatusServiceUnavailable, Err: err}
	}
	v.Count, v.Partial = len(found.Letters), found.Partial
	v.Letters = found.Letters[:min(len(found.Letters), mostShown)]
	v.Shown, v.Actual = cli.Grouped(int64(len(v.Letters))), cli.Grouped(int64(v.Count))
	v.Act, v.NoKey, v.PersonChosen = x.Visit.May(access.Act), s.o.Hasher == nil, v.Filter.Person != ""
	v.Reasons, v.Partners = dead.Reasons(), s.o.Partners
	if v.Audits, err = s.o.Audit.Recent(x.R.Context(), mostAudits); err != nil {
		s.o.Logger.Warn("audit rows not read", "err", err)
	}
	return x.RenderStatus(status, "letters.html", v)
}

// find turns the form into an address that holds no personal data.
func (s *section) find(x *web.Exchange) error {
	f, err := parse(url.Values{"reason": {x.R.PostFormValue("reason")}, "partner": {x.R.PostFormValue("partner")}})
	if err != nil {
		return &web.Fault{Status: http.StatusBadRequest, Err: err}
	}
	if who := strings.TrimSpace(x.R.PostFormValue("who")); who != "" {
		if s.o.Hasher == nil {
			return s.showList(x, http.StatusUnprocessableEntity, listView{Filter: f, Fault: x.Say("queries.nokey")})
		}
		f.Person = s.o.Hasher.Email(who).LookUp().String() + "," + s.o.Hasher.Account(who).LookUp().String()
	}
	return x.Redirect("/letters?" + f.Values().Encode())
}

// showView is the data of the page of one letter.
type showView struct {
	dead.Letter

	Act, MayReveal bool
	Revealed       *messages.Query
	Late           bool
	Fault          string
	Meaning, Do    string // for the last code
}

func (s *section) letter(x *web.Exchange) (showView, error) {
	seq, err := strconv.ParseUint(x.R.PathValue("seq"), 10, 64)
	if err != nil || seq == 0 {
		return showView{}, web.NotFound()
	}
	l, err := s.o.Box.Get(x.R.Context(), seq)
	if errors.Is(err, dead.ErrGone) {
		return showView{}, web.NotFound()
	}
	if err != nil {
		return showView{}, &web.Fault{Status: http.StatusServiceUnavailable, Err: err}
	}
	v := showView{Letter: l, Act: x.Visit.May(access.Act), MayReveal: x.Visit.May(access.Reveal) &&
		l.Unreadable == nil, Late: l.Late(time.Now())}
	if l.LastCode != "" {
		e := explain.Find(l.LastCode)
		if v.Meaning, v.Do = e.MeaningEN, e.DoEN; x.Visit.Lang == words.Chinese {
			v.Meaning, v.Do = e.MeaningZH, e.DoZH
		}
	}
	return v, nil
}

func (s *section) show(x *web.Exchange) error {
	v, err := s.letter(x)
	if err != nil {
		return err
	}
	return x.Render("letter.html", v)
}

// reveal shows the person of a letter to a user who has the right and gives a reason. It writes the
// audit row first.
func (s *section) reveal(x *web.Exchange) error {
	v, err := s.letter(x)
	if err != nil {
		return err
	}
	reason := strings.TrimSpace(x.R.PostFormValue("reason"))
	if reason == "" || len(reason) > mostReason {
		v.Fault = x.Say("letters.reveal.why")
		return x.RenderStatus(http.StatusUnprocessableEntity, "letter.html", v)
	}
	if err := x.Audit(audit.Row{What: "reveal", On: "dead letter " + strconv.FormatUint(v.Seq, 10), HowMany: 1,
		Reason: messages.MaskText(reason)}); err != nil {
		return err
	}
	q := v.Raw()
	v.Revealed = &q
	return x.Render("letter.html", v)
}
