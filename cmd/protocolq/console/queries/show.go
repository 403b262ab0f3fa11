// One query: its result, the meaning of the result, and everything that happened to the query.

package queries

import (
	"cmp"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"time"

	"protocolq/cmd/protocolq/console/web"
	"protocolq/cmd/protocolq/console/words"
	"protocolq/cmd/protocolq/explain"
	"protocolq/cmd/protocolq/logdb"
	"protocolq/worker/querylog/database"
)

// showView is the data of the page of one id: a story for each run of it.
type showView struct {
	ID      string
	Stories []storyView
}

// storyView is one run, or one ask without a run.
type storyView struct {
	database.Story

	Head    head
	Explain explained
	Moments []moment // the newest first
	JSON    string
}

// head is the result of the story.
type head struct {
	Outcome, Tone, Code, Class   string
	Email, Account, Partner      string
	Run, Worker, Verified, Trace string
	Debit, Refund                *bool // nil: not known
	Deaths, Attempts, Askers     int
	At                           time.Time
	Took                         time.Duration
}

// explained is the meaning of a code, in the reader's language.
type explained struct{ Meaning, Do, Who, Again string }

// moment is one line of the timeline.
type moment struct {
	logdb.Moment

	After  time.Duration // since the first moment
	Tone   string
	Phases []phase
	Code   explained
}

// phase is one phase of a call, with its share of a bar of 100.
type phase struct {
	Name     string
	Took     time.Duration
	From, To float64
}

// Width is the phase's share of the bar.
func (p phase) Width() float64 { return max(p.To-p.From, 0.6) }

// When is when it happened.
func (m moment) When() time.Time { return time.UnixMilli(m.AtMs) }

// Total is how long the call took.
func (m moment) Total() time.Duration { return time.Duration(m.Call.TotalUs) * time.Microsecond }

func (s *section) show(x *web.Exchange) error {
	id := x.R.PathValue("id")
	if len(id) > mostText {
		return web.NotFound()
	}
	db, err := s.o.Database(x.R.Context())
	if err != nil {
		return &web.Fault{Status: http.StatusServiceUnavailable, Err: err}
	}
	stories, err := db.Show(x.R.Context(), id, append(s.o.Hasher.Requests(id), id))
	if errors.Is(err, database.ErrUnknownID) {
		return web.NotFound()
	}
	if err != nil {
		return &web.Fault{Status: http.StatusServiceUnavailable, Err: err}
	}
	v := showView{ID: id}
	for i := range stories {
		v.Stories = append(v.Stories, view1(x.Visit.Lang, &stories[i]))
	}
	return x.Render("query.html", v)
}

// view1 makes the page's data from one story.
func view1(l words.Lang, s *database.Story) storyView {
	v := storyView{Story: *s, Head: headOf(s)}
	if v.Head.Code != "" {
		v.Explain = explain1(l, v.Head.Code)
	}
	moments := logdb.Timeline(s)
	for i := range moments {
		v.Moments = append(v.Moments, momentOf(l, &moments[i], moments[0].AtMs))
	}
	slices.Reverse(v.Moments)
	data, err := json.MarshalIndent(s, "", "  ")
	if err == nil {
		v.JSON = string(data)
	}
	return v
}

func headOf(s *database.Story) head {
	h := head{Askers: len(s.Asks)}
	if len(s.Asks) > 0 {
		a := s.Asks[0]
		h.Outcome, h.Code, h.Email, h.Account = a.Outcome, a.Code, a.Email, a.Account
		h.Partner, h.Run, h.Trace = a.Partner, a.Run, a.Trace
		h.At, h.Took = time.UnixMilli(a.AtMs), time.Duration(a.TookMs)*time.Millisecond
	}
	if r := s.Run; r != nil {
		h.Outcome, h.Code, h.Class, h.Email, h.Account = r.Outcome, r.Code, r.Class, r.Email, r.Account
		h.Partner, h.Run = r.Partner, r.ID
		h.Worker, h.Verified, h.Debit, h.Refund = r.Worker, r.Verified, r.Debit, r.Refund
		h.Deaths, h.Attempts = r.Deaths, len(r.Calls)
		h.At, h.Took = time.UnixMilli(r.AtMs), time.Duration(r.TookMs)*time.Millisecond
	}
	h.Tone = tone(h.Outcome)
	return h
}

func explain1(l words.Lang, code string) explained {
	e := explain.Find(code)
	if l == words.Chinese {
		return explained{e.MeaningZH, e.DoZH, e.WhoZH, e.AgainZH}
	}
	return explained{e.MeaningEN, e.DoEN, e.WhoEN, e.AgainEN}
}

func momentOf(l words.Lang, m *logdb.Moment, first int64) moment {
	v := moment{Moment: *m, After: time.Duration(m.AtMs-first) * time.Millisecond, Tone: "idle"}
	switch m.Kind {
	case logdb.Called:
		switch c := m.Call; {
		case c.Cut:
			v.Tone = "warn"
		case c.Code == "":
			v.Tone = "good"
		default:
			v.Code = explain1(l, c.Code)
			v.Tone = map[bool]string{true: "idle",
				false: "warn"}[cmp.Or(c.Class, explain.Find(c.Code).Class.String()) == "Biz" || c.Class == "biz"]
		}
		v.Phases = phases(m.Call)
	case logdb.Stored:
		v.Tone = tone(m.Run.Outcome)
	case logdb.Replied:
		v.Tone = tone(m.Ask.Outcome)
	}
	return v
}

// phases divides a call into its phases. What remains between them and the whole is the last wait.
func phases(c *database.Call) []phase {
	total := max(c.TotalUs, 1)
	var list []phase
	at := int64(0)
	for _, p := range []struct {
		name string
		us   int64
	}{{"dns", c.DNSUs}, {"connect", c.ConnectUs}, {"tls", c.TLSUs}, {"first", c.FirstByteUs}, {"body", c.BodyUs}} {
		if p.us <= 0 {
			continue
		}
		from := at
		at = min(at+p.us, total)
		list = append(list, phase{p.name, time.Duration(p.us) * time.Microsecond, 100 * float64(from) / float64(total),
			100 * float64(at) / float64(total)})
	}
	return list
}
