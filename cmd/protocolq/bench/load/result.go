// What was measured: counts, percentiles, and the same for each second.

package load

import (
	"math"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Version is the only value of Result.V so far.
const Version = 1

// Result is one run, as it is saved and compared. Times are microseconds.
type Result struct {
	V           int               `json:"v"`
	At          time.Time         `json:"at"`       // when the measuring began
	Settings    map[string]string `json:"settings"` // what was asked for, in the caller's words
	Seconds     float64           `json:"seconds"`  // from the first measured ask being due to the last end
	Cut         bool              `json:"cut"`      // ended before its time
	RateAsked   float64           `json:"rate_asked"`
	RateSent    float64           `json:"rate_sent"`   // asks a second, while asking
	Rate        float64           `json:"rate"`        // answers a second
	Asked       int64             `json:"asked"`       // asks sent
	Answered    int64             `json:"answered"`    //
	Unanswered  int64             `json:"unanswered"`  // given up or failed; Errors says of what
	Unsent      int64             `json:"unsent"`      // due, but never sent for want of room; in Latency all the same
	Outstanding int64             `json:"outstanding"` // on their way when it was cut
	Outcomes    map[string]int64  `json:"outcomes"`    //
	Codes       map[string]int64  `json:"codes"`       //
	Sources     map[string]int64  `json:"sources"`     //
	Errors      map[string]int64  `json:"errors"`      //
	Latency     Latency           `json:"latency"`     //
	Late        Latency           `json:"late"`        // how late asks were sent: the generator's own part of Latency
	Each        []Second          `json:"each_second"` // whole seconds only
}

// Latency is a histogram's percentiles, exact to three digits.
type Latency struct {
	Mean  int64 `json:"mean_us"`
	P50   int64 `json:"p50_us"`
	P90   int64 `json:"p90_us"`
	P99   int64 `json:"p99_us"`
	P999  int64 `json:"p99_9_us"`
	P9999 int64 `json:"p99_99_us"`
	Max   int64 `json:"max_us"`
}

// Second is what ended within one second, and what was sent in it.
type Second struct {
	N          int     `json:"n"` // from 1
	Asked      int64   `json:"asked"`
	Answered   int64   `json:"answered"`
	Unanswered int64   `json:"unanswered"`
	Latency    Latency `json:"latency"`
}

// sums are the counters of a run. Load's lock guards them.
type sums struct {
	all, now, late                   *hdrhistogram.Histogram
	current                          Second
	second                           time.Time // when the current second began
	seconds                          []Second
	asked, answered, unanswered      int64
	last                             time.Time // when the last ask ended
	outcomes, codes, sources, errors map[string]int64
}

const highest = int64(time.Hour / time.Microsecond)

func newSums() *sums {
	return &sums{all: hdrhistogram.New(1, highest, 3), now: hdrhistogram.New(1, highest, 3),
		late:     hdrhistogram.New(1, highest, 3),
		outcomes: map[string]int64{}, codes: map[string]int64{}, sources: map[string]int64{},
		errors: map[string]int64{}}
}

func (s *sums) begin(now time.Time, late time.Duration) {
	s.roll(now)
	_ = s.late.RecordValue(min(max(late.Microseconds(), 1), highest))
	s.asked++
	s.current.Asked++
}

func (s *sums) end(now time.Time, took time.Duration, a Answer) {
	s.roll(now)
	s.last = now
	us := min(max(took.Microseconds(), 1), highest)
	_, _ = s.all.RecordValue(us), s.now.RecordValue(us) // within bounds: never fails
	if a.Err != "" {
		s.unanswered++
		s.current.Unanswered++
		count(s.errors, a.Err)
		return
	}
	s.answered++
	s.current.Answered++
	count(s.outcomes, a.Outcome)
	count(s.codes, a.Code)
	count(s.sources, a.Source)
}

// maxNames bounds a map whose keys come from outside.
const maxNames = 100

func count(m map[string]int64, name string) {
	switch _, known := m[name]; {
	case name == "":
		return
	case !known && len(m) >= maxNames:
		name = "other"
	}
	m[name]++
}

// roll closes every second that is over at now.
func (s *sums) roll(now time.Time) {
	for !now.Before(s.second.Add(time.Second)) {
		s.current.N, s.current.Latency = len(s.seconds)+1, latency(s.now)
		s.seconds = append(s.seconds, s.current)
		s.current = Second{}
		s.now.Reset()
		s.second = s.second.Add(time.Second)
	}
}

func latency(h *hdrhistogram.Histogram) Latency {
	if h.TotalCount() == 0 {
		return Latency{}
	}
	at := h.ValueAtPercentile
	return Latency{Mean: int64(h.Mean()), P50: at(50), P90: at(90), P99: at(99), P999: at(99.9), P9999: at(99.99),
		Max: h.Max()}
}

// result sums up at now. Nothing is pending any more, unless it was cut.
func (l *Load) result(now time.Time, cut bool) *Result {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.sums
	s.roll(now)
	stop := l.end
	if now.Before(stop) {
		stop = now
	}
	unsent := l.unsent(now, stop)
	r := &Result{V: Version, At: l.from.UTC(), Cut: cut, RateAsked: l.o.Rate, Asked: s.asked, Answered: s.answered,
		Unanswered: s.unanswered, Unsent: unsent,
		Outcomes: s.outcomes, Codes: s.codes, Sources: s.sources, Errors: s.errors, Latency: latency(s.all),
		Late: latency(s.late), Each: s.seconds}
	for _, p := range l.pending {
		if p.measured {
			r.Outstanding++
		}
	}
	clear(l.pending) // later answers must not change a result that is being read
	if asking := stop.Sub(l.from).Seconds(); asking > 0 {
		end := stop
		if s.last.After(end) {
			end = s.last
		}
		r.Seconds = end.Sub(l.from).Seconds()
		r.RateSent, r.Rate = float64(r.Asked)/asking, float64(r.Answered)/r.Seconds
	}
	return r
}

// unsent counts the measured asks that were due by stop and never sent, and puts their time until
// now into the histogram. If there are very many, one stands for several.
func (l *Load) unsent(now, stop time.Time) int64 {
	if l.o.Rate == 0 || !stop.After(l.from) {
		return 0
	}
	first := max(l.sent, int64(math.Ceil(l.o.Warm.Seconds()*l.o.Rate-1e-6)))
	count := max(l.due(stop)-first, 0)
	step := count/100_000 + 1
	for i := int64(0); i < count; i += step {
		us := min(max(now.Sub(l.dueAt(first+i)).Microseconds(), 1), highest)
		_ = l.sums.all.RecordValues(us, min(step, count-i)) // within bounds: never fails
	}
	return count
}
