// What was in the store at a moment that this process remembers: how long a claim that it never heard of has stood.

package dedupe

import (
	"slices"
	"time"
)

// sighting says that every revision up to last had been written by the moment at.
type sighting struct {
	last  uint64
	stamp time.Time // the store's clock then
	at    time.Time // of this process, monotonic
}

// mostSightings is how many are kept: at one every few seconds they reach back for more than a lease.
const mostSightings = 16

// Sighted takes in that the store's newest revision was last, at stamp by the store's clock, no later than now. A
// worker that starts calls it first of all and then every few seconds.
//
// A revision that is still the newest of its key, and was written before a sighting, has stood unchanged since
// that sighting at least. This is told by sequences and by this process's own monotonic clock, so that no clock that
// is wrong can make a living holder look dead; and a worker that began after its holder's death need not wait for
// a whole lease from when it came across the claim.
func (g *Group[Q]) Sighted(last uint64, stamp time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if n := len(g.sightings); n > 0 && last < g.sightings[n-1].last {
		g.sightings = nil // the stream was made anew
	}
	if len(g.sightings) == mostSightings {
		g.sightings = slices.Delete(g.sightings, 0, 1)
	}
	g.sightings = append(g.sightings, sighting{last, stamp, time.Now()})
}

// since is from when on entry e, read from the store just now, is known to have stood. The store's
// time is compared with itself alone, in case the stream was made anew since. The caller holds mu.
func (g *Group[Q]) since(e *Entry) time.Time {
	for _, s := range g.sightings {
		if e.Seq <= s.last && !e.Time.After(s.stamp) {
			return s.at
		}
	}
	return time.Now()
}
