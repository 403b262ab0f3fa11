// Fleet: a whole snapshot, and what can be computed from two.

package snapshot

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"protocolq/messages"
	"protocolq/worker"
	"protocolq/worker/partner"
)

// Fleet is a fleet at one moment. It names nobody: accounts in it are masked.
type Fleet struct {
	At      time.Time      `json:"at"`
	Workers []worker.Stats `json:"workers"` // by their members' names
	Streams []Stream       `json:"streams"` // those that this user may ask for
	Faults  []string       `json:"faults"`  // what could not be asked
}

// Stream is how full a stream is.
type Stream struct {
	Kind     messages.Kind `json:"kind"`
	Messages uint64        `json:"messages"`
	Bytes    uint64        `json:"bytes"`
	Fill     float64       `json:"fill"`      // part of its room; 0 also where it has no bound
	OldestMs int64         `json:"oldest_ms"` // how long its first message has been in it
}

// Options are what Ask needs. All of them are needed.
type Options struct {
	NATS      *nats.Conn
	JetStream jetstream.JetStream
	Names     messages.Names
}

const streamTime = time.Second // for all streams

// Ask takes a snapshot. A part that could not be read is a fault in it.
func Ask(ctx context.Context, o Options) Fleet {
	f := Fleet{At: time.Now(), Streams: []Stream{}, Faults: []string{}}
	var err error
	if f.Workers, err = Workers(ctx, o.NATS); err != nil {
		f.Faults = append(f.Faults, err.Error())
	}
	within, cancel := context.WithTimeout(ctx, streamTime)
	defer cancel()
	for _, kind := range messages.Kinds() {
		stream, err := o.JetStream.Stream(within, o.Names.Stream(kind))
		if err != nil {
			f.Faults = append(f.Faults, fmt.Sprintf("%s: %v", o.Names.Stream(kind), err))
			continue
		}
		f.Streams = append(f.Streams, streamOf(kind, stream.CachedInfo(), f.At))
	}
	return f
}

func streamOf(kind messages.Kind, info *jetstream.StreamInfo, now time.Time) Stream {
	s := Stream{Kind: kind, Messages: info.State.Msgs, Bytes: info.State.Bytes}
	if info.Config.MaxBytes > 0 {
		s.Fill = float64(info.State.Bytes) / float64(info.Config.MaxBytes)
	}
	if info.State.Msgs > 0 {
		s.OldestMs = max(0, now.Sub(info.State.FirstTime).Milliseconds())
	}
	return s
}

// Lag is how many messages of the log a worker has not read but another has.
func (f *Fleet) Lag(w *worker.Stats) uint64 {
	most := w.Position
	for i := range f.Workers {
		most = max(most, f.Workers[i].Position)
	}
	return most - w.Position
}

// Partner is what a fleet does for one partner.
type Partner struct {
	ID      string
	PerS    float64 // calls a second
	Limits  worker.Partner
	Halt    partner.Halt
	Workers int // that have halted it, of all
}

// Rates are what a fleet did between two snapshots, for each second.
type Rates struct {
	Outcomes, Sources map[string]float64
	Calls             map[string]float64 // by member
	Partners          []Partner          // by their ids
	P50, P95          time.Duration      // of calls; 0: there was none
}

// Since compares a snapshot with an earlier one. A worker that is only in the later one counts from
// its start, one that is only in the earlier one does not count.
func (f *Fleet) Since(before *Fleet) Rates {
	was := map[string]*worker.Stats{}
	for i := range before.Workers {
		was[before.Workers[i].Member] = &before.Workers[i]
	}
	seconds := max(f.At.Sub(before.At).Seconds(), 0.001)
	r := Rates{Outcomes: map[string]float64{}, Sources: map[string]float64{}, Calls: map[string]float64{}}
	partners, buckets := map[string]*Partner{}, map[int64]uint64{}
	for i := range f.Workers {
		w := &f.Workers[i]
		old := was[w.Member]
		if old == nil || old.UptimeMs > w.UptimeMs {
			old = &worker.Stats{}
		}
		addRates(r.Outcomes, w.Outcomes, old.Outcomes, seconds)
		addRates(r.Sources, w.Sources, old.Sources, seconds)
		r.Calls[w.Member] = float64(grown(w.Gateway.Count, old.Gateway.Count)) / seconds
		addBuckets(buckets, &w.Gateway, &old.Gateway)
		for id, p := range w.Partners {
			if partners[id] == nil {
				partners[id] = &Partner{ID: id, Limits: p}
			}
			partners[id].PerS += float64(grown(p.Calls, old.Partners[id].Calls)) / seconds
		}
		for id, h := range w.Halts {
			if partners[id] == nil {
				partners[id] = &Partner{ID: id}
			}
			partners[id].Halt = h
			partners[id].Workers++
		}
	}
	for _, id := range slices.Sorted(maps.Keys(partners)) {
		r.Partners = append(r.Partners, *partners[id])
	}
	r.P50, r.P95 = quantile(buckets, 0.5), quantile(buckets, 0.95)
	return r
}

func grown(now, before uint64) uint64 { return now - min(now, before) }

func addRates(to map[string]float64, now, before map[string]uint64, seconds float64) {
	for name, n := range now {
		to[name] += float64(grown(n, before[name])) / seconds
	}
}

// noEnd is the upper end of the last bucket.
const noEnd = math.MaxInt64

func addBuckets(to map[int64]uint64, now, before *worker.Histogram) {
	for i, n := range now.Buckets {
		end := int64(noEnd)
		if i < len(now.UpTo) {
			end = now.UpTo[i]
		}
		was := uint64(0)
		if i < len(before.Buckets) {
			was = before.Buckets[i]
		}
		to[end] += grown(n, was)
	}
}

// quantile is the upper end of the bucket that has it: of the last one, the end before.
func quantile(buckets map[int64]uint64, q float64) time.Duration {
	total, seen, last := uint64(0), uint64(0), int64(0)
	for _, n := range buckets {
		total += n
	}
	for _, end := range slices.Sorted(maps.Keys(buckets)) {
		if seen += buckets[end]; end == noEnd {
			end = last
		}
		if last = end; total > 0 && float64(seen) >= q*float64(total) {
			return time.Duration(end) * time.Millisecond
		}
	}
	return 0
}
