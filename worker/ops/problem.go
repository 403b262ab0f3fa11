// Problems: which alerts hold at present, since when, and when that is said.

package ops

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Problem is an alert that holds, for one value of the label that its rule leaves.
type Problem struct {
	Alert *Alert
	Label string // the value; "" where there is none
	Value float64
	Since time.Time // from when on it has held
	seen  time.Time // when it held last
}

// ID tells problems apart.
func (p Problem) ID() string { return p.Alert.Name + " " + p.Label }

// Summary is the alert's, with what it is about.
func (p Problem) Summary() string {
	return strings.NewReplacer("{{ $labels.instance }}", p.Label, "{{ $labels.partner }}", p.Label,
		"{{ $labels.stream }}", p.Label, "{{ $labels.sink }}", p.Label,
		"{{ $value | humanizePercentage }}", strconv.FormatFloat(100*p.Value, 'g', 4, 64)+"%",
		"{{ $value | humanizeDuration }}", (time.Duration(p.Value) * time.Second).String(),
		"{{ $value }}", strconv.FormatFloat(p.Value, 'g', -1, 64)).Replace(p.Alert.Summary)
}

// goneAfter is for how long a problem must not hold before it is over: what comes and goes is one.
const goneAfter = 2 * time.Minute

// Problems are those that hold, or did a moment ago, by ID.
type Problems map[string]Problem

// Look takes in the figures as they are now, the last of h.
func (all Problems) Look(h History) {
	if len(h) == 0 {
		return
	}
	now := h[len(h)-1].At
	for i := range Alerts {
		a := &Alerts[i]
		for label, value := range a.Rule.Firing(h) {
			p := Problem{Alert: a, Label: label, Value: value, Since: now, seen: now}
			if before, known := all[p.ID()]; known {
				p.Since = before.Since
			}
			all[p.ID()] = p
		}
	}
	maps.DeleteFunc(all, func(_ string, p Problem) bool {
		gone := now.Sub(p.seen)
		return gone >= goneAfter || gone > 0 && p.seen.Sub(p.Since) < p.Alert.For // it never was one
	})
}

// Firing are those that have held for as long as their alerts want, critical ones first.
func (all Problems) Firing() (list []Problem) {
	for _, p := range all {
		if p.seen.Sub(p.Since) >= p.Alert.For {
			list = append(list, p)
		}
	}
	slices.SortFunc(list, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Alert.Severity, b.Alert.Severity), cmp.Compare(a.ID(), b.ID()))
	})
	return list
}

// Over reports whether a problem that was said, by its ID, is over: it does not hold, and the
// figures reach back as far as its rule looks.
func (all Problems) Over(id string, h History) bool {
	if _, holds := all[id]; holds || len(h) == 0 {
		return false
	}
	name, _, _ := strings.Cut(id, " ")
	i := slices.IndexFunc(Alerts, func(a Alert) bool { return a.Name == name })
	if i < 0 {
		return true // of a version that had others
	}
	a := &Alerts[i]
	return h[len(h)-1].At.Sub(h[0].At) >= max(a.Rule.back(), a.For+goneAfter)
}

// AlertOf is the alert of a problem's ID; one of another version has nothing but its name.
func AlertOf(id string) Alert {
	name, label, _ := strings.Cut(id, " ")
	for _, a := range Alerts {
		if a.Name == name {
			return a
		}
	}
	return Alert{Name: name, Summary: fmt.Sprint(name, " ", label)}
}

// back is how far a rule looks back.
func (r *Rule) back() time.Duration {
	back := r.Over
	for _, t := range []*Term{r.Per, r.Plus} {
		if t != nil {
			back = max(back, t.Over)
		}
	}
	return back
}
