// What an open tab gets, and the lines of charts.

package fleet

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

// A tab gets what has changed, at most 1 KB a second for any size of fleet, and every part has its
// turn.
func TestTab(t *testing.T) {
	var one tab
	parts := func(n int) []Part {
		return []Part{{"small", fmt.Sprint("s", n)}, {"large", fmt.Sprint(n, strings.Repeat(`"x`, 4500))}, {"still", "same"}}
	}
	if got := one.due(parts(0)); got != nil {
		t.Errorf("a new tab is sent %d parts", len(got))
	}
	if got := one.due(parts(0)); got != nil {
		t.Errorf("nothing has changed, and %d parts are sent", len(got))
	}
	bytes, times := 0, map[string]int{}
	const ticks = 100
	for n := range ticks {
		for _, p := range one.due(parts(n + 1)) {
			event, err := json.Marshal(p)
			if err != nil {
				t.Fatal(err)
			}
			bytes += len(event)
			times[p.ID]++
		}
	}
	if most := int(every.Seconds()) * ticks * 1024; bytes > most {
		t.Errorf("%d bytes in %d ticks, at most %d", bytes, ticks, most)
	}
	if times["large"] < 20 || times["small"] < 20 || times["still"] != 0 {
		t.Errorf("sent: %v", times)
	}
}

func TestChart(t *testing.T) {
	var points []Point
	for i := range 600 {
		points = append(points, Point{At: began.Add(time.Duration(i) * 5 * time.Second), Asked: float64(i % 7), Called: 1})
	}
	c := chart(points, series{"asked", func(p *Point) float64 { return p.Asked }}, series{"called", func(p *Point) float64 { return p.Called }})
	if n := strings.Count(c.Lines[0].Path, "L") + 1; n != columns || c.Span != 599*5*time.Second || c.Lines[1].Now != 1 {
		t.Errorf("%d points over %s: %+v", n, c.Span, c.Lines[1])
	}
	if !strings.HasPrefix(c.Lines[1].Path, "M0.0 ") || !strings.Contains(c.Lines[1].Path, "L600.0 ") {
		t.Errorf("does not go from end to end: %.60s", c.Lines[1].Path)
	}
	if empty := chart(nil, series{"asked", func(*Point) float64 { return 1 }}); empty.Lines[0].Path != "" || empty.Most != 0 {
		t.Errorf("of nothing: %+v", empty)
	}
	for v, want := range map[float64]float64{0: 0, 0.07: 0.1, 0.3: 0.5, 1: 1, 3: 5, 11: 20, 999: 1000} {
		if got := roundUp(v); got < want*0.999 || got > want*1.001 {
			t.Errorf("%v: %v, want %v", v, got, want)
		}
	}
}
