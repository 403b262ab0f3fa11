//go:build unix

// The checker on rest: whatever a worker holds too much of is seen.

package verdict

import (
	"fmt"
	"strings"
	"testing"
)

func TestWhoIsNotBackToRestIsSeen(t *testing.T) {
	calm := func() *Evidence {
		return &Evidence{Rests: []Rest{{Name: "old", Descriptors: 12, Threads: 15, Goroutines: 42, Resident: 40 << 10, Peak: 80 << 10},
			{Name: "new", Descriptors: 12, Threads: 9, Goroutines: 40, Resident: 25 << 10, Peak: 25 << 10}}}
	}
	v := Verdict{}
	if v.rest(calm(), 0); len(v.Broken) != 0 || len(v.Figures) != 1 {
		t.Errorf("broken: %v, figures: %v", v.Broken, v.Figures)
	}
	for word, breaks := range map[string]func(*Rest){
		"descriptors": func(r *Rest) { r.Descriptors++ },
		"goroutines":  func(r *Rest) { r.Goroutines++ },
		"threads":     func(r *Rest) { r.Threads += 10 },
		"KiB":         func(r *Rest) { r.Resident = 70 << 10 },
		"most":        func(r *Rest) { r.Peak = 100 << 10 },
	} {
		saw, v := calm(), Verdict{}
		breaks(&saw.Rests[0])
		if v.rest(saw, 0); !strings.Contains(fmt.Sprint(v.Broken), word) {
			t.Errorf("%s: not seen: %v", word, v.Broken)
		}
	}
}
