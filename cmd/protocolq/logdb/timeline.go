// The timeline of one query: what happened to it, and in which order, for every program that shows
// it.

package logdb

import (
	"cmp"
	"slices"

	"protocolq/worker/querylog/database"
)

// Kind is what happened at a moment.
type Kind string

// The kinds, in the order in which a query meets them.
const (
	Asked   Kind = "asked"
	Begun   Kind = "begun"
	Called  Kind = "called"
	Stored  Kind = "stored"
	Replied Kind = "replied"
)

// Moment is one line of a timeline.
type Moment struct {
	AtMs int64
	Kind Kind
	Ask  *database.Ask  // of Asked and Replied
	Run  *database.Run  // of Begun, Called and Stored
	Call *database.Call // of Called
	N    int            // of Called: the attempt, from 1
}

// Timeline is a story in order of time. Within a millisecond, asks come before calls, and replies
// after them.
func Timeline(s *database.Story) []Moment {
	var moments []Moment
	for i := range s.Asks {
		moments = append(moments, Moment{AtMs: s.Asks[i].AtMs, Kind: Asked, Ask: &s.Asks[i]})
	}
	if r := s.Run; r != nil {
		moments = append(moments, Moment{AtMs: r.AtMs, Kind: Begun, Run: r})
		for i := range r.Calls {
			c := &r.Calls[i]
			moments = append(moments, Moment{AtMs: cmp.Or(c.AtMs, r.AtMs), Kind: Called, Run: r, Call: c, N: i + 1})
		}
		moments = append(moments, Moment{AtMs: r.AtMs + r.TookMs, Kind: Stored, Run: r})
	}
	for i := range s.Asks {
		a := &s.Asks[i]
		moments = append(moments, Moment{AtMs: a.AtMs + a.TookMs, Kind: Replied, Ask: a})
	}
	slices.SortStableFunc(moments, func(a, b Moment) int { return cmp.Compare(a.AtMs, b.AtMs) })
	return moments
}
