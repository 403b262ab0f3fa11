// The arithmetic of a comparison.
package load_test

import (
	"math"
	"slices"
	"testing"

	"protocolq/cmd/protocolq/bench/load"
)

// series is a run whose seconds had these median times.
func series(p50 ...int64) *load.Result {
	r := &load.Result{Rate: 100}
	for i, us := range p50 {
		r.Each = append(r.Each, load.Second{N: i + 1, Asked: 100, Answered: 100, Latency: load.Latency{P50: us}})
		r.Latency.P50 += us
	}
	r.Latency.P50 /= int64(len(p50))
	r.Each = append(r.Each, load.Second{N: len(p50) + 1, Answered: 3, Latency: load.Latency{P50: 1_000_000}}) // only waits: left out
	return r
}

func TestCompare(t *testing.T) {
	steady := []int64{100, 101, 99, 100, 100, 100}
	for _, tt := range []struct {
		name  string
		a, b  []int64
		want  load.Verdict
		worse float64
	}{
		{"slower", steady, []int64{120, 121, 119, 120, 120, 120}, load.Worse, 0.2},
		{"faster", steady, []int64{80, 81, 79, 80, 80, 80}, load.Better, -0.2},
		{"equal", steady, steady, load.Noise, 0},
		{"spread too wide", []int64{60, 140, 90, 110, 50, 150}, []int64{80, 160, 110, 130, 70, 170}, load.Noise, 0.2},
		{"four seconds", steady, []int64{200, 200, 200, 200}, load.TooShort, 1},
	} {
		l := load.Compare(series(tt.a...), series(tt.b...))[1]
		if l.Name != "p50_us" || l.Verdict != tt.want || math.Abs(l.Worse-tt.worse) > 0.02 {
			t.Errorf("%s: %+v, want %s", tt.name, l, tt.want)
		}
	}
}

// A plain difference between whole runs counts even if their seconds vary widely. No verdict
// contradicts the whole run.
func TestCompareWholeRuns(t *testing.T) {
	steady := []int64{100, 101, 99, 100, 100, 100}
	a, b := series(steady...), series(100, 100, 100, 100, 100, 3000)
	b.Latency.P50 = 7000
	if l := load.Compare(a, b)[1]; l.Verdict != load.Worse {
		t.Errorf("a stall: %+v", l)
	}
	if l := load.Compare(b, a)[1]; l.Verdict != load.Better {
		t.Errorf("the other way round: %+v", l)
	}
	b = series(steady...)
	b.Rate = 30
	if l := load.Compare(a, b)[0]; l.Verdict != load.Worse {
		t.Errorf("a third of the answers: %+v", l)
	}
	b = series(steady...)
	for i := range b.Each {
		b.Each[i].Answered = 150 // and a long wait for the rest
	}
	b.Rate = 84
	if l := load.Compare(a, b)[0]; l.Verdict != load.Noise {
		t.Errorf("more in each second, fewer in all: %+v", l)
	}
}

// More answers are better, and less time is.
func TestCompareDirections(t *testing.T) {
	a, b := series(1, 1, 1, 1, 1), series(1, 1, 1, 1, 1)
	for i := range b.Each {
		b.Each[i].Answered = 50
	}
	b.Rate, b.Unanswered = 50, 5
	lines := load.Compare(a, b)
	if l := lines[0]; l.Verdict != load.Worse || l.Ratio != 0.5 || l.Worse != 0.5 {
		t.Errorf("%+v", l)
	}
	if l := lines[len(lines)-3]; l.Name != load.UnansweredName || l.Ratio != 0 || l.B != 5 {
		t.Errorf("%+v", l)
	}
}

// Seconds without any answer have a rate, which is zero, but no latency.
func TestCompareLeavesOutagesToTheRate(t *testing.T) {
	a, b := series(100, 101, 99, 100, 100, 100), series(100, 101, 99, 100, 100, 1, 1, 1, 1, 1, 1)
	for i := 5; i < 11; i++ {
		b.Each[i].Answered = 0
	}
	lines := load.Compare(a, b)
	if lines[0].Verdict != load.Worse || lines[1].Verdict != load.Noise {
		t.Errorf("%+v", lines[:2])
	}
}

// A setting that only one side has is a difference, whichever side has it.
func TestMismatch(t *testing.T) {
	a := &load.Result{Settings: map[string]string{"rate": "100", "for": "10s", "replies": "durable"}}
	b := &load.Result{Settings: map[string]string{"rate": "200", "for": "10s", "partner": "2088000000000001"}, Cut: true}
	want := []string{"partner unsaid, then 2088000000000001", "rate 100, then 200", "replies durable, then unsaid", "AFTER ended before its time"}
	if got := load.Mismatch(a, b); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if got := load.Mismatch(a, a); got == nil || len(got) > 0 {
		t.Errorf("%q", got)
	}
	if got := load.Mismatch(&load.Result{}, b); len(got) != 4 {
		t.Errorf("%q", got)
	}
}

func TestCompareOutcomes(t *testing.T) {
	a, b := series(1, 1, 1, 1, 1), series(1, 1, 1, 1, 1)
	b.Answered, b.Outcomes = 200, map[string]int64{"signed": 180, "unknown": 15, "refused": 5}
	lines := load.Compare(a, b)
	unknown, refused := lines[len(lines)-2], lines[len(lines)-1]
	if unknown.Name != load.UnknownName || unknown.A != 0 || unknown.B != 7.5 || refused.Name != load.RefusedName || refused.B != 2.5 {
		t.Errorf("%+v", lines)
	}
}
