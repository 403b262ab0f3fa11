// Sums by hour and partner, read from the maintained counters without counting rows.

package database

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Sums are the sums of one hour for one partner, or of a whole span.
type Sums struct {
	HourMs     int64            `json:"hour_ms,omitempty"` // when the hour began
	Partner    string           `json:"partner,omitempty"`
	Asked      int64            `json:"asked"`
	Runs       int64            `json:"runs"`
	Called     int64            `json:"called"` // calls of the gateway
	Cut        int64            `json:"cut"`    // of these, cut off by a worker's death
	Joined     int64            `json:"joined"`
	Remembered int64            `json:"remembered"`
	Outcomes   map[string]int64 `json:"outcomes"`             // of asks
	Codes      map[string]int64 `json:"codes,omitempty"`      // of asks
	CallCodes  map[string]int64 `json:"call_codes,omitempty"` // of calls
	Ask        Percentiles      `json:"ask"`
	Call       Percentiles      `json:"call"`
	Rejected   int64            `json:"rejected,omitempty"` // messages that were not lines

	asks, calls histogram
}

// Saved is how many asks cost no call of their own.
func (s *Sums) Saved() int64 { return s.Joined + s.Remembered }

// Percentiles of times in milliseconds, within an eighth; 0 if nothing was timed.
type Percentiles struct {
	P50 float64 `json:"p50_ms"`
	P95 float64 `json:"p95_ms"`
	P99 float64 `json:"p99_ms"`
}

// Stats are the sums of a span of whole hours.
type Stats struct {
	Hours []Sums `json:"hours"` // by hour and partner, oldest first
	Total Sums   `json:"total"`
}

// Stats sums up the hours that begin at or after since and before until, of one partner or, with
// "", of all.
func (db *DB) Stats(ctx context.Context, since, until time.Time, partner string) (Stats, error) {
	statement := "SELECT hour, partner, name, n FROM counters WHERE hour >= ? AND hour < ?"
	args := []any{hourOf(since.UnixMilli()), hourOf(until.Add(time.Hour - 1).UnixMilli())}
	if partner != "" {
		statement, args = statement+" AND partner = ?", append(args, partner)
	}
	result, err := db.read.QueryContext(ctx, db.kind.rebind(statement), args...)
	if err != nil {
		return Stats{}, fmt.Errorf("stats: %w", err)
	}
	defer result.Close()
	type place struct {
		hour    int64
		partner string
	}
	sums, total := map[place]*Sums{}, newSums()
	for result.Next() {
		var at place
		var name string
		var n int64
		if err := result.Scan(&at.hour, &at.partner, &name, &n); err != nil {
			return Stats{}, fmt.Errorf("stats: %w", err)
		}
		if sums[at] == nil {
			sums[at] = newSums()
			sums[at].HourMs, sums[at].Partner = at.hour*time.Hour.Milliseconds(), at.partner
		}
		sums[at].add(name, n)
		total.add(name, n)
	}
	if err := result.Err(); err != nil {
		return Stats{}, fmt.Errorf("stats: %w", err)
	}
	s := Stats{Hours: make([]Sums, 0, len(sums))}
	for _, one := range sums {
		s.Hours = append(s.Hours, *one.done())
	}
	slices.SortFunc(s.Hours, func(a, b Sums) int {
		return cmp.Or(cmp.Compare(a.HourMs, b.HourMs), strings.Compare(a.Partner, b.Partner))
	})
	s.Total = *total.done()
	return s, nil
}

func newSums() *Sums {
	return &Sums{Outcomes: map[string]int64{}, Codes: map[string]int64{}, CallCodes: map[string]int64{},
		asks: histogram{}, calls: histogram{}}
}

// add adds one counter. Unknown names are those of a later version.
func (s *Sums) add(name string, n int64) {
	kind, word, isWord := strings.Cut(name, ":")
	if isWord {
		kind += ":"
	}
	switch kind {
	case countAsks:
		s.Asked += n
	case countRuns:
		s.Runs += n
	case countCalls:
		s.Called += n
	case countCut:
		s.Cut += n
	case countRejected:
		s.Rejected += n
	case countOutcome:
		s.Outcomes[word] += n
	case countCode:
		s.Codes[word] += n
	case countCallCode:
		s.CallCodes[word] += n
	case countSource:
		switch word {
		case "joined":
			s.Joined += n
		case "remembered":
			s.Remembered += n
		}
	case countTook:
		s.asks.add(word, n)
	case countCallTook:
		s.calls.add(word, n)
	}
}

func (s *Sums) done() *Sums {
	s.Ask, s.Call = s.asks.percentiles(), s.calls.percentiles()
	return s
}

// histogram counts by bucket.
type histogram map[int]int64

func (h histogram) add(bucket string, n int64) {
	if b, err := strconv.Atoi(bucket); err == nil && 0 <= b && b < maxBucket {
		h[b] += n
	}
}

func (h histogram) percentiles() Percentiles {
	return Percentiles{P50: h.at(0.50), P95: h.at(0.95), P99: h.at(0.99)}
}

// at is the time below which that share of the times is, in milliseconds. Times are taken as evenly
// spread within a bucket.
func (h histogram) at(share float64) float64 {
	var all int64
	for _, n := range h {
		all += n
	}
	wanted := share * float64(all)
	for _, b := range slices.Sorted(maps.Keys(h)) {
		n := float64(h[b])
		if wanted <= n && n > 0 {
			from, to := float64(bucketStart(b)), float64(bucketStart(b+1))
			return (from + (to-from)*wanted/n) / 1000
		}
		wanted -= n
	}
	return 0
}
