//go:build unix

// The checker on rest: whatever a worker holds too much of is seen.

package main

import (
	"fmt"
	"strings"
	"testing"
)

func TestWhoIsNotBackToRestIsSeen(t *testing.T) {
	calm := func() *testimony {
		return &testimony{Rests: []rest{{Name: "old", Descriptors: 12, Threads: 15, Goroutines: 42, Resident: 40 << 10, Peak: 80 << 10},
			{Name: "new", Descriptors: 12, Threads: 9, Goroutines: 40, Resident: 25 << 10, Peak: 25 << 10}}}
	}
	v := verdict{}
	if v.rest(calm()); len(v.Broken) != 0 || len(v.Figures) != 1 {
		t.Errorf("broken: %v, figures: %v", v.Broken, v.Figures)
	}
	for word, breaks := range map[string]func(*rest){
		"descriptors": func(r *rest) { r.Descriptors++ },
		"goroutines":  func(r *rest) { r.Goroutines++ },
		"threads":     func(r *rest) { r.Threads += 10 },
		"KiB":         func(r *rest) { r.Resident = 70 << 10 },
		"most":        func(r *rest) { r.Peak = 100 << 10 },
	} {
		saw, v := calm(), verdict{}
		breaks(&saw.Rests[0])
		if v.rest(saw); !strings.Contains(fmt.Sprint(v.Broken), word) {
			t.Errorf("%s: not seen: %v", word, v.Broken)
		}
	}
}
