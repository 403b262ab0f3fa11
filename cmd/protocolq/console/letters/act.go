// Actions on dead letters: the operator chooses an action and confirms its number of letters; it is
// then done and audited.

package letters

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"protocolq/cmd/protocolq/cli"
	"protocolq/cmd/protocolq/console/audit"
	"protocolq/cmd/protocolq/console/web"
	"protocolq/cmd/protocolq/dead"
	"protocolq/messages"
)

// The actions on dead letters, as a form names them.
const (
	redrive = "redrive"
	discard = "discard"
)

// mostReason bounds the reason that an operator writes, in bytes.
const mostReason = 400

// actTime is how long an action may take.
const actTime = 5 * time.Minute

// confirmView is the data of the page that asks for confirmation.
type confirmView struct {
	Do, Seqs string
	Count    int
	Counted  string
	Back     string
	More     bool // the filter selects more letters than one action takes
	Most     string
}

// confirm says how many letters the action affects. The action then affects exactly those: the page
// holds their sequences.
func (s *section) confirm(x *web.Exchange) error {
	if err := x.R.ParseForm(); err != nil {
		return &web.Fault{Status: http.StatusBadRequest, Err: err}
	}
	do, all := strings.CutSuffix(x.R.PostForm.Get("do"), "-all")
	f, err := parse(x.R.PostForm)
	if err != nil || do != redrive && do != discard {
		return &web.Fault{Status: http.StatusBadRequest, Err: err}
	}
	back := "/letters?" + f.Values().Encode()
	seqs := x.R.PostForm["seq"]
	v := confirmView{Do: do, Back: back, Most: cli.Grouped(mostActed)}
	if all {
		found, err := s.o.Box.Find(x.R.Context(), s.of(f), span)
		if err != nil {
			return &web.Fault{Status: http.StatusServiceUnavailable, Err: err}
		}
		v.More = len(found.Letters) > mostActed
		seqs = seqs[:0]
		for i := range found.Letters[:min(len(found.Letters), mostActed)] {
			seqs = append(seqs, strconv.FormatUint(found.Letters[i].Seq, 10))
		}
	}
	if len(seqs) == 0 {
		return x.RedirectWith(back, url.Values{"done": {"none"}})
	}
	v.Seqs, v.Count, v.Counted = strings.Join(seqs, ","), len(seqs), cli.Grouped(int64(len(seqs)))
	if _, err := sequences(v.Seqs); err != nil {
		return &web.Fault{Status: http.StatusBadRequest, Err: err}
	}
	return x.Render("confirm.html", v)
}

// sequences reads the sequences of a form, without duplicates.
func sequences(text string) (seqs []uint64, err error) {
	seen := map[uint64]bool{}
	for part := range strings.SplitSeq(text, ",") {
		n, err := strconv.ParseUint(part, 10, 64)
		if err != nil || n == 0 {
			return nil, errFilter
		}
		if !seen[n] {
			seen[n] = true
			seqs = append(seqs, n)
		}
	}
	if len(seqs) > mostActed {
		return nil, errFilter
	}
	return seqs, nil
}

// act performs the action. However it ends, the audit row says for how many letters it was done.
func (s *section) act(x *web.Exchange) error {
	do, reason := x.R.PostFormValue("do"), strings.TrimSpace(x.R.PostFormValue("reason"))
	seqs, err := sequences(x.R.PostFormValue("seqs"))
	if err != nil || do != redrive && do != discard || len(reason) > mostReason {
		return &web.Fault{Status: http.StatusBadRequest, Err: err}
	}
	_ = http.NewResponseController(x.W).SetWriteDeadline(time.Now().Add(actTime))
	var d dead.Done
	var fault error
	if do == redrive {
		d, fault = s.o.Box.Redrive(x.R.Context(), seqs, x.R.PostFormValue("drop-deadline") != "")
	} else {
		d, fault = s.o.Box.Discard(x.R.Context(), seqs)
	}
	row := audit.Row{What: do, On: "dead letters", HowMany: d.Done, Reason: messages.MaskText(reason)}
	if fault != nil {
		row.Fault = "ended early"
		s.o.Logger.Error("action on dead letters ended early", "do", do, "done", d.Done, "of", d.Matched, "err", fault)
	}
	if err := x.Audit(row); err != nil {
		return err
	}
	came := url.Values{"done": {do}, "n": {strconv.Itoa(d.Done)}, "of": {strconv.Itoa(d.Matched)}}
	if fault != nil {
		came.Set("fault", "1")
	}
	return x.RedirectWith("/letters", came)
}

// done describes the result of the action that led to this page.
func done(x *web.Exchange) string {
	v := x.Left()
	n, nerr := strconv.Atoi(v.Get("n"))
	of, oerr := strconv.Atoi(v.Get("of"))
	switch do := v.Get("done"); {
	case do == "none":
		return x.Say("letters.none.chosen")
	case nerr != nil || oerr != nil || do != redrive && do != discard:
		return ""
	case v.Get("fault") != "":
		return x.Say("letters.done.early", cli.Grouped(int64(n)), cli.Grouped(int64(of)))
	default:
		key := "letters.done." + do
		return x.Say(key, cli.Grouped(int64(n)), cli.Grouped(int64(of)))
	}
}
