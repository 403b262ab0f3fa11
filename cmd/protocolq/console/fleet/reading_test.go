// The fold of a fleet's readings: rates, percentiles, and a bounded history.

package fleet

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"protocolq/worker"
)

var began = time.Date(2026, 11, 29, 8, 0, 0, 0, time.UTC)

// seen is a reading of one worker, some seconds after the first.
func seen(after int, s worker.Stats) Reading {
	return Reading{At: began.Add(time.Duration(after) * time.Second), Workers: map[string]Worker{"A": {Stats: s}}}
}

func stats(uptime int64, signed, unknown, joined, calls uint64) worker.Stats {
	return worker.Stats{UptimeMs: uptime, InFlight: 2, Parked: 3, Pending: 1, Outcomes: map[string]uint64{"signed": signed, "unknown": unknown},
		Sources: map[string]uint64{"joined": joined}, Partners: map[string]worker.Partner{"p": {Calls: calls}},
		Gateway: worker.Histogram{Count: calls, UpTo: []int64{10, 20}, Buckets: []uint64{calls, 0, 0}}}
}

func TestFold(t *testing.T) {
	for _, c := range []struct {
		name     string
		readings []Reading
		points   int
		want     Point // except its maps
	}{
		{"one look gives no rate", []Reading{seen(0, stats(1, 10, 0, 0, 10))}, 0, Point{At: began}},
		{"two looks", []Reading{seen(0, stats(1, 10, 0, 0, 10)), seen(5, stats(5001, 50, 10, 20, 30))}, 1,
			Point{At: began.Add(5 * time.Second), Asked: 10, Called: 4, Saved: 4, Failed: 2, P50: 5, P95: 9.5, P99: 9.9, InFlight: 2, Waiting: 4, Workers: 1}},
		{"begun anew", []Reading{seen(0, stats(9000, 100, 0, 0, 100)), seen(5, stats(1000, 5, 0, 0, 5))}, 1,
			Point{At: began.Add(5 * time.Second), Asked: 1, Called: 1, P50: 5, P95: 9.5, P99: 9.9, InFlight: 2, Waiting: 4, Workers: 1}},
		{"seen for the first time", []Reading{{At: began}, seen(5, stats(9000, 100, 0, 0, 100))}, 1,
			Point{At: began.Add(5 * time.Second), InFlight: 2, Waiting: 4, Workers: 1}},
		{"gone", []Reading{seen(0, stats(1, 1, 0, 0, 1)), {At: began.Add(time.Second)}}, 1, Point{At: began.Add(time.Second)}},
		{"out of order", []Reading{seen(5, stats(1, 1, 0, 0, 1)), seen(4, stats(1, 9, 0, 0, 9))}, 0, Point{At: began.Add(5 * time.Second)}},
	} {
		var h History
		for _, r := range c.readings {
			h = h.Fold(r)
		}
		got := h.Newest()
		got.Outcomes, got.Codes, got.Partners, got.dur = nil, nil, nil, 0
		got.P95, got.P99 = math.Round(got.P95*100)/100, math.Round(got.P99*100)/100
		if d := cmp.Diff(c.want, got, cmp.AllowUnexported(Point{})); d != "" || len(h.Points) != c.points {
			t.Errorf("%s: %d points %s", c.name, len(h.Points), d)
		}
	}
}

func TestHistoryHasAnEnd(t *testing.T) {
	var h History
	for i := range kept + 10 {
		h = h.Fold(seen(i, stats(int64(i), uint64(i), 0, 0, 0)))
	}
	if len(h.Points) != kept || h.Newest().Asked != 1 {
		t.Errorf("%d points, the newest %+v", len(h.Points), h.Newest())
	}
	if got := h.most(func(p *Point) map[string]uint64 { return p.Outcomes }, 5); len(got) != 1 || got[0] != (Count{"signed", kept}) {
		t.Errorf("most: %v", got)
	}
}

func TestPercentile(t *testing.T) {
	for _, c := range []struct {
		buckets []uint64
		share   float64
		want    float64
	}{{nil, 0.5, 0}, {[]uint64{0, 0, 0}, 0.5, 0}, {[]uint64{10, 0, 0}, 0.5, 5}, {[]uint64{5, 5, 0}, 0.99, 19.8}, {[]uint64{0, 0, 4}, 0.5, 20}} {
		if got := percentile(c.buckets, []int64{10, 20}, c.share); math.Abs(got-c.want) > 0.01 {
			t.Errorf("%v at %v: %v, want %v", c.buckets, c.share, got, c.want)
		}
	}
}
