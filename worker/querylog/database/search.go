// Searching for rows that no single index finds: back in time by growing spans, for at most as long
// as a person waits.

package database

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Found is one page of a search.
type Found struct {
	Page
	// Until is the time to which was searched, if time ran out before the page was full. The page's
	// Next (or Previous, of a page above its cursor) continues from there. Zero: the search is
	// complete.
	Until time.Time
}

// firstSpan is the first span of a search; for a person it is longer, as a person has few rows.
// Each further span is spanGrowth times longer: nine spans from one hour on cover eight years.
const (
	firstSpan       = time.Hour
	firstPersonSpan = 90 * 24 * time.Hour
	spanGrowth      = 4
)

// Search is List for a person who waits. A filter that an index answers alone is listed. For any
// other filter, Search goes back in spans of time until the page is full or patience ends. So even
// for very rare asks a page comes in time, and says how far the search went.
func (db *DB) Search(ctx context.Context, f Filter, at Cursor, limit int, patience time.Duration) (Found, error) {
	within, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if f.exact() {
		p, err := db.List(within, f, at, limit)
		return Found{Page: p}, err
	}
	if err := f.Check(); err != nil {
		return Found{}, fmt.Errorf("search: %w", err)
	}
	limit = min(max(limit, 1), MaxPage/2)
	s, err := db.beginSearch(within, f, at)
	if err != nil {
		return Found{}, fmt.Errorf("search: %w", err)
	}
	first := firstSpan
	if f.person() {
		first = firstPersonSpan
	}
	for span := first.Milliseconds(); !s.ended() && len(s.found) <= limit; span *= spanGrowth {
		part := s.next(span)
		p, err := db.List(within, part, at, limit+1)
		if err != nil {
			if ctx.Err() == nil && within.Err() != nil {
				return s.unfinished(at, limit), nil
			}
			return Found{}, err
		}
		s.add(p.Asks)
	}
	return Found{Page: pageOf(s.found, at, limit)}, nil
}

// exact reports that each row which the filter's index gives is wanted.
func (f *Filter) exact() bool {
	words := f.Outcome != "" || f.Code != ""
	return f.Run != "" ||
		f.Slow == 0 && !(f.Outcome != "" && f.Code != "") && !(f.person() && (words || f.Partner != ""))
}

// search is the progress of a search, in unix milliseconds.
type search struct {
	f           Filter
	newer       bool
	from, until int64 // what is left to search
	at, was     int64 // the near end of what is left now, and before the last span
	found       []Ask // newest first
}

// beginSearch finds the limits of the search.
func (db *DB) beginSearch(ctx context.Context, f Filter, at Cursor) (*search, error) {
	s := &search{f: f, newer: at.newer}
	row := db.read.QueryRowContext(ctx,
		"SELECT COALESCE((SELECT MIN(at_ms) FROM asks), 0), COALESCE((SELECT MAX(at_ms) FROM asks), -1) + 1")
	if err := row.Scan(&s.from, &s.until); err != nil {
		return nil, err
	}
	if !f.Since.IsZero() {
		s.from = max(s.from, f.Since.UnixMilli())
	}
	if !f.Until.IsZero() {
		s.until = min(s.until, f.Until.UnixMilli())
	}
	switch {
	case at == Cursor{}:
	case at.newer:
		s.from = max(s.from, at.atMs)
	default:
		s.until = min(s.until, at.atMs+1)
	}
	s.at = s.until
	if s.newer {
		s.at = s.from
	}
	s.was = s.at
	return s, nil
}

func (s *search) ended() bool { return s.from >= s.until }

// next takes the next span from what is left.
func (s *search) next(span int64) Filter {
	f := s.f
	s.was = s.at
	if s.newer {
		s.at = min(s.from+span, s.until)
		f.Since, f.Until, s.from = time.UnixMilli(s.from), time.UnixMilli(s.at), s.at
		return f
	}
	s.at = max(s.until-span, s.from)
	f.Since, f.Until, s.until = time.UnixMilli(s.at), time.UnixMilli(s.until), s.at
	return f
}

func (s *search) add(asks []Ask) {
	if s.newer {
		s.found = append(asks[:len(asks):len(asks)], s.found...)
		return
	}
	s.found = append(s.found, asks...)
}

// beforeAll is less than any token, so that a cursor with it stands for a time.
const beforeAll = "!"

// unfinished is a page that ends, or begins, where the last whole span ended.
func (s *search) unfinished(at Cursor, limit int) Found {
	f := Found{Page: pageOf(s.found, at, limit), Until: time.UnixMilli(s.was)}
	if s.newer {
		f.Previous = Cursor{s.was, beforeAll, true}
	} else {
		f.Next = Cursor{s.was, beforeAll, false}
	}
	return f
}

// Tally is how many asks a filter wants.
type Tally struct {
	N     int64
	Known bool // N is known
	About bool // counted by whole hours, while the span does not consist of whole hours
	More  bool // there are more than N
}

// Tally uses the counters if they know. Otherwise it counts rows, up to most, for at most patience.
func (db *DB) Tally(ctx context.Context, f Filter, most int, patience time.Duration) (Tally, error) {
	within, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	n, about, ok, err := db.Count(within, f)
	if err == nil && !ok {
		var more bool
		n, more, err = db.countFew(within, &f, most)
		if err == nil {
			return Tally{N: n, Known: true, More: more}, nil
		}
	}
	switch {
	case err == nil:
		return Tally{N: n, Known: true, About: about}, nil
	case ctx.Err() == nil && errors.Is(within.Err(), context.DeadlineExceeded):
		return Tally{}, nil
	}
	return Tally{}, err
}
