// The maintained counters: what one new row adds to the sums of its hour and partner.

package database

import (
	"cmp"
	"math/bits"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Names of counters. A name that ends with : is followed by a word or a bucket.
const (
	countAsks     = "ask"
	countOutcome  = "outcome:"
	countSource   = "source:"
	countCode     = "code:" // of asks
	countTook     = "took:" // of asks, by bucket
	countRuns     = "run"
	countCalls    = "call"
	countCut      = "cut" // calls whose worker died
	countCallCode = "call_code:"
	countCallTook = "call_took:"
	countRejected = "rejected"
)

type counter struct {
	hour          int64
	partner, name string
}

type counts map[counter]int64

type sum struct {
	counter
	n int64
}

// hourOf counts hours since 1970.
func hourOf(ms int64) int64 { return ms / time.Hour.Milliseconds() }

func (c counts) ask(a *askRow) {
	add := c.adder(a.At, a.Partner)
	add(countAsks, 1)
	add(countOutcome+a.Outcome, 1)
	if a.Source != "" {
		add(countSource+a.Source, 1)
	}
	if a.Code != "" {
		add(countCode+a.Code, 1)
	}
	add(countTook+strconv.Itoa(bucketOf(took(a.At, a.AnsweredAt)*1000)), 1)
}

func (c counts) run(r *runRow) {
	add := c.adder(r.At, r.Partner)
	add(countRuns, 1)
	for _, a := range r.Attempts {
		add(countCalls, 1)
		if a.Cut {
			add(countCut, 1)
			continue // its result and its end are not known
		}
		if a.Code != "" {
			add(countCallCode+a.Code, 1)
		}
		add(countCallTook+strconv.Itoa(bucketOf(a.Total.Microseconds())), 1)
	}
}

func (c counts) rejected(r *rejectedRow) { c.adder(r.At, "")(countRejected, 1) }

func (c counts) adder(at time.Time, partner string) func(string, int64) {
	hour := hourOf(at.UnixMilli())
	return func(name string, n int64) { c[counter{hour, partner, name}] += n }
}

// sorted returns the rows in one order for all writers, so that writers never wait for each other
// in a circle.
func (c counts) sorted() []sum {
	list := make([]sum, 0, len(c))
	for k, n := range c {
		list = append(list, sum{k, n})
	}
	slices.SortFunc(list, func(a, b sum) int {
		return cmp.Or(cmp.Compare(a.hour, b.hour), cmp.Compare(a.partner, b.partner), cmp.Compare(a.name, b.name))
	})
	return list
}

// byDay are the sums by day from which a list's count is made. The day is in the field hour.
func (c counts) byDay() []sum {
	days := counts{}
	for k, n := range c {
		if k.name == countAsks || strings.HasPrefix(k.name, countOutcome) || strings.HasPrefix(k.name, countCode) {
			days[counter{k.hour / 24, k.partner, k.name}] += n
		}
	}
	return days.sorted()
}

// Buckets of times: eight for each doubling, so that a percentile read from them is within an
// eighth of the truth, and a busy hour has some tens of rows.
const (
	perDoubling = 8
	maxBucket   = 64 * perDoubling
)

func bucketOf(us int64) int {
	if us < perDoubling {
		return int(max(us, 0))
	}
	shift := bits.Len64(uint64(us)) - 4
	return shift*perDoubling + int(us>>shift)
}

// bucketStart is the lowest time of a bucket in microseconds.
func bucketStart(b int) int64 {
	if b < 2*perDoubling {
		return int64(b)
	}
	shift := b/perDoubling - 1
	return int64(b-shift*perDoubling) << shift
}
