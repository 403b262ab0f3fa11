// The page's view of a history.

package fleet

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"protocolq/cmd/protocolq/cli"
	"protocolq/messages"
	"protocolq/worker/intake"
	"protocolq/worker/partner"
)

// View is the data of the whole page.
type View struct {
	At              time.Time
	Faults          []string
	Pause           intake.Pause
	Tiles           []Tile
	Rate, Latency   Chart
	Members         []Member
	Partners        []Partner
	Streams         []StreamView
	Outcomes, Codes []Bar
	Nobody          bool
}

// Tile is one figure on the page.
type Tile struct{ Name, Value, More, Tone string }

// Member is one worker.
type Member struct {
	Owner, Version, ID string
	Keys               int
	InFlight, Slots    int
	Waiting, Owed      int
	Lag                uint64
	Lease              time.Duration
	Up                 time.Duration
	Paused             bool
}

// Partner is a partner that the fleet asks for.
type Partner struct {
	Name        string
	Calls       string // per second
	Rate        int
	Concurrency int
	Use         float64 // share of the rate limit, 0 to 100
	Workers     int     // how many ask for it
	Halts       []Halt  // the fleet's, or else those of single workers for themselves
	Fleet       bool    // the halt is the fleet's
}

// Halt is the halt of a partner, by the whole fleet or by one worker for itself.
type Halt struct{ partner.Halt }

// Since is when the partner was halted.
func (h Halt) Since() time.Time { return at(h.SinceMs) }

// Probe is when the next call is let through as a test; zero: no such call is planned.
func (h Halt) Probe() time.Time { return at(h.ProbeAtMs) }

// StreamView says how full a stream is.
type StreamView struct {
	Name, Messages, Size string
	Fill                 float64 // 0 to 100
	Bounded              bool
	Tone                 string
	Oldest               time.Duration
}

// Bar is one word and its share of all.
type Bar struct {
	Name, Count, Tone string
	Part              float64 // 0 to 100
}

func at(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}

// view makes the page's data from a history.
func view(h *History) View {
	now, p := &h.Now, h.Newest()
	v := View{At: now.At, Faults: slices.Compact(slices.Clone(now.Faults)), Pause: now.Pause,
		Nobody: len(now.Workers) == 0}
	v.Rate = chart(h.Points, series{"asked", func(p *Point) float64 { return p.Asked }},
		series{"called", func(p *Point) float64 { return p.Called }}, series{"saved",
			func(p *Point) float64 { return p.Saved }})
	v.Latency = chart(h.Points, series{"p50", func(p *Point) float64 { return p.P50 }},
		series{"p95", func(p *Point) float64 { return p.P95 }}, series{"p99", func(p *Point) float64 { return p.P99 }})
	v.Tiles = tiles(now, &p)
	v.Members = members(now)
	v.Partners = partnersOf(now, &p)
	v.Streams = streams(now)
	v.Outcomes = bars(h.most(func(p *Point) map[string]uint64 { return p.Outcomes }, 6))
	v.Codes = bars(h.most(func(p *Point) map[string]uint64 { return p.Codes }, 8))
	return v
}

func tiles(now *Reading, p *Point) []Tile {
	slots := 0
	for _, w := range now.Workers {
		slots += w.Stats.Slots
	}
	waits, recorder := now.Streams[messages.Submitted], now.Streams[messages.Log]
	list := []Tile{
		{Name: "workers", Value: strconv.Itoa(len(now.Workers)), Tone: toneIf(len(now.Workers) == 0, "bad")},
		{Name: "asked", Value: perSecond(p.Asked)},
		{Name: "called", Value: perSecond(p.Called)},
		{Name: "saved", Value: perSecond(p.Saved)},
		{Name: "p95", Value: millis(p.P95)},
		{Name: "inflight", Value: strconv.Itoa(p.InFlight), More: "/ " + strconv.Itoa(slots)},
		{Name: "waiting", Value: cli.Grouped(int64(p.Waiting) + int64(waits.Messages)),
			More: age(now.At, waits.Oldest)},
		{Name: "recorder", Value: cli.Grouped(int64(recorder.Messages)), More: age(now.At, recorder.Oldest)},
	}
	if old := waits.Oldest; !old.IsZero() && now.At.Sub(old) > time.Minute {
		list[6].Tone = "warn"
	}
	if old := recorder.Oldest; !old.IsZero() && now.At.Sub(old) > time.Minute {
		list[7].Tone = "warn"
	}
	return list
}

func toneIf(is bool, tone string) string {
	if is {
		return tone
	}
	return ""
}

func perSecond(v float64) string {
	if v >= 100 {
		return cli.Grouped(int64(v + 0.5))
	}
	return strings.TrimSuffix(strconv.FormatFloat(v, 'f', 1, 64), ".0")
}

