// Two runs side by side: ratios, and whether the seconds of each spread too widely to tell them
// apart.

package load

import (
	"fmt"
	"maps"
	"math"
	"slices"
)

// Verdict says what a difference is worth.
type Verdict string

// The verdicts. A difference is clear when the means of the seconds lie further apart than 2.6
// standard errors, which chance does in about one of a hundred comparisons of runs of ten seconds
// or more.
const (
	Better   Verdict = "better"
	Worse    Verdict = "worse"
	Noise    Verdict = "noise"
	TooShort Verdict = "too short to tell" // fewer than MinSeconds in one of them
	Untold   Verdict = ""                  // too rare within a second to be judged by seconds
)

// The names of the Lines that are judged by what they are, not by how they spread: asks without an
// answer, and the parts of the answers, in percent, that were unknown or refused.
const (
	UnansweredName = "unanswered"
	UnknownName    = "unknown_percent"
	RefusedName    = "refused_percent"
)

// MinSeconds is how many whole seconds a run needs to be judged.
const MinSeconds = 5

const clearly = 2.6

// Line compares one figure of two runs.
type Line struct {
	Name    string  `json:"name"`
	A       float64 `json:"a"`
	B       float64 `json:"b"`
	Ratio   float64 `json:"ratio"` // B ÷ A; 0 where A is 0
	Verdict Verdict `json:"verdict,omitempty"`
	Worse   float64 `json:"worse"` // by how much B is worse, as a part of A; below 0: better
}

// Compare compares b with a.
func Compare(a, b *Result) []Line {
	figures := []struct {
		name   string
		higher bool // is better
		of     func(*Result) float64
		each   func(*Second) float64
	}{
		{"answers_per_s", true, func(r *Result) float64 { return r.Rate },
			func(s *Second) float64 { return float64(s.Answered) }},
		{"p50_us", false, func(r *Result) float64 { return float64(r.Latency.P50) },
			func(s *Second) float64 { return float64(s.Latency.P50) }},
		{"p90_us", false, func(r *Result) float64 { return float64(r.Latency.P90) },
			func(s *Second) float64 { return float64(s.Latency.P90) }},
		{"p99_us", false, func(r *Result) float64 { return float64(r.Latency.P99) },
			func(s *Second) float64 { return float64(s.Latency.P99) }},
		{"p99_9_us", false, func(r *Result) float64 { return float64(r.Latency.P999) }, nil},
		{"p99_99_us", false, func(r *Result) float64 { return float64(r.Latency.P9999) }, nil},
		{"max_us", false, func(r *Result) float64 { return float64(r.Latency.Max) }, nil},
		{UnansweredName, false, func(r *Result) float64 { return float64(r.Unanswered) }, nil},
		{UnknownName, false, func(r *Result) float64 { return r.percent("unknown") }, nil},
		{RefusedName, false, func(r *Result) float64 { return r.percent("refused") }, nil},
	}
	var lines []Line
	for _, f := range figures {
		l := Line{Name: f.name, A: f.of(a), B: f.of(b)}
		if l.A != 0 {
			l.Ratio = l.B / l.A
			l.Worse = l.Ratio - 1
			if f.higher {
				l.Worse = 1 - l.Ratio
			}
		}
		if f.each != nil {
			l.Verdict = l.whole(judge(values(a, f.higher, f.each), values(b, f.higher, f.each), f.higher))
		}
		lines = append(lines, l)
	}
	return lines
}

// plain is how many times worse or better a whole run is beyond all noise. One stall makes the
// seconds spread so widely that they alone would excuse it.
const plain = 3

// whole is the verdict of the seconds, unless the whole runs speak against it.
func (l *Line) whole(v Verdict) Verdict {
	switch {
	case v == TooShort || l.A == 0:
		return v
	case l.Worse >= plain-1 || l.Worse >= 1-1.0/plain && l.Ratio < 1:
		return Worse
	case l.Worse <= 1-plain || l.Worse <= 1.0/plain-1 && l.Ratio < 1:
		return Better
	case v == Better && l.Worse > 0, v == Worse && l.Worse < 0: // the answers that came after the last ask differ
		return Noise
	}
	return v
}

// percent is the part of the answers that had this outcome.
func (r *Result) percent(outcome string) float64 {
	if r.Answered == 0 {
		return 0
	}
	return 100 * float64(r.Outcomes[outcome]) / float64(r.Answered)
}

// Mismatch says why a and b are not two runs of the same load: settings that differ, on whichever
// side, or a run cut short.
func Mismatch(a, b *Result) []string {
	list := []string{}
	names := maps.Clone(a.Settings)
	if names == nil {
		names = map[string]string{}
	}
	maps.Copy(names, b.Settings)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if was, is := a.Settings[name], b.Settings[name]; was != is {
			list = append(list, fmt.Sprintf("%s %s, then %s", name, said(was), said(is)))
		}
	}
	for _, run := range []struct {
		name string
		r    *Result
	}{{"BEFORE", a}, {"AFTER", b}} {
		if run.r.Cut {
			list = append(list, run.name+" ended before its time")
		}
	}
	return list
}

func said(value string) string {
	if value == "" {
		return "unsaid"
	}
	return value
}

// values takes a figure of every second in which something was asked: the seconds after the last
// ask only wait. A second without any answer has a rate of answers, none, and no time that one
// took.
func values(r *Result, rate bool, of func(*Second) float64) (list []float64) {
	for i := range r.Each {
		if s := &r.Each[i]; s.Asked > 0 && (rate || s.Answered > 0) {
			list = append(list, of(&r.Each[i]))
		}
	}
	return list
}

func judge(a, b []float64, higher bool) Verdict {
	if len(a) < MinSeconds || len(b) < MinSeconds {
		return TooShort
	}
	meanA, errA := spread(a)
	meanB, errB := spread(b)
	switch diff := meanB - meanA; {
	case math.Abs(diff) <= clearly*math.Hypot(errA, errB):
		return Noise
	case (diff > 0) == higher:
		return Better
	}
	return Worse
}

// spread gives the mean and its standard error.
func spread(list []float64) (mean, stderr float64) {
	n := float64(len(list))
	for _, v := range list {
		mean += v / n
	}
	for _, v := range list {
		stderr += (v - mean) * (v - mean)
	}
	return mean, math.Sqrt(stderr / (n - 1) / n)
}
