// The page: the persons that its reader watches, and the results.

package watches

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"protocolq/cmd/protocolq/console/audit"
	"protocolq/cmd/protocolq/console/lookup"
	"protocolq/cmd/protocolq/console/web"
)

// view is the data of the page.
type view struct {
	Watches []row
	Seen    uint64 // the newest sequence of the watches, for the stream
	Note    string // a key of words
	Tone    string
	Fault   string // a key of words: why the page can watch nobody
	Most    int
}

// row is one watch.
type row struct {
	ID, Shown string
	State     string
	Tone      string
	Open      bool
	Answer    lookup.Answer
	LastAt    time.Time // zero: no reply yet
	At        time.Time // of the next question, or of the end
}

// mostShown is how many watches the page lists.
const mostShown = 100

// Notes that can be left for the page, and their colours.
var notes = map[string]string{string(begunNote): "good", string(alreadyNote): "good", "cancelled": "good",
	string(manyNote): "warn", string(dayNote): "warn", string(fullNote): "warn", "gone": "warn"}

func (w *Watches) page(x *web.Exchange) error {
	v := view{Most: mostOpen}
	if word := x.Left().Get("note"); notes[word] != "" {
		v.Note, v.Tone = "watches.note."+word, notes[word]
	}
	switch err := w.Ready(x.R.Context()); {
	case errors.Is(err, ErrOldServer):
		v.Fault = "watches.fault.old"
	case errors.Is(err, ErrNoStream):
		v.Fault = "watches.fault.stream"
	case err != nil:
		return &web.Fault{Status: http.StatusServiceUnavailable, Err: err}
	}
	if v.Fault == "" {
		own, err := w.store.list(x.R.Context(), ownerOf(x.Visit.User.Key()))
		if err != nil {
			return &web.Fault{Status: http.StatusServiceUnavailable, Err: err}
		}
		for i := range own {
			v.Seen = max(v.Seen, own[i].seq)
		}
		v.Watches = rows(own)
	}
	return x.Render("watches.html", v)
}

// rows are the watches in the order of the page: the last changed comes first. Cancelled watches
// are not shown.
func rows(own []found) (all []row) {
	for _, f := range slices.Backward(own) {
		if f.State == cancelled || len(all) == mostShown {
			continue
		}
		r := row{ID: f.id, Shown: f.Shown, State: string(f.State), Tone: "idle", Open: f.State == watching,
			At: time.UnixMilli(max(f.DueMs, f.EndedMs))}
		if r.Open {
			r.State = "open"
		}
		if f.Last != nil {
			r.Answer, r.LastAt = lookup.Read(*f.Last), time.UnixMilli(f.LastMs)
		}
		if f.State == signed {
			r.Tone = r.Answer.Tone
		}
		all = append(all, r)
	}
	return all
}

// lookEvery is how often an open page checks for changes, with one small request.
const lookEvery = 10 * time.Second

// events has the page reloaded when one of its reader's watches has changed.
func (w *Watches) events(x *web.Exchange) error {
	seen, err := strconv.ParseUint(x.R.FormValue("seen"), 10, 64)
	if err != nil {
		return &web.Fault{Status: http.StatusBadRequest, Err: err}
	}
	owner := ownerOf(x.Visit.User.Key())
	return x.Stream(min(lookEvery, w.o.Every), func(send func(string, any) error) (bool, error) {
		if newest, err := w.store.newest(x.R.Context(), owner); err == nil && newest > seen {
			return false, send("done", true)
		}
		return true, nil // while NATS is unavailable nothing changes
	})
}

func (w *Watches) cancel(x *web.Exchange) error {
	shown, err := w.stop(x.R.Context(), x.Visit.User.Key(), x.R.PostFormValue("id"))
	if err != nil {
		return &web.Fault{Status: http.StatusServiceUnavailable, Err: err}
	}
	if shown == "" {
		return x.RedirectWith("/watches", url.Values{"note": {"gone"}})
	}
	if err := x.Audit(audit.Row{What: "unwatch", On: shown, HowMany: 1}); err != nil {
		return err
	}
	return x.RedirectWith("/watches", url.Values{"note": {"cancelled"}})
}
