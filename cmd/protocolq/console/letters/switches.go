// The operators' switches: pause of the fleet's intake, and the halt of each partner.

package letters

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"protocolq/cmd/protocolq/console/access"
	"protocolq/cmd/protocolq/console/audit"
	"protocolq/cmd/protocolq/console/web"
	"protocolq/cmd/protocolq/settings"
	"protocolq/messages"
	"protocolq/worker/intake"
	"protocolq/worker/partner"
)

// The switches, as a form names them.
const (
	pause  = "pause"
	resume = "resume"
	halt   = "halt"
	reopen = "reopen"
)

var actions = []string{pause, resume, halt, reopen}

// switchTime bounds the reading and the writing of a record.
const switchTime = 10 * time.Second

// controlsView is the data of the page of the switches.
type controlsView struct {
	Pause    intake.Pause
	PauseOff bool // it is not known whether the intake is paused
	Partners []partnerView
	Act      bool
	Done     string
	Audits   []audit.Row
}

// partnerView is one partner's halt.
type partnerView struct {
	Partner string
	partner.Halt
}

// Since and ProbeAt are times in a readable form.
func (p partnerView) Since() time.Time   { return moment(p.SinceMs) }
func (p partnerView) ProbeAt() time.Time { return moment(p.ProbeAtMs) }

// PausedSince is the time since when the intake is paused.
func (v controlsView) PausedSince() time.Time { return moment(v.Pause.SinceMs) }

func moment(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}

func (s *section) controls(x *web.Exchange) error {
	ctx, cancel := context.WithTimeout(x.R.Context(), switchTime)
	defer cancel()
	v := controlsView{Act: x.Visit.May(access.Act)}
	if do := x.Left().Get("done"); slices.Contains(actions, do) {
		key := "controls.done." + do
		v.Done = x.Say(key)
	}
	var err error
	if v.Pause, err = s.o.Switches.Pause(ctx); err != nil {
		v.PauseOff = true
		s.o.Logger.Warn("intake not read", "err", err)
	}
	halts, err := s.o.Switches.Halts(ctx)
	if err != nil {
		s.o.Logger.Warn("halts not read", "err", err)
	}
	v.Partners = partners(s.o.Partners, halts)
	if v.Audits, err = s.o.Audit.Recent(ctx, mostAudits); err != nil {
		s.o.Logger.Warn("audit rows not read", "err", err)
	}
	return x.Render("controls.html", v)
}

// partners are the known partners and those with a halt, the halted ones first.
func partners(known []string, halts map[string]partner.Halt) []partnerView {
	all := slices.Sorted(maps.Keys(halts))
	for _, p := range known {
		if !slices.Contains(all, p) {
			all = append(all, p)
		}
	}
	list := make([]partnerView, 0, len(all))
	for _, p := range all {
		list = append(list, partnerView{p, halts[p]})
	}
	slices.SortStableFunc(list, func(a, b partnerView) int {
		switch {
		case a.Halted == b.Halted:
			return strings.Compare(a.Partner, b.Partner)
		case a.Halted:
			return -1
		}
		return 1
	})
	return list
}

// switchView is the data of the page that asks for confirmation.
type switchView struct{ Do, Partner, Reason string }

// Grave reports whether the switch stops something.
func (v switchView) Grave() bool { return v.Do == pause || v.Do == halt }

// switching reads the form. A missing or unknown value is a fault, never a default.
func switching(x *web.Exchange) (v switchView, err error) {
	v = switchView{x.R.PostFormValue("do"), x.R.PostFormValue("partner"),
		strings.TrimSpace(x.R.PostFormValue("reason"))}
	about := v.Do == halt || v.Do == reopen
	if !slices.Contains(actions, v.Do) || len(v.Reason) > mostReason || about != (v.Partner != "") ||
		about && settings.CheckPartnerID(v.Partner) != nil {
		return v, &web.Fault{Status: http.StatusBadRequest}
	}
	return v, nil
}

func (s *section) confirmSwitch(x *web.Exchange) error {
	v, err := switching(x)
	if err != nil {
		return err
	}
	return x.Render("switch.html", v)
}

func (s *section) doSwitch(x *web.Exchange) error {
	v, err := switching(x)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(x.R.Context(), switchTime)
	defer cancel()
	now, who := time.Now().UnixMilli(), x.Visit.User.Name+"@console"
	row := audit.Row{What: v.Do, On: v.Partner, HowMany: 1, Reason: messages.MaskText(v.Reason)}
	switch v.Do {
	case pause:
		err = s.o.Switches.SetPause(ctx, intake.Pause{Paused: true, SinceMs: now, By: who, Reason: row.Reason})
	case resume:
		err = s.o.Switches.SetPause(ctx, intake.Pause{SinceMs: now, By: who})
	case halt:
		err = s.o.Switches.SetHalt(ctx, v.Partner,
			partner.Halt{Halted: true, SinceMs: now, By: partner.ByOperator, Who: who, Reason: row.Reason})
	case reopen:
		err = s.o.Switches.SetHalt(ctx, v.Partner, partner.Halt{})
	}
	if err != nil {
		row.HowMany, row.Fault = 0, "not written"
	}
	if aerr := x.Audit(row); aerr != nil {
		return aerr
	}
	if err != nil {
		return &web.Fault{Status: http.StatusServiceUnavailable, Err: err}
	}
	return x.RedirectWith("/controls", url.Values{"done": {v.Do}})
}
