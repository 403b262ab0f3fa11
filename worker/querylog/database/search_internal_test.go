// The spans of a search, and where a search continues that ran out of time.

package database

import (
	"testing"
	"time"
)

func TestSpans(t *testing.T) {
	const hour = int64(time.Hour / time.Millisecond)
	for _, newer := range []bool{false, true} {
		s := &search{newer: newer, from: 0, until: 10 * hour}
		if s.at = s.until; newer {
			s.at = s.from
		}
		var edges []int64
		for span := hour; !s.ended(); span *= spanGrowth {
			f := s.next(span)
			edges = append(edges, f.Since.UnixMilli()/hour, f.Until.UnixMilli()/hour)
			s.add([]Ask{{AtMs: f.Since.UnixMilli()}})
		}
		want, first := []int64{9, 10, 5, 9, 0, 5}, 9*hour
		if newer {
			want, first = []int64{0, 1, 1, 5, 5, 10}, 5*hour
		}
		for i, e := range edges {
			if len(edges) != len(want) || e != want[i] {
				t.Fatalf("newer %v: %v, want %v", newer, edges, want)
			}
		}
		if s.found[0].AtMs != first {
			t.Errorf("newer %v: not the newest first: %+v", newer, s.found)
		}
	}
}

func TestUnfinishedSearch(t *testing.T) {
	s := &search{from: 0, until: 10_000_000_000, at: 10_000_000_000, was: 10_000_000_000}
	s.next(1_000_000)
	s.add([]Ask{{AtMs: 9_999_500_000, Token: "a"}})
	s.next(4_000_000) // in which time ran out
	got := s.unfinished(Cursor{}, 50)
	if got.Until.UnixMilli() != 9_999_000_000 || got.Next != (Cursor{9_999_000_000, beforeAll, false}) || len(got.Asks) != 1 {
		t.Errorf("%+v", got)
	}
	if at, err := ParseCursor(got.Next.String()); err != nil || at != got.Next {
		t.Errorf("%+v %v", at, err)
	}
	s = &search{newer: true, from: 1_000, until: 10_000_000_000, at: 1_000, was: 1_000}
	s.next(1_000_000)
	s.next(4_000_000)
	if got := s.unfinished(Cursor{1_000, "x", true}, 50); got.Previous != (Cursor{1_001_000, beforeAll, true}) || got.Until.UnixMilli() != 1_001_000 {
		t.Errorf("%+v", got)
	}
}
