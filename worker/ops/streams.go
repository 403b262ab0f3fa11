// How full the streams are, and how long what is in them has waited: asked of NATS now and then.

package ops

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"

	"protocolq/messages"
)

// StreamsOptions are what Streams need.
type StreamsOptions struct {
	JetStream jetstream.JetStream
	Names     messages.Names
	// Kinds are the streams to ask for, each a right of the connection's user.
	Kinds []messages.Kind
}

// Streams shows how full streams are. Run keeps it up to date.
type Streams struct {
	o     StreamsOptions
	table *table

	mu   sync.Mutex // guards seen
	seen map[messages.Kind]streamState

	answered map[messages.Kind]bool // at least once; only for Run
}

type streamState struct {
	messages, bytes, most float64
	oldest                time.Time // zero: it is empty
}

// How often streams are asked for.
const (
	sampleEvery = 10 * time.Second
	sampleTime  = 2 * time.Second
	sampleSoon  = time.Second      // again where there is no connection
	sampleLate  = 10 * time.Minute // again where none ever answered: the user may not ask for it
)

// NewStreams makes Streams. It starts nothing.
func NewStreams(o StreamsOptions) *Streams {
	s := &Streams{o: o, seen: map[messages.Kind]streamState{}, answered: map[messages.Kind]bool{}}
	s.table = newTable([]row{
		{"stream_fill_ratio", "Part of a stream's room in use; no value where it has no bound.", "stream"},
		{"stream_messages", "Messages in a stream.", "stream"},
		{"stream_bytes", "Bytes in a stream.", "stream"},
		{"stream_oldest_seconds", "How long the oldest message of a stream has been in it.", "stream"},
		{"queue_lag_messages", "Submitted queries that no worker has written into the journal yet.", ""},
		{"oldest_pending_seconds", "How long the oldest of them has waited.", ""},
		{"querylog_lag_messages", "Lines of the query log that no recorder has written yet.", ""},
		{"querylog_lag_seconds", "How long the oldest of them has waited.", ""},
	}, s.read)
	return s
}

// Describe implements [prometheus.Collector].
func (s *Streams) Describe(out chan<- *prometheus.Desc) { s.table.Describe(out) }

// Collect implements [prometheus.Collector].
func (s *Streams) Collect(out chan<- prometheus.Metric) { s.table.Collect(out) }

// lags are the streams out of which a message is taken once it is done with.
var lags = map[messages.Kind][2]string{
	messages.Submitted: {"queue_lag_messages", "oldest_pending_seconds"},
	messages.Log:       {"querylog_lag_messages", "querylog_lag_seconds"},
}

func (s *Streams) read(r *reading) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for kind, st := range s.seen {
		waited := 0.0
		if !st.oldest.IsZero() {
			waited = max(0, time.Since(st.oldest).Seconds())
		}
		r.gauge("stream_messages", st.messages, string(kind))
		r.gauge("stream_bytes", st.bytes, string(kind))
		r.gauge("stream_oldest_seconds", waited, string(kind))
		if st.most > 0 {
			r.gauge("stream_fill_ratio", st.bytes/st.most, string(kind))
		}
		if lag, ok := lags[kind]; ok {
			r.gauge(lag[0], st.messages)
			r.gauge(lag[1], waited)
		}
	}
}

// Run asks until ctx ends.
func (s *Streams) Run(ctx context.Context) {
	next := map[messages.Kind]time.Time{}
	for {
		for _, kind := range s.o.Kinds {
			if now := time.Now(); now.Before(next[kind]) {
				continue
			}
			next[kind] = time.Now().Add(s.sample(ctx, kind))
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(sampleSoon):
		}
	}
}

// sample asks for one stream, and says how long it is then left alone. What is not known any more
// is not shown.
func (s *Streams) sample(ctx context.Context, kind messages.Kind) time.Duration {
	within, cancel := context.WithTimeout(ctx, sampleTime)
	defer cancel()
	stream, err := s.o.JetStream.Stream(within, s.o.Names.Stream(kind))
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		delete(s.seen, kind)
		return s.again(kind, err)
	}
	s.answered[kind] = true
	info := stream.CachedInfo()
	st := streamState{messages: float64(info.State.Msgs), bytes: float64(info.State.Bytes),
		most: float64(max(0, info.Config.MaxBytes))}
	if info.State.Msgs > 0 {
		st.oldest = info.State.FirstTime
	}
	s.seen[kind] = st
	return sampleEvery
}

// again is how long a stream is left alone that could not be asked for. One that has answered is
// silent only for a moment, as when its leader changes.
func (s *Streams) again(kind messages.Kind, err error) time.Duration {
	switch {
	case !s.o.JetStream.Conn().IsConnected():
		return sampleSoon
	case errors.Is(err, context.DeadlineExceeded) && !s.answered[kind]:
		return sampleLate
	}
	return sampleEvery
}
