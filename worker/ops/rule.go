// Rules: what an alert asks of the figures, as PromQL and by itself, where no Prometheus runs.

package ops

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Rule is a condition over the figures of a fleet: that Term, or what Per, Plus or Quantile make of
// it, compares by Op with Limit.
type Rule struct {
	Term
	Per, Plus *Term   // Term / Per, Term + Plus
	Quantile  float64 // Term is the increase of a histogram's buckets by le; 0: it is none
	Op        string  // > or ==, and absent where there is no figure
	Limit     float64
}

// Term sums up series.
type Term struct {
	Agg    string // max, min or sum, over all series or By a label; "": each by itself
	By     string
	Metric string
	Match  Match
	Fn     string        // rate or increase over Over; "": as it is
	Over   time.Duration // at most [Longest]
}

// Longest is the longest time that a rule looks back.
const Longest = time.Hour

// Match leaves out series by one label.
type Match struct {
	Label  string // "": none is left out
	Values []string
	Not    bool
}

// Series are figures at one time, by name and labels. Its key is that of [SeriesOf].
type Series map[Figure]float64

// Figure names a series: its metric, the process that shows it, and its one other label.
type Figure struct{ Metric, Instance, Label, Value string }

// PromQL is the rule as Prometheus reads it.
func (r *Rule) PromQL() string {
	if r.Op == absent {
		return "absent(" + r.Metric + ")"
	}
	left := r.Term.promQL()
	switch {
	case r.Quantile > 0:
		left = fmt.Sprintf("histogram_quantile(%v, %s)", r.Quantile, left)
	case r.Per != nil:
		left += " / " + r.Per.promQL()
	case r.Plus != nil:
		left += " + " + r.Plus.promQL()
	}
	return left + " " + r.Op + " " + strconv.FormatFloat(r.Limit, 'g', -1, 64)
}

const absent = "absent"

func (t *Term) promQL() string {
	s := t.Metric
	if m := t.Match; m.Label != "" {
		op := "="
		switch {
		case m.Not:
			op = "!="
		case len(m.Values) > 1:
			op = "=~"
		}
		s += fmt.Sprintf("{%s%s%q}", m.Label, op, strings.Join(m.Values, "|"))
	}
	if t.Fn != "" {
		s = fmt.Sprintf("%s(%s[%s])", t.Fn, s, promTime(t.Over))
	}
	switch {
	case t.Agg == "":
		return s
	case t.By == "":
		return t.Agg + "(" + s + ")"
	}
	return t.Agg + " by (" + t.By + ") (" + s + ")"
}

func promTime(d time.Duration) string {
	if d%time.Hour == 0 && d > 0 {
		return strconv.Itoa(int(d.Hours())) + "h"
	}
	return strconv.Itoa(int(d.Minutes())) + "m"
}

// History is what the figures were, the oldest first: at most [Longest] of it.
type History []Sample

// Sample is what the figures were at a time.
type Sample struct {
	At     time.Time
	Series Series
}

// With is the history with a sample more, and without what no rule looks back to.
func (h History) With(s Sample) History {
	from := s.At.Add(-Longest - time.Minute)
	h = slices.DeleteFunc(h, func(old Sample) bool { return old.At.Before(from) })
	return append(h, s)
}

// Firing gives the values that meet the rule, by the value of the label that the rule leaves: ""
// where it leaves none.
func (r *Rule) Firing(h History) map[string]float64 {
	if len(h) == 0 {
		return nil
	}
	left := r.Term.values(h)
	if r.Op == absent {
		if len(left) > 0 {
			return nil
		}
		return map[string]float64{"": 1}
	}
	switch {
	case r.Quantile > 0:
		left = map[string]float64{"": quantile(r.Quantile, left)}
	case r.Per != nil:
		left = combined(left, r.Per.values(h), func(a, b float64) float64 { return a / b })
	case r.Plus != nil:
		left = combined(left, r.Plus.values(h), func(a, b float64) float64 { return a + b })
	}
	maps.DeleteFunc(left, func(_ string, v float64) bool {
		return math.IsNaN(v) || r.Op == ">" && v <= r.Limit || r.Op == "==" && v != r.Limit
	})
	return left
}

func combined(a, b map[string]float64, by func(a, b float64) float64) map[string]float64 {
	both := map[string]float64{}
	for label, v := range a {
		if w, ok := b[label]; ok {
			both[label] = by(v, w)
		}
	}
	return both
}

// values gives the term by what is left of the labels.
func (t *Term) values(h History) map[string]float64 {
	all := map[string]float64{}
	for f, v := range t.raw(h) {
		label := ""
		switch {
		case t.By == "instance" || t.Agg == "":
			label = f.Instance
		case t.By != "":
			label = f.Value
		}
		before, known := all[label]
		switch {
		case !known:
			all[label] = v
		case t.Agg == "max":
			all[label] = max(before, v)
		case t.Agg == "min":
			all[label] = min(before, v)
		default:
			all[label] = before + v
		}
	}
	return all
}

// raw gives the term's series, each as Fn has it.
func (t *Term) raw(h History) map[Figure]float64 {
	all, last := map[Figure]float64{}, h[len(h)-1]
	if t.Fn == "" {
		for f, v := range last.Series {
			if t.takes(f) {
				all[f] = v
			}
		}
		return all
	}
	// The last that was heard of each, also from before: a process that is not heard for a moment
	// has not begun anew.
	from, before := last.At.Add(-t.Over), Series{}
	first := slices.IndexFunc(h, func(s Sample) bool { return !s.At.Before(from) })
	for i, s := range h {
		for f, v := range s.Series {
			if !t.takes(f) {
				continue
			}
			if i > first {
				all[f] += grown(before[f], v)
			}
			before[f] = v
		}
	}
	if t.Fn == "rate" {
		for f := range all {
			all[f] /= t.Over.Seconds()
		}
	}
	return all
}

// grown is by how much a counter grew. One that is new, or lower than it was, has begun at 0.
func grown(was, v float64) float64 {
	if was > v {
		return v
	}
	return v - was
}

func (t *Term) takes(f Figure) bool {
	m := t.Match
	return f.Metric == t.Metric && (m.Label == "" || m.Label == f.Label && slices.Contains(m.Values, f.Value) != m.Not)
}

// quantile estimates as Prometheus' histogram_quantile does. buckets are cumulative, by le.
func quantile(q float64, buckets map[string]float64) float64 {
	type bucket struct{ le, n float64 }
	list := make([]bucket, 0, len(buckets))
	for text, n := range buckets {
		le, err := strconv.ParseFloat(text, 64)
		if err == nil {
			list = append(list, bucket{le, n})
		}
	}
	slices.SortFunc(list, func(a, b bucket) int { return cmp.Compare(a.le, b.le) })
	if len(list) < 2 || list[len(list)-1].n == 0 {
		return math.NaN()
	}
	rank := q * list[len(list)-1].n
	from := bucket{}
	for _, b := range list {
		if b.n >= rank {
			if math.IsInf(b.le, 1) {
				return from.le
			}
			return from.le + (b.le-from.le)*(rank-from.n)/(b.n-from.n)
		}
		from = b
	}
	return from.le
}
