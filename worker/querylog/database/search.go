// Searching for what no index holds in one place: back in time by growing spans, and no longer than
// a person waits.

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
	// Until is how far was looked where time ran out before the page was full; the page's Next (or
	// Previous, of one above its cursor) goes on from there. Zero: all was looked through that had
	// to be.
	Until time.Time
}

// firstSpan is what a search begins with, that for a person more, as their rows are few; spanGrowth
// is what each further one is longer by: nine of an hour on are eight years.
const (
	firstSpan       = time.Hour
	firstPersonSpan = 90 * 24 * time.Hour
	spanGrowth      = 4
)

// Search is List for a person who waits: a filter that an index answers alone is listed, any other
// is looked for by spans of time until the page is full or patience ends. However rare the asks
// are, the answer comes, and says how far was looked.
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

// exact reports that each row which the filter's index gives is one that is wanted.
func (f *Filter) exact() bool {
	words := f.Outcome != "" || f.Code != ""
	return f.Run != "" ||
		f.Slow == 0 && !(f.Outcome != "" && f.Code != "") && !(f.person() && (words || f.Partner != ""))
}

// search is how far a search has come, in unix milliseconds.
type search struct {
	f           Filter
	newer       bool
	from, until int64 // what is left to look through
	at, was     int64 // the near end of what is left now, and before the last span
	found       []Ask // the newest first
}

// beginSearch finds the ends of what may be looked through.
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

// next takes a span off what is left.
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

// beforeAll is less than any token, so that a cursor with it is a moment.
const beforeAll = "!"

// unfinished is a page that ends, or begins, where the last whole span did.
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
	About bool // counted by whole hours, which the span is not of
	More  bool // there are more than N
}

// Tally counts by the counters where these know, and else the rows themselves, up to most, for no
// longer than patience.
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