func millis(v float64) string {
	if v == 0 {
		return "–"
	}
	return fmt.Sprintf("%.0f ms", v)
}

// age is how old something is, in units that both languages write alike.
func age(now, since time.Time) string {
	if since.IsZero() {
		return ""
	}
	return cli.Short(max(now.Sub(since), 0).Round(time.Second))
}

func members(now *Reading) []Member {
	last := now.Streams[messages.Journal].Last
	list := make([]Member, 0, len(now.Workers))
	for _, id := range slices.Sorted(maps.Keys(now.Workers)) {
		w := now.Workers[id]
		s := &w.Stats
		m := Member{Owner: cmp.Or(w.Owner, id), Version: w.Version, ID: s.Member, Keys: s.Keys, InFlight: s.InFlight,
			Slots: s.Slots, Waiting: s.Parked + s.Pending, Owed: s.Outbox.Waiting,
			Lease: (time.Duration(s.LeaseMs) * time.Millisecond).Round(100 * time.Millisecond),
			Up:    (time.Duration(s.UptimeMs) * time.Millisecond).Round(time.Minute), Paused: s.Paused}
		if last > s.Position { // the stream is read slightly later than the worker
			m.Lag = last - s.Position
		}
		list = append(list, m)
	}
	slices.SortStableFunc(list, func(a, b Member) int { return strings.Compare(a.Owner, b.Owner) })
	return list
}

// mostHalts is how many workers' own halts of a partner are shown in full.
const mostHalts = 4

func partnersOf(now *Reading, p *Point) []Partner {
	all := map[string]*Partner{}
	of := func(name string) *Partner {
		if all[name] == nil {
			all[name] = &Partner{Name: name, Calls: perSecond(p.Partners[name])}
		}
		return all[name]
	}
	for _, id := range slices.Sorted(maps.Keys(now.Workers)) {
		for name, limits := range now.Workers[id].Stats.Partners {
			one := of(name)
			one.Workers++
			one.Rate, one.Concurrency = limits.Rate, limits.Concurrency
			if limits.Rate > 0 {
				one.Use = min(100, 100*p.Partners[name]/float64(limits.Rate))
			}
		}
		for name, h := range now.Workers[id].Stats.Halts {
			of(name).Halts = append(of(name).Halts, Halt{h})
		}
	}
	for name, h := range now.Halts {
		if one := of(name); h.Halted {
			one.Halts, one.Fleet = []Halt{{h}}, true
		}
	}
	list := make([]Partner, 0, len(all))
	for _, name := range slices.Sorted(maps.Keys(all)) {
		list = append(list, *all[name])
	}
	return list
}

// Shown are the halts that are shown in full.
func (p Partner) Shown() []Halt { return p.Halts[:min(len(p.Halts), mostHalts)] }

func streams(now *Reading) []StreamView {
	var list []StreamView
	for _, kind := range messages.Kinds() {
		s, ok := now.Streams[kind]
		if !ok {
			continue
		}
		v := StreamView{Name: string(kind), Messages: cli.Grouped(int64(s.Messages)), Size: bytes(s.Bytes),
			Bounded: s.Most > 0, Tone: "good"}
		if v.Bounded {
			v.Fill = min(100, 100*float64(s.Bytes)/float64(s.Most))
		}
		switch {
		case v.Fill >= 80:
			v.Tone = "bad"
		case v.Fill >= 60:
			v.Tone = "warn"
		}
		if !s.Oldest.IsZero() {
			v.Oldest = max(now.At.Sub(s.Oldest), 0)
		}
		list = append(list, v)
	}
	return list
}

// bytes is a size with one decimal.
func bytes(n uint64) string {
	const unit = 1024
	if n < unit {
		return strconv.FormatUint(n, 10) + " B"
	}
	v, names := float64(n), []string{"KiB", "MiB", "GiB", "TiB"}
	i := -1
	for v >= unit && i < len(names)-1 {
		v, i = v/unit, i+1
	}
	return strconv.FormatFloat(v, 'f', 1, 64) + " " + names[i]
}

func bars(counts []Count) []Bar {
	var all uint64
	for _, c := range counts {
		all += c.N
	}
	list := make([]Bar, 0, len(counts))
	for _, c := range counts {
		b := Bar{Name: c.Name, Count: cli.Grouped(int64(c.N)), Part: 100 * float64(c.N) / float64(max(all, 1)),
			Tone: "idle"}
		switch messages.Outcome(c.Name) {
		case messages.Signed:
			b.Tone = "good"
		case messages.Unknown, messages.Abnormal:
			b.Tone = "warn"
		case messages.Refused:
			b.Tone = "bad"
		}
		list = append(list, b)
	}
	return list
}
