// One reading of the fleet, and what can be computed from two.

package fleet

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"protocolq/messages"
	"protocolq/worker"
	"protocolq/worker/intake"
	"protocolq/worker/partner"
)

// Reading is the state of the fleet at one time. Sources that could not be read are missing, and
// named in Faults.
type Reading struct {
	At      time.Time
	Workers map[string]Worker // by the id of the service
	Streams map[messages.Kind]Stream
	Halts   map[string]partner.Halt
	Pause   intake.Pause
	Faults  []string // "workers", "streams", "records"
}

// Worker is one reply of the micro service.
type Worker struct {
	Owner, Version string
	Stats          worker.Stats
}

// Stream says how full a stream is.
type Stream struct {
	Messages, Bytes, Most, Last uint64
	Oldest                      time.Time
}

// Point is what happened between two readings, per second.
type Point struct {
	At                   time.Time
	Asked, Called, Saved float64
	P50, P95, P99        float64 // of calls in ms; 0: none
	InFlight, Waiting    int
	Outcomes, Codes      map[string]uint64 // how many
	Partners             map[string]float64
	Workers              int
	Failed               float64 // replies a second that are no answer
	dur                  float64
}

// between computes the point between two readings. A worker that is new, or started again, counts
// from 0.
func between(was, now *Reading) Point {
	p := Point{At: now.At, Outcomes: map[string]uint64{}, Codes: map[string]uint64{}, Partners: map[string]float64{},
		Workers: len(now.Workers)}
	p.dur = now.At.Sub(was.At).Seconds()
	var calls uint64
	var buckets []uint64
	var upTo []int64
	sources := map[string]uint64{}
	partners := map[string]uint64{}
	for id, w := range now.Workers {
		before := was.Workers[id].Stats
		if w.Stats.UptimeMs < before.UptimeMs {
			before = worker.Stats{}
		} else if _, known := was.Workers[id]; !known {
			before = w.Stats // what it had done before it was first seen is not counted
		}
		s := w.Stats
		add(p.Outcomes, before.Outcomes, s.Outcomes)
		add(p.Codes, before.Codes, s.Codes)
		add(p.Codes, before.Own, s.Own)
		add(sources, before.Sources, s.Sources)
		for name, of := range s.Partners {
			partners[name] += grown(before.Partners[name].Calls, of.Calls)
		}
		calls += grown(before.Gateway.Count, s.Gateway.Count)
		if upTo = s.Gateway.UpTo; buckets == nil {
			buckets = make([]uint64, len(s.Gateway.Buckets))
		}
		for i := range min(len(buckets), len(s.Gateway.Buckets)) {
			n := uint64(0)
			if i < len(before.Gateway.Buckets) {
				n = before.Gateway.Buckets[i]
			}
			buckets[i] += grown(n, s.Gateway.Buckets[i])
		}
		p.InFlight += s.InFlight
		p.Waiting += s.Parked + s.Pending
	}
	if p.dur <= 0 {
		return p
	}
	p.Asked = sum(p.Outcomes) / p.dur
	p.Called = float64(calls) / p.dur
	p.Saved = float64(sources[string(messages.Joined)]+sources[string(messages.Remembered)]) / p.dur
	p.Failed = float64(p.Outcomes[string(messages.Unknown)]) / p.dur
	p.P50, p.P95, p.P99 = percentile(buckets, upTo, 0.5), percentile(buckets, upTo, 0.95), percentile(buckets, upTo,
		0.99)
	for name, n := range partners {
		p.Partners[name] = float64(n) / p.dur
	}
	return p
}

// grown is the increase of a counter. A counter that started again has grown from 0.
func grown(was, now uint64) uint64 {
	if now < was {
		return now
	}
	return now - was
}

func add(to, was, now map[string]uint64) {
	for name, n := range now {
		if d := grown(was[name], n); d > 0 {
			to[name] += d
		}
	}
}

func sum(of map[string]uint64) (n float64) {
	for _, v := range of {
		n += float64(v)
	}
	return n
}

// percentile is the time below which that share of the calls is, in ms. Calls are taken as evenly
// spread within a bucket; calls beyond the last bucket count as its end.
func percentile(buckets []uint64, upTo []int64, share float64) float64 {
	var all uint64
	for _, n := range buckets {
		all += n
	}
	if all == 0 || len(upTo) == 0 {
		return 0
	}
	wanted, from := share*float64(all), 0.0
	for i, n := range buckets {
		to := float64(upTo[min(i, len(upTo)-1)])
		if wanted <= float64(n) && n > 0 {
			return from + (to-from)*wanted/float64(n)
		}
		wanted -= float64(n)
		from = to
	}
	return from
}

// kept bounds the history: one hour, with a point for each tick.
const kept = 720

// History is the fold of readings: the newest reading and what happened up to it. Its zero value is
// the history of a page that has just started.
type History struct {
	Now    Reading
	Points []Point // the oldest first, at most kept
}

// Fold adds a reading. A reading that is older than the newest changes nothing.
func (h History) Fold(r Reading) History {
	switch {
	case h.Now.At.IsZero():
		return History{Now: r}
	case !r.At.After(h.Now.At):
		return h
	}
	p := between(&h.Now, &r)
	points := append(slices.Clone(h.Points[max(0, len(h.Points)-kept+1):]), p)
	return History{Now: r, Points: points}
}

// Newest is the last point, or the zero Point if there is none.
func (h *History) Newest() Point {
	if len(h.Points) == 0 {
		return Point{At: h.Now.At}
	}
	return h.Points[len(h.Points)-1]
}

// Count is a word and how often it occurred.
type Count struct {
	Name string
	N    uint64
}

// most sums up the counts of words over all points: the most frequent first, at most limit.
func (h *History) most(of func(*Point) map[string]uint64, limit int) []Count {
	all := map[string]uint64{}
	for i := range h.Points {
		for name, n := range of(&h.Points[i]) {
			all[name] += n
		}
	}
	list := make([]Count, 0, len(all))
	for _, name := range slices.Sorted(maps.Keys(all)) {
		list = append(list, Count{name, all[name]})
	}
	slices.SortStableFunc(list, func(a, b Count) int { return cmp.Compare(b.N, a.N) })
	return list[:min(len(list), limit)]
}
