// The pages: the form, the answer, and the page between them.

package lookup

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"time"

	"protocolq/cmd/protocolq/console/access"
	"protocolq/cmd/protocolq/console/web"
	"protocolq/cmd/protocolq/console/words"
	"protocolq/messages"
)

// formView is the data of the start page.
type formView struct {
	Typed    string
	Partner  string
	Partners []string
	Fault    string
	Recent   []row
	Signed   string // how many persons whom the reader watched have signed; "": none
}

// row is one line of the reader's look-ups.
type row struct {
	*lookUp
	Answer Answer
	Done   bool
}

const mostRecent = 8

// quick is how long a page waits for the answer before it shows that the answer is still to come.
const quick = 1200 * time.Millisecond

func (s *section) form(x *web.Exchange) error {
	return s.showForm(x, http.StatusOK, formView{})
}

func (s *section) showForm(x *web.Exchange, status int, v formView) error {
	v.Partners = s.partners(x.Visit.User)
	for _, l := range s.kept.recent(x.Visit.User.Key(), mostRecent) {
		r, done := l.Answered()
		v.Recent = append(v.Recent, row{lookUp: l, Answer: Read(r), Done: done})
	}
	v.Signed = s.signed(x)
	return x.RenderStatus(status, "lookup.html", v)
}

// partners are the partners that a user may ask for.
func (s *section) partners(u access.User) []string { return partnersOf(u, s.o.Partners) }

func partnersOf(u access.User, all []string) []string {
	if len(u.Partners) > 0 {
		return u.Partners
	}
	if u.Role == access.Operator {
		return all
	}
	return nil
}

// May reports whether a user may ask for a partner; "" is the workers' default, which may not be
// one of the partners in the user's row. all are the partners that operators may ask for.
func May(u access.User, all []string, partner string) bool {
	if partner == "" {
		return len(u.Partners) == 0
	}
	return slices.Contains(partnersOf(u, all), partner)
}

// partnerOf is the partner that the question is for; false if the user may not ask for it.
func (s *section) partnerOf(u access.User, wanted string) (string, bool) {
	may := s.partners(u)
	switch {
	case wanted != "":
		return wanted, slices.Contains(may, wanted)
	case len(u.Partners) > 0: // never the workers' default: it may be a partner of others
		return u.Partners[0], true
	}
	return "", true
}

func (s *section) ask(x *web.Exchange) error {
	v := formView{Typed: x.R.PostFormValue("account"), Partner: x.R.PostFormValue("partner")}
	q, status, fault := s.questionOf(x, &v)
	if fault != "" {
		v.Fault = fault
		return s.showForm(x, status, v)
	}
	if wait := s.rates.Take(x.Visit.User.Name, x.Visit.User.PerMinute(), time.Now()); wait > 0 && !x.Visit.Local {
		v.Fault = x.Say("lookup.often", words.Roughly(x.Visit.Lang, wait))
		return s.showForm(x, http.StatusTooManyRequests, v)
	}
	l, err := s.kept.begin(x.R.Context(), x.Visit.User.Key(), q)
	if errors.Is(err, errFull) {
		v.Fault = x.Say("lookup.full")
		return s.showForm(x, http.StatusServiceUnavailable, v)
	}
	select {
	case <-l.done:
		if l.err != nil {
			s.o.Logger.Warn("a look-up was not answered", "by", access.NameOf(l.By), "ref", l.Ref, "err", l.err)
		}
	case <-time.After(quick):
	case <-x.R.Context().Done():
	}
	return x.Redirect("/look-up/" + l.Ref)
}

// questionOf reads the form. fault is the text to show if the question cannot be asked.
func (s *section) questionOf(x *web.Exchange, v *formView) (q messages.Query, status int, fault string) {
	ref := x.R.PostFormValue("ref")
	if ref != "" {
		l := s.find(x, ref)
		if l == nil {
			return q, http.StatusGone, x.Say("lookup.again.gone")
		}
		q = l.Query
		q.ID, v.Partner = "", q.Partner
	} else {
		var err error
		if q, err = question(v.Typed); errors.Is(err, errEmpty) {
			return q, http.StatusUnprocessableEntity, x.Say("lookup.empty")
		} else if err != nil {
			return q, http.StatusUnprocessableEntity, x.Say("lookup.wrong")
		}
	}
	partner, may := s.partnerOf(x.Visit.User, v.Partner)
	if !may {
		return q, http.StatusForbidden, x.Say("lookup.foreign")
	}
	q.Partner, q.MaxAgeMs = partner, nil
	if x.R.PostFormValue("fresh") != "" {
		q.MaxAgeMs = new(int64)
	}
	return q, 0, ""
}

// find returns a look-up that this reader may see: the reader's own, or one of the reader's
// partners.
func (s *section) find(x *web.Exchange, ref string) *lookUp {
	l := s.kept.find(ref)
	if l == nil {
		return nil
	}
	if !May(x.Visit.User, s.o.Partners, l.Query.Partner) {
		return nil
	}
	return l
}

// answerView is the data of the page of one look-up.
type answerView struct {
	*lookUp
	Done    bool
	Answer  Answer
	Result  messages.Result
	AskedAt time.Time
	// Left is how long it is still of no use to ask again.
	Left time.Duration
	// Reached is false if no worker answered.
	Reached       bool
	Waited        time.Duration
	Patience      time.Duration
	Meaning, Does string
	Partner       string
	// Story is the link to the query's story in the query log, for users who may see it.
	Story string
	// Watch reports whether the page offers to tell the reader when the person has signed.
	Watch bool
}

func (s *section) answer(x *web.Exchange) error {
	ref := x.R.PathValue("ref")
	story := ""
	if x.Has("queries") {
		story = "/queries/" + refPrefix + url.PathEscape(ref)
	}
	l := s.find(x, ref)
	switch {
	case l == nil && story != "": // of another or an earlier console: the query log may have it
		return x.Redirect(story)
	case l == nil:
		return web.NotFound()
	}
	r, done := l.Answered()
	v := answerView{lookUp: l, Done: done, Result: r, Answer: Read(r), Waited: time.Since(l.Begun).Round(time.Second),
		Patience: s.o.Patience, Story: story}
	if done {
		v.Reached = l.err == nil
		v.Left = max(v.Answer.Wait-time.Since(l.ended), 0)
		if r.AskedAtMs > 0 {
			v.AskedAt = time.UnixMilli(r.AskedAtMs)
		}
		v.Meaning, v.Does = meaning(r.Code, x.Visit.Lang == words.Chinese)
		v.Partner = r.Partner
		v.Watch = s.watchable(x, v.Answer)
	}
	return x.Render("answer.html", v)
}

// events sends the time that the look-up has taken so far, and then that the answer is there.
func (s *section) events(x *web.Exchange) error {
	l := s.find(x, x.R.PathValue("ref"))
	if l == nil {
		return web.NotFound()
	}
	return x.Stream(250*time.Millisecond, func(send func(string, any) error) (bool, error) {
		if _, done := l.Answered(); done {
			return false, send("done", true)
		}
		waited := time.Since(l.Begun)
		if waited%time.Second > 300*time.Millisecond {
			return true, nil // one line a second is enough
		}
		return true, send("text", x.Say("answer.asking.for", words.Roughly(x.Visit.Lang, waited.Round(time.Second)),
			words.Roughly(x.Visit.Lang, s.o.Patience)))
	})
}
