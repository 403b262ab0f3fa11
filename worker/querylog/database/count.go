// Length of a list, by the counters.

package database

import (
	"context"
	"fmt"
	"math"
	"time"
)

// Count is how many asks f wants, by the counters. ok is false if the counters do not know: for a
// person, an id, slow asks, or two words at once. about is true if the span does not consist of
// whole hours, in which the counters count.
func (db *DB) Count(ctx context.Context, f Filter) (n int64, about, ok bool, err error) {
	if f.person() || f.Run != "" || f.Slow > 0 || f.Outcome != "" && f.Code != "" {
		return 0, false, false, nil
	}
	name := countAsks
	switch {
	case f.Outcome != "":
		name = countOutcome + f.Outcome
	case f.Code != "":
		name = countCode + f.Code
	}
	from, until := int64(0), int64(math.MaxInt64)/time.Hour.Milliseconds()
	if !f.Since.IsZero() {
		from = hourOf(f.Since.UnixMilli())
		about = f.Since.UnixMilli()%time.Hour.Milliseconds() != 0
	}
	if !f.Until.IsZero() {
		until = hourOf(f.Until.Add(time.Hour - 1).UnixMilli())
		about = about || f.Until.UnixMilli()%time.Hour.Milliseconds() != 0
	}
	for _, s := range spans(from, until) {
		part, err := db.sum(ctx, s, name, f.Partner)
		if err != nil {
			return 0, false, false, fmt.Errorf("count: %w", err)
		}
		n += part
	}
	return n, about, true, nil
}

// span is from one hour or day until another.
type span struct {
	table, column string
	from, until   int64
}

// spans covers the hours: whole days by the sums of days, the rest at both ends by hours.
func spans(from, until int64) []span {
	firstDay, lastDay := (from+23)/24, until/24
	if firstDay >= lastDay {
		return []span{{"counters", "hour", from, until}}
	}
	return []span{
		{"counters", "hour", from, firstDay * 24},
		{"counters_day", "day", firstDay, lastDay},
		{"counters", "hour", lastDay * 24, until},
	}
}

func (db *DB) sum(ctx context.Context, s span, name, partner string) (n int64, err error) {
	if s.from >= s.until {
		return 0, nil
	}
	w := &where{}
	w.add("name = ?", name)
	if partner != "" {
		w.add("partner = ?", partner)
	}
	w.add(s.column+" >= ?", s.from)
	w.add(s.column+" < ?", s.until)
	row := db.read.QueryRowContext(ctx,
		db.kind.rebind("SELECT CAST(COALESCE(SUM(n), 0) AS BIGINT) FROM "+s.table+w.String()), w.args...)
	err = row.Scan(&n)
	return n, err
}

// countFew counts rows of asks, up to most.
func (db *DB) countFew(ctx context.Context, f *Filter, most int) (n int64, more bool, err error) {
	var partners []string
	if f.Partner == "" && f.Code != "" {
		if partners, err = db.Partners(ctx); err != nil {
			return 0, false, err
		}
	}
	windows := []window{{}}
	branches := f.branches(partners)
	if len(branches) > 1 {
		if windows, err = db.kind.windows(ctx, db.read); err != nil {
			return 0, false, err
		}
	}
	from := "asks"
	if f.person() {
		from, _ = db.kind.person()
	}
	common := f.common(Cursor{})
	for _, w := range windows {
		if !f.meets(w, Cursor{}) {
			continue
		}
		within := w.narrow(common)
		for _, b := range branches {
			all := where{parts: append(b.parts[:len(b.parts):len(b.parts)], within.parts...),
				args: append(b.args[:len(b.args):len(b.args)], within.args...)}
			var part int64
			row := db.read.QueryRowContext(ctx,
				db.kind.rebind("SELECT COUNT(*) FROM (SELECT 1 FROM "+from+all.String()+" LIMIT ?) AS few"),
				append(all.args, int64(most)+1-n)...)
			if err := row.Scan(&part); err != nil {
				return 0, false, fmt.Errorf("count: %w", err)
			}
			if n += part; n > int64(most) {
				return int64(most), true, nil
			}
		}
	}
	return n, false, nil
}
